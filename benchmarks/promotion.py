"""What the gates of a promotion take beyond the predictions themselves."""

import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import TARGET, write_table
from benchmarks.report import Result, show
from benchmarks.trainings import run, train_command

_LIMIT = 15.0
_ROWS = 250_000  # a fifth of them are tested on
_MODEL = "bought"
#: All gates have something to do; none stops, so that every one is measured to its end.
_POLICY = """
[calibration]
enforce = "warn"
[fairness]
enforce = "warn"
columns = ["colour", "x0"]
"""
#: Production's, then the candidate's.
_ALGORITHMS = ("decision_tree", "gradient_boosting:lightgbm")


def measure(rounds: int) -> Result:
    """Train two versions on one table, and hold the second against the first, several times."""
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        write_table(folder / "table.parquet", _ROWS)
        (folder / "policy.toml").write_text(_POLICY)
        for algorithm in _ALGORITHMS:
            given = {"target": TARGET, "algorithms": algorithm, "register": _MODEL}
            run(train_command("table.parquet", search="none", folds=2, **given), folder)
        found = [_promotion(folder) for _ in range(rounds)]
    middle = {part: median(one[part] for one in found) for part in ("gather", "check")}
    predictions = median(one["predictions"] for one in found)
    beyond = median(one["gather"] + one["check"] - one["predictions"] for one in found)
    figures = {
        "rows": found[0]["rows"],
        **middle,
        "predictions": predictions,
        "beyond": beyond,
        "within": beyond <= _LIMIT,
    }
    shown = [show(value, "s") for value in (*middle.values(), predictions, beyond, _LIMIT)]
    return Result(
        "promotion",
        "All gates of a promotion on a 50,000-row test split, against Production, in the embedded "
        "store: at most 15 s beyond the predictions themselves",
        ["rows", "gathering", "checking", "predictions", "beyond these", "limit", "within"],
        [[f"{figures['rows']:,}", *shown, "yes" if figures["within"] else "NO"]],
        [figures],
    )


def _promotion(folder: Path) -> dict[str, Any]:
    file = folder / "promoted.json"
    run([sys.executable, "-m", "benchmarks.promoted", file, _MODEL], folder)
    found: dict[str, Any] = json.loads(file.read_text())
    return found
