"""Whether 80 % means 80 %."""

import numpy as np
import pandas as pd
import pytest

from registry.gates.calibration import brier_score, expected_calibration_error
from tests.registry.evidence_of import binary, evidence_of, probe_of, result_of

_POLICY = "[calibration]\nenforce = 'enforce'"


def calibrated(rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.random(rows)
    return (rng.random(rows) < p).astype(int), np.column_stack([1 - p, p])


def test_error_is_near_zero_for_true_probabilities_and_not_for_bold_ones() -> None:
    y, p = calibrated()
    assert expected_calibration_error(y, p, 15)[0] < 0.02
    bold = np.where(p > 0.5, 1.0, 0.0)
    error, bins = expected_calibration_error(y, bold, 15)
    assert error == pytest.approx(0.25, abs=0.02)
    assert [item["predicted"] for item in bins] == [0.0, 1.0]
    assert sum(item["rows"] for item in bins) == len(y)


def test_of_more_classes_the_predicted_one_counts() -> None:
    p = np.tile([0.7, 0.2, 0.1], (100, 1))
    y = np.repeat([0, 1, 2], [60, 30, 10])
    error, _ = expected_calibration_error(y, p, 10)
    assert error == pytest.approx(0.1)
    by_hand = np.mean([((p[i] - np.eye(3)[y[i]]) ** 2).sum() for i in range(100)])
    assert brier_score(y, p) == pytest.approx(by_hand)


def test_the_policy_decides() -> None:
    y, p = calibrated(2_000)
    frame, _, _ = binary(2_000)
    frame["y"] = np.array(["no", "yes"])[y]
    assert result_of("calibration", evidence_of(frame, y, p, policy=_POLICY)).outcome == "passed"
    bold = np.where(p > 0.5, 0.999, 0.001)
    result = result_of("calibration", evidence_of(frame, y, bold, p, policy=_POLICY))
    assert result.stops
    assert result.details["production_ece"] < 0.05 < result.details["ece"]
    strict = _POLICY + "\nmax_brier = 0.1"
    assert result_of("calibration", evidence_of(frame, y, p, policy=strict)).stops


def test_regression_is_skipped_and_missing_rows_are_not() -> None:
    y = np.random.default_rng(0).normal(size=200)
    frame = pd.DataFrame({"a": y[::-1], "y": y})
    assert result_of("calibration", evidence_of(frame, y, y, policy=_POLICY)).outcome == "skipped"
    evidence = evidence_of(
        *binary(), policy=_POLICY, rows=None, no_rows="There are none.", candidate_probe=probe_of()
    )
    result = result_of("calibration", evidence)
    assert result.stops
    assert result.sentence == "There are none."
