"""No part of the rows loses beyond the margin and chance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from registry.evidence import Evidence
from tests.registry.evidence_of import binary, evidence_of, probabilities, result_of


def worse_where(mask: np.ndarray, y: np.ndarray, seed: int = 5) -> np.ndarray:
    """Probabilities that know much, but little on some rows."""
    good, bad = probabilities(y, 3.0, seed), probabilities(y, 0.3, seed + 1)
    return np.where(mask[:, None], bad, good)


def of_columns(evidence: Evidence, *importance: str) -> Evidence:
    ranked = [(name, 1.0) for name in importance]
    return replace(evidence, candidate=replace(evidence.candidate, importance=ranked))


def test_the_category_that_loses_is_found() -> None:
    frame, y, production = binary(3_000, skill=3.0)
    red = (frame["c"] == "red").to_numpy()
    result = result_of("slices", evidence_of(frame, y, worse_where(red, y), production))
    assert result.stops
    assert "c = red" in result.sentence
    assert f"({red.sum():,} rows)" in result.sentence
    worst = result.details["worst"][0]
    assert (worst["column"], worst["group"], worst["lost"]) == ("c", "red", True)
    assert worst["low"] < worst["gain"] < worst["high"] < 0
    assert result.figure == worst["gain"]


def test_the_quarter_that_loses_is_found() -> None:
    frame, y, production = binary(3_000, skill=3.0)
    low = (frame["a"] < frame["a"].quantile(0.25)).to_numpy()
    evidence = evidence_of(frame, y, worse_where(low, y), production, "[slices]\ncolumns = ['a']")
    result = result_of("slices", evidence)
    assert result.stops
    assert result.details["worst"][0]["group"].startswith(f"{frame['a'].min():.6g} to ")
    assert result.details["columns"] == ["a"]


def test_equal_models_pass_on_many_small_slices() -> None:
    """What chance explains is no loss: over many tables, hardly one in a hundred is refused."""
    failed = 0
    for seed in range(25):
        frame, y, own = binary(600, seed, skill=2.0)
        frame["many"] = np.random.default_rng(seed).choice(list("abcdefgh"), len(frame))
        evidence = evidence_of(frame, y, own, probabilities(y, 2.0, 1_000 + seed))
        failed += result_of("slices", evidence).outcome == "failed"
    assert failed <= 1


def test_small_slices_are_not_looked_at() -> None:
    frame, y, production = binary(600, skill=3.0)
    frame.loc[:29, "c"] = "rare"
    rare = (frame["c"] == "rare").to_numpy()
    own = np.where(rare[:, None], 1 - production, production)  # exactly wrong, on 30 rows
    policy = "[slices]\ncolumns = ['c']"
    default = result_of("slices", evidence_of(frame, y, own, production, policy))
    assert default.outcome == "passed"
    policy += "\nmin_rows = 20"
    assert result_of("slices", evidence_of(frame, y, own, production, policy)).stops


def test_the_margin_is_the_policys() -> None:
    frame, y, production = binary(3_000, skill=3.0)
    red = (frame["c"] == "red").to_numpy()
    own = worse_where(red, y)
    policy = "[slices]\nmargin = 0.9"
    assert result_of("slices", evidence_of(frame, y, own, production, policy)).outcome == "passed"


def test_the_most_important_columns_are_taken() -> None:
    frame, y, own = binary(1_000)
    evidence = of_columns(evidence_of(frame, y, own, own, "[slices]\ntop = 2"), "s", "a", "c")
    assert result_of("slices", evidence).details["columns"] == ["s", "a"]


def test_features_of_a_date_are_its_column() -> None:
    frame, y, own = binary(1_000)
    frame["joined"] = pd.date_range("2020-01-01", periods=1_000, freq="7h")
    evidence = evidence_of(frame, y, own, own)
    names = [f.name for f in evidence.candidate.schema.features if f.column == "joined"]
    assert len(names) > 1
    result = result_of("slices", of_columns(evidence, *names, "c"))
    assert result.details["columns"] == ["joined", "c"]
    assert result.details["slices"] == 4 + 3


def test_a_column_that_is_not_there_is_answered_with_the_nearest() -> None:
    frame, y, own = binary()
    result = result_of("slices", evidence_of(frame, y, own, own, "[slices]\ncolumns = ['cc']"))
    assert result.stops
    assert "'cc'" in result.sentence
    assert "did you mean 'c'" in result.sentence or "valid:" in result.sentence


def test_regression_margin_is_a_share_of_the_slices_loss() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 10, 2_000)
    frame = pd.DataFrame({"c": rng.choice(["u", "v"], 2_000), "a": rng.normal(size=2_000), "y": y})
    noise = rng.normal(size=2_000)
    own = y + noise * np.where(frame["c"] == "u", 1.2, 0.9)
    result = result_of("slices", evidence_of(frame, y, own, y + noise))
    assert result.stops
    worst = result.details["worst"][0]
    assert (worst["column"], worst["group"]) == ("c", "u")
    assert worst["allowed"] == pytest.approx(0.05 * worst["production"])


def test_a_perfect_production_allows_no_loss() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 10, 400)
    frame = pd.DataFrame({"c": rng.choice(["u", "v"], 400), "a": rng.normal(size=400), "y": y})
    assert result_of("slices", evidence_of(frame, y, y, y)).outcome == "passed"
    own = np.where(frame["c"] == "v", y + rng.normal(size=400), y)
    result = result_of("slices", evidence_of(frame, y, own, y))
    assert result.stops
    assert result.details["worst"][0]["group"] == "v"


def test_the_first_version_is_skipped() -> None:
    assert result_of("slices", evidence_of(*binary())).outcome == "skipped"
