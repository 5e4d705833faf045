"""Whether a classifier's probabilities mean what they say."""

from typing import Any

import numpy as np

from registry.evidence import Evidence
from registry.gates.result import FAILED, SKIPPED, Finding, outcome
from registry.settings import Calibration
from training.lettering import number


def check(evidence: Evidence) -> Finding:
    """Expected calibration error and Brier score on the rows."""
    settings: Calibration = evidence.policy.gate("calibration")
    if evidence.candidate.task == "regression":
        return Finding(SKIPPED, "A regression predicts no probabilities.")
    compared, rows = evidence.compared, evidence.rows
    if compared is None or rows is None:
        return Finding(FAILED, f"{evidence.not_compared}.")
    error, bins = expected_calibration_error(compared.y, compared.candidate, settings.bins)
    brier = brier_score(compared.y, compared.candidate)
    details: dict[str, Any] = {
        "ece": error, "brier": brier, "max_brier": settings.max_brier, "rows": len(rows),
        "where": rows.where, "bins": bins,
    }  # fmt: skip
    if compared.production is not None:
        details["production_ece"], details["production_bins"] = expected_calibration_error(
            compared.y, compared.production, settings.bins
        )
        details["production_brier"] = brier_score(compared.y, compared.production)
    return Finding(
        outcome(error <= settings.max_ece and brier <= settings.max_brier),
        f"Probabilities are off by {number(error)} on average (expected calibration error) on "
        f"{rows.said}, where {settings.max_ece:g} is allowed; the Brier score is {number(brier)}, "
        f"where {settings.max_brier:g} is allowed.",
        error,
        settings.max_ece,
        details,
    )


def expected_calibration_error(
    y: np.ndarray, probabilities: np.ndarray, bins: int
) -> tuple[float, list[dict[str, float]]]:
    """Mean distance of what was predicted from what came, over bins of the probability.

    Of the second class where there are two; of the predicted class where there are more (Guo et
    al., On Calibration of Modern Neural Networks, 2017).

    Returns
    -------
    error : float
    bins : list of dict
        `rows`, `predicted` and `observed` of each bin that has rows.
    """
    if probabilities.shape[1] == 2:
        predicted, came = probabilities[:, 1], y == 1
    else:
        predicted, came = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    place = np.clip((predicted * bins).astype(int), 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    there = rows > 0
    rows = rows[there]
    means = np.bincount(place, predicted, minlength=bins)[there] / rows
    shares = np.bincount(place, came, minlength=bins)[there] / rows
    error = float((rows * np.abs(means - shares)).sum() / len(y))
    table = [
        {"rows": int(count), "predicted": float(mean), "observed": float(share)}
        for count, mean, share in zip(rows, means, shares, strict=True)
    ]
    return error, table


def brier_score(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared error of the probabilities: 0 to 1 for two classes, to 2 for more."""
    if probabilities.shape[1] == 2:
        return float(((probabilities[:, 1] - y) ** 2).mean())
    errors = probabilities.copy()
    errors[np.arange(len(y)), y] -= 1
    return float((errors**2).sum(axis=1).mean())
