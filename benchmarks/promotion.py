"""What a promotion takes beyond the predictions themselves."""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.data import TARGET, write_table
from benchmarks.report import Result, show
from benchmarks.trainings import promote_command, promotion_gates, run, train_command

_LIMIT = 15.0
_ROWS = 250_000  # a fifth of them are tested on
_MODEL = "bought"
_GATES = (
    "loads", "signature", "quality", "slices", "calibration", "latency", "fairness", "freshness",
    "lineage", "approval",
)  # fmt: skip
#: All gates have something to do; none stops, so that versions can go back and forth.
_POLICY = "\n".join(f'[{gate}]\nenforce = "warn"' for gate in _GATES).replace(
    "[fairness]", '[fairness]\ncolumns = ["colour", "x0"]'
)
#: Version 1's, which is in Production, and version 2's, which is promoted.
_ALGORITHMS = ("decision_tree", "gradient_boosting:lightgbm")


def measure(rounds: int) -> Result:
    """Train two versions on one table, and promote the second over the first, several times."""
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        write_table(folder / "table.parquet", _ROWS)
        (folder / "policy.toml").write_text(_POLICY)
        for algorithm in _ALGORITHMS:
            given = {"target": TARGET, "algorithms": algorithm, "register": _MODEL}
            run(train_command("table.parquet", search="none", folds=2, **given), folder)
        found = [_promotion(folder) for _ in range(rounds)]
    rows = found[0][2]
    command, predictions = (median(one[part] for one in found) for part in (0, 1))
    beyond = median(one[0] - one[1] for one in found)
    within = beyond <= _LIMIT
    return Result(
        "promotion",
        "`sixfold promote` with all gates on a 50,000-row test split, against Production, in the "
        "embedded store: at most 15 s beyond the predictions themselves",
        ["rows", "the command", "predictions", "beyond these", "limit", "within"],
        [
            [
                f"{rows:,}",
                *(show(value, "s") for value in (command, predictions, beyond, _LIMIT)),
                "yes" if within else "NO",
            ]
        ],
        [
            {
                "rows": rows,
                "command_seconds": [one[0] for one in found],
                "predict_seconds": [one[1] for one in found],
                "beyond_seconds": beyond,
                "within": within,
            }
        ],
    )


def _promotion(folder: Path) -> tuple[float, float, int]:
    """Seconds of promoting version 2 over version 1, of their predictions, and on how many rows."""
    run(promote_command(_MODEL, "1"), folder)
    seconds, _ = run(promote_command(_MODEL, "2"), folder)
    gates = promotion_gates(folder, _MODEL)
    loads, quality = gates["loads"]["details"], gates["quality"]["details"]
    if set(gates) != set(_GATES) or "rows" not in quality:
        raise SystemExit(f"not all gates had something to do: {quality or sorted(gates)}")
    predictions = loads["predict_seconds"] + loads["production_predict_seconds"]
    return seconds, predictions, quality["rows"]
