"""Groups of people, by Fairlearn's metrics and by their definitions."""

import numpy as np
import pandas as pd
import pytest

from tests.registry.evidence_of import binary, evidence_of, result_of

_POLICY = "[fairness]\ncolumns = ['s']"


def rates(predicted: np.ndarray, group: np.ndarray) -> float:
    shares = [predicted[group == name].mean() for name in np.unique(group)]
    return float(max(shares) - min(shares))


def test_differences_are_those_of_the_definitions() -> None:
    frame, y, own = binary(4_000)
    left = (frame["s"] == "left").to_numpy()
    own[left, 1] = np.clip(own[left, 1] + 0.3, 0, 1)  # says yes more often to the left
    own[:, 0] = 1 - own[:, 1]
    result = result_of("fairness", evidence_of(frame, y, own, policy=_POLICY))
    predicted, group = own.argmax(axis=1) == 1, frame["s"].to_numpy()
    (found,) = result.details["columns"]
    assert found["parity"] == pytest.approx(rates(predicted, group))
    odds = max(rates(predicted[y == code], group[y == code]) for code in (0, 1))
    assert found["odds"] == pytest.approx(odds)
    assert result.stops
    assert result.figure == pytest.approx(max(found["parity"], odds))
    lenient = _POLICY + "\nmax_parity_difference = 0.9\nmax_odds_difference = 0.9"
    assert result_of("fairness", evidence_of(frame, y, own, policy=lenient)).outcome == "passed"


def test_alike_groups_pass() -> None:
    frame, y, own = binary(4_000)
    assert result_of("fairness", evidence_of(frame, y, own, policy=_POLICY)).outcome == "passed"


def test_a_column_that_the_model_does_not_see_counts_too() -> None:
    frame, y, own = binary(4_000)
    frame["s"] = np.where(np.random.default_rng(0).random(4_000) < 0.9, frame["y"], "other")
    result = result_of("fairness", evidence_of(frame, y, own, policy=_POLICY))
    assert result.stops


def test_small_groups_are_left_out() -> None:
    frame, y, own = binary(400)
    frame.loc[:9, "s"] = "tiny"
    frame["s"] = frame["s"].where(frame["s"] == "tiny", "left")
    result = result_of("fairness", evidence_of(frame, y, own, policy=_POLICY))
    assert result.stops
    assert "fewer than two groups" in result.sentence


def test_a_group_without_a_label_has_no_rate_for_it() -> None:
    frame, y, own = binary(600)
    frame["s"] = np.select([y == 1, np.arange(600) % 2 == 0], ["all yes", "even"], "odd")
    (found,) = result_of("fairness", evidence_of(frame, y, own, policy=_POLICY)).details["columns"]
    assert found["odds"] == 0.0  # no group has both labels
    assert found["parity"] > 0.5


def test_more_classes_are_each_held_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 3_000)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=3_000),
            "s": rng.choice(["l", "r"], 3_000),
        }
    )
    frame["y"] = np.array(list("uvw"))[y]
    own = np.eye(3)[y] * 0.5 + rng.dirichlet(np.ones(3), 3_000) * 0.5
    own[(frame["s"] == "l").to_numpy(), 2] += 1  # everybody on the left is a w
    result = result_of("fairness", evidence_of(frame, y, own, policy=_POLICY))
    (found,) = result.details["columns"]
    assert result.stops
    assert found["parity"] == pytest.approx(2 / 3, abs=0.05)


def test_where_it_has_no_meaning_it_is_skipped() -> None:
    assert result_of("fairness", evidence_of(*binary())).outcome == "skipped"
    y = np.random.default_rng(0).normal(size=200)
    frame = pd.DataFrame({"s": ["l", "r"] * 100, "y": y})
    assert result_of("fairness", evidence_of(frame, y, y, policy=_POLICY)).outcome == "skipped"


def test_a_column_that_is_not_there_fails() -> None:
    policy = "[fairness]\ncolumns = ['sex']"
    result = result_of("fairness", evidence_of(*binary(), policy=policy))
    assert result.stops
    assert "'sex'" in result.sentence
