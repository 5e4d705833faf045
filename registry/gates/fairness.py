"""Whether groups of people are treated alike, by Fairlearn's metrics.

Demographic parity difference: between the group for which a label is predicted most often and the
one for which it is least. Equalised odds difference: the same among the rows that have the label,
and among those that have not, whichever is larger (Hardt, Price and Srebro, 2016). With more than
two labels each is held against the rest, and the largest difference counts.
"""

from typing import Any

import numpy as np

from registry.evidence import Evidence
from registry.gates.result import FAILED, SKIPPED, Finding, outcome
from registry.groups import Groups, groups_of
from registry.settings import Fairness
from training.errors import nearest
from training.lettering import number


def check(evidence: Evidence) -> Finding:
    """Compare the groups of each sensitive column."""
    settings: Fairness = evidence.policy.gate("fairness")
    if not settings.columns:
        return Finding(SKIPPED, "The policy names no sensitive columns.")
    if evidence.candidate.task == "regression":
        return Finding(SKIPPED, "A regression predicts no labels to compare groups by.")
    compared, rows = evidence.compared, evidence.rows
    if compared is None or rows is None:
        return Finding(FAILED, f"{evidence.not_compared}.")
    absent = [name for name in settings.columns if name not in rows.frame]
    if absent:
        return Finding(
            FAILED,
            f"The policy's sensitive columns name {absent[0]!r}, which the rows do not have; "
            f"{nearest(absent[0], rows.frame.columns)}",
        )
    predicted = compared.candidate.argmax(axis=1)
    found = [
        _differences(groups, compared.y, predicted, compared.labels, settings.min_rows)
        for groups in (
            groups_of(rows.frame, name, evidence.candidate.schema) for name in settings.columns
        )
    ]
    few = [item["column"] for item in found if len(item["groups"]) < 2]
    if few:
        return Finding(
            FAILED,
            f"Column {few[0]!r} has fewer than two groups of {settings.min_rows} rows in "
            f"{rows.said}, so they cannot be compared.",
            details={"columns": found},
        )
    parity = max(found, key=lambda item: item["parity"])
    odds = max(found, key=lambda item: item["odds"])
    fair = (
        parity["parity"] <= settings.max_parity_difference
        and odds["odds"] <= settings.max_odds_difference
    )
    return Finding(
        outcome(fair),
        f"Between the groups of {parity['column']} predictions differ by "
        f"{number(parity['parity'])} (demographic parity; {settings.max_parity_difference:g} is "
        f"allowed), and between those of {odds['column']} by {number(odds['odds'])} where the "
        f"label is the same (equalised odds; "
        f"{settings.max_odds_difference:g} is allowed), on {rows.said}.",
        max(parity["parity"], odds["odds"]),
        settings.max_parity_difference
        if parity["parity"] >= odds["odds"]
        else settings.max_odds_difference,
        {"columns": found, "rows": len(rows), "where": rows.where},
    )


def _differences(
    groups: Groups, y: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...], min_rows: int
) -> dict[str, Any]:
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    counts = groups.counts()
    kept = np.flatnonzero(counts >= min_rows)
    mask = np.isin(groups.codes, kept)
    record: dict[str, Any] = {
        "column": groups.column,
        "groups": [{"group": groups.names[code], "rows": int(counts[code])} for code in kept],
        "parity": 0.0,
        "odds": 0.0,
    }
    if len(kept) < 2:
        return record
    parity, odds = [], []
    for code in [1] if len(labels) == 2 else range(len(labels)):
        # Fairlearn's time goes with the rows, and few kinds of rows differ: each once, weighted.
        kinds = np.stack([y[mask] == code, predicted[mask] == code, groups.codes[mask]])
        (has, gets, group), rows = np.unique(kinds, axis=1, return_counts=True)
        parity.append(
            demographic_parity_difference(has, gets, sensitive_features=group, sample_weight=rows)
        )
        # A rate among no rows is no rate: only groups with the label, and without, have both.
        both = [one for one in kept if len(np.unique(has[group == one])) == 2]
        among = np.isin(group, both)
        if len(both) > 1:
            odds.append(
                equalized_odds_difference(
                    has[among],
                    gets[among],
                    sensitive_features=group[among],
                    sample_weight=rows[among],
                )
            )
    return record | {"parity": float(max(parity)), "odds": float(max(odds, default=0.0))}
