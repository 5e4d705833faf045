"""The leaderboard: candidates in order of the selection metric, as a dictionary and as a table."""

import csv
import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluate import METRICS, tied
from training.lettering import number, size

if TYPE_CHECKING:
    from training.finish import Finished
    from training.search import Tuned

COLUMNS = (
    "name", "algorithm", "engine", "status", "reason", "run_id", "model_uri",
    "cv_mean", "cv_std", "test", "test_low", "test_high", "tied_with_best",
    "fit_seconds", "predict_seconds_per_row", "model_bytes",
)  # fmt: skip
_ORDER = {"finished": 0, "failed": 1, "not_applicable": 2}


def row(name: str, status: str, **facts: Any) -> dict[str, Any]:
    """One candidate's row; what is not given is None."""
    algorithm, _, engine = name.partition(":")
    known = {"name": name, "algorithm": algorithm, "engine": engine or None, "status": status}
    return {column: (known | facts).get(column) for column in COLUMNS}


def finished_row(name: str, metric: str, tuned: "Tuned", finished: "Finished") -> dict[str, Any]:
    """The row of a candidate that was trained."""
    return row(
        name,
        "finished",
        cv_mean=tuned.mean,
        cv_std=tuned.std,
        test=finished.test_scores.get(metric, math.nan),
        test_low=finished.test_low,
        test_high=finished.test_high,
        fit_seconds=finished.fit_seconds,
        predict_seconds_per_row=finished.predict_seconds_per_row,
        model_bytes=finished.model_bytes,
    )


def order(
    rows: list[dict[str, Any]], metric: str, samples: dict[str, Any], partial: Collection[str]
) -> list[dict[str, Any]]:
    """Best first by cross-validation, and who cannot be told from the best on the test rows.

    Parameters
    ----------
    rows : list of dict
    metric : str
        The selection metric.
    samples : dict of candidate to ndarray
        Bootstrap samples of the test score (see `evaluate.bootstrap`).
    partial : collection of str
        Candidates that were not validated on all folds: their means are of other rows than the
        others', so they come after them.
    """
    sign = -1.0 if METRICS[metric].greater_is_better else 1.0

    def place(item: dict[str, Any]) -> tuple[int, bool, float]:
        mean = item["cv_mean"]
        known = mean is not None and math.isfinite(mean)
        score = sign * mean if known else math.inf
        return _ORDER[item["status"]], item["name"] in partial, score

    ordered = sorted(rows, key=place)
    best = samples.get(ordered[0]["name"]) if ordered else None
    return [
        item | {"tied_with_best": tied(samples[item["name"]], best)}
        if best is not None and item["name"] in samples
        else item
        for item in ordered
    ]


def write_trials(path: Path, trials: list[dict[str, Any]]) -> None:
    """Write a candidate's search as a table, a row a configuration (see `study.Study.table`)."""
    if trials:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for t in trials for key in t)))
            writer.writeheader()
            writer.writerows(trials)


def plain(value: Any) -> Any:
    """A value that JSON has: NaN and infinities become None, NumPy's numbers Python's."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(leaderboard: dict[str, Any]) -> Any:
    """The leaderboard as a table for the terminal (rich)."""
    from rich.box import SIMPLE
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    metric = leaderboard["metric"]
    shown = Table(
        box=SIMPLE, title=f"{leaderboard['task']}, {metric}, {leaderboard['rows']:,} rows"
    )
    shown.add_column("candidate", no_wrap=True)
    for heading in (f"cv {metric}", f"test {metric} (95 %)", "fit", "one row", "size"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for item in leaderboard["candidates"]:
        if item["status"] != "finished":
            shown.add_row(Text(item["name"], "dim"), Text(item["status"].replace("_", " "), "dim"))
            continue
        mark = " =" if item["tied_with_best"] else ""
        shown.add_row(
            Text(item["name"] + mark),
            f"{number(item['cv_mean'])} ± {number(item['cv_std'])}",
            f"{number(item['test'])} ({number(item['test_low'])} to {number(item['test_high'])})",
            f"{item['fit_seconds']:.2f} s",
            f"{1_000 * item['predict_seconds_per_row']:.2f} ms",
            size(item["model_bytes"]),
        )
    baseline = leaderboard.get("baseline")
    if baseline:
        shown.add_row(
            Text("baseline", "dim"), Text(number(baseline["cv_mean"]), "dim"),
            Text(number(baseline["test"]), "dim"),
        )  # fmt: skip
    shown.caption = (
        "best first by cross-validation; = cannot be told from the best on the test rows"
    )
    reasons = [
        Text(f"{item['name']}: {item['reason']}", "dim")
        for item in leaderboard["candidates"]
        if item["reason"]
    ]
    return Group(shown, *reasons)
