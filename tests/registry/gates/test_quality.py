"""The baseline, the thresholds, and Production on the same rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from registry.rows import Rows
from tests.registry.evidence_of import (
    binary,
    evidence_of,
    probabilities,
    probe_of,
    result_of,
)


def test_a_worse_version_is_refused_with_the_numbers() -> None:
    frame, y, own = binary(1_000, skill=1.0)
    result = result_of("quality", evidence_of(frame, y, own, probabilities(y, 3.0, 9)))
    assert result.stops
    assert result.figure is not None
    assert result.threshold == -0.01
    assert result.figure < -0.1
    assert result.details["low"] < result.figure < result.details["high"] < 0
    assert result.details["probability_better"] == 0
    assert result.sentence.startswith("roc_auc 0.")
    assert "1,000 rows of the candidate's own test split" in result.sentence


def test_a_better_version_passes_with_its_probability() -> None:
    frame, y, own = binary(1_000, skill=3.0)
    result = result_of("quality", evidence_of(frame, y, own, probabilities(y, 1.0, 9)))
    assert result.outcome == "passed"
    assert result.details["probability_better"] == 1
    assert "with a probability of over 99.9%" in result.sentence, "it is no certainty"
    assert result.details["low"] > 0


def test_the_margin_is_the_policys() -> None:
    frame, y, own = binary(1_000, skill=1.8)
    production = probabilities(y, 2.2, 9)
    loss = -result_of("quality", evidence_of(frame, y, own, production)).details["difference"]
    assert loss > 0
    for margin, outcome in ((loss * 0.9, "failed"), (loss * 1.1, "passed")):
        policy = f"[quality]\nmargin = {margin}"
        assert (
            result_of("quality", evidence_of(frame, y, own, production, policy)).outcome == outcome
        )


def test_judged_by_the_interval_a_version_must_prove_itself() -> None:
    frame, y, production = binary(100)
    own = probabilities(y, 2.0, 3)
    policy = "[quality]\nmargin = 0.05"
    by_estimate = result_of("quality", evidence_of(frame, y, own, production, policy))
    policy += "\njudge = 'interval'"
    by_interval = result_of("quality", evidence_of(frame, y, own, production, policy))
    assert by_estimate.details["low"] < -0.05 < by_estimate.details["difference"]
    assert (by_estimate.outcome, by_interval.outcome) == ("passed", "failed")
    assert by_interval.figure == by_estimate.details["low"]


def test_of_losses_the_margin_is_a_share_of_productions() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1_000, 500)
    frame = pd.DataFrame({"a": rng.normal(size=500), "y": y})
    noise = rng.normal(0, 100, 500)
    for factor, outcome in ((1.005, "passed"), (1.02, "failed")):
        result = result_of("quality", evidence_of(frame, y, y + factor * noise, y + noise))
        assert result.outcome == outcome
        assert result.threshold == pytest.approx(-0.01 * result.details["production"])


def test_without_rows_nothing_is_pretended() -> None:
    frame, y, own = binary()
    why = "The candidate's training table cannot be read again; name a table with --data TABLE"
    evidence = evidence_of(
        frame,
        y,
        own,
        own,
        rows=None,
        no_rows=why,
        candidate_probe=probe_of(),
        production_probe=probe_of(),
    )
    for gate in ("quality", "slices"):
        result = result_of(gate, evidence)
        assert result.stops
        assert result.sentence == f"{why}."


def test_a_production_that_does_not_load_is_said() -> None:
    frame, y, own = binary()
    broken = probe_of(error="its process crashed with SIGSEGV")
    result = result_of("quality", evidence_of(frame, y, own, own, production_probe=broken))
    assert result.stops
    assert "churn version 1 could not predict the rows: its process crashed" in result.sentence


def test_predictions_that_are_no_numbers_fail() -> None:
    frame, y, own = binary()
    wrong = own.copy()
    wrong[3] = np.nan
    result = result_of("quality", evidence_of(frame, y, own, own, candidate_probe=probe_of(wrong)))
    assert result.stops
    assert "not all predictions" in result.sentence


@pytest.mark.parametrize(("above", "outcome"), [(0.5, "passed"), (0.99, "failed")])
def test_the_first_version_must_be_beyond_the_baseline(above: float, outcome: str) -> None:
    policy = f"[quality]\nabove_baseline = {above}"
    result = result_of("quality", evidence_of(*binary(skill=2.0), policy=policy))
    assert result.outcome == outcome
    assert result.details["needed"] == pytest.approx(0.5 + above / 2)  # of roc_auc
    assert "no Production to compare with" in result.sentence


def test_no_better_than_the_baseline_is_refused() -> None:
    frame, y, own = binary(skill=-1.0)
    assert result_of("quality", evidence_of(frame, y, own)).stops


@pytest.mark.parametrize(
    ("thresholds", "outcome"),
    [
        ("roc_auc = 0.6", "passed"),
        ("roc_auc = 0.999", "failed"),
        ("log_loss = 0.6", "passed"),
        ("log_loss = 0.1", "failed"),
        ("rmse = 1.0", "failed"),
        ("accuracy = 0.1", "failed"),
    ],
)
def test_thresholds_hold_whatever_production_has(thresholds: str, outcome: str) -> None:
    frame, y, own = binary()
    scores = {"roc_auc": 0.85, "log_loss": 0.5}  # as recorded; accuracy was not
    for production in (None, own):
        evidence = evidence_of(
            frame, y, own, production, f"[quality.thresholds]\n{thresholds}", scores=scores
        )
        result = result_of("quality", evidence)
        assert result.outcome == outcome, result.sentence
        assert result.details["thresholds"][0]["passed"] == (outcome == "passed")


def test_on_a_named_table_the_thresholds_hold_there() -> None:
    frame, y, own = binary(skill=0.1)
    rows = Rows(frame, y, ("no", "yes"), "fresh.csv", False)
    evidence = evidence_of(
        frame,
        y,
        own,
        policy="[quality.thresholds]\nroc_auc = 0.7",
        rows=rows,
        scores={"roc_auc": 0.9},
    )
    result = result_of("quality", evidence)
    assert result.stops
    assert "on fresh.csv" in result.sentence
    recorded = replace(evidence, rows=replace(rows, own=True))
    assert result_of("quality", recorded).details["thresholds"][0]["score"] == 0.9
