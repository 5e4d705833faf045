"""What MLflow, the container and Sixfold's own work add to the fits themselves."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import TARGET, write_table
from benchmarks.report import Result, show
from benchmarks.trainings import fits, leaderboard, make_store, mlflow_run_command, run

_FACTOR, _SECONDS, _START = 1.10, 8.0, 10.0
_BUILT_IN = "sklearn:breast_cancer"


@dataclass(frozen=True)
class Case:
    """A training to measure, by the parameters of `mlflow run .`; `rows` makes a table for it."""

    name: str
    data: str
    parameters: dict[str, Any]
    rows: int = 0


CASES = (
    Case("built-in set, 569 rows, 60 s of search", _BUILT_IN, {"budget": 60}),
    Case("built-in set, 569 rows, first defaults only", _BUILT_IN, {"search": "none"}),
    Case(
        "synthetic, 30,000 rows, first defaults only",
        "data/table.parquet",
        {"search": "none", "budget": 3_600, "target": TARGET},
        30_000,
    ),
)


@dataclass(frozen=True)
class Pair:
    """Seconds of `mlflow run .`, until its search began, and of the plain script; and the fits."""

    ours: float
    start: float
    plain: float
    fits: int


def measure(rounds: int) -> Result:
    """Measure every case, `mlflow run .` and the plain script in turn."""
    table = []
    figures = []
    for case in CASES:
        pairs = [_pair(case) for _ in range(rounds)]
        ours, start, plain = (
            median(getattr(pair, name) for pair in pairs) for name in ("ours", "start", "plain")
        )
        limit = _FACTOR * plain + _SECONDS
        figures.append(
            {
                "case": case.name,
                "fits": pairs[0].fits,
                "start_seconds": [pair.start for pair in pairs],
                "mlflow_run_seconds": [pair.ours for pair in pairs],
                "plain_seconds": [pair.plain for pair in pairs],
                "ratio": ours / plain,
                "limit_seconds": limit,
                "within": ours <= limit and start <= _START,
            }
        )
        table.append(
            [
                case.name,
                f"{pairs[0].fits}",
                show(start, "s"),
                show(ours, "s"),
                show(plain, "s"),
                f"{ours / plain:.2f}",
                show(ours - plain, "s"),
                show(limit, "s"),
                "yes" if ours <= limit and start <= _START else "NO",
            ]
        )
    return Result(
        "overhead",
        "`mlflow run .` against a plain script that does the same fits: at most 1.10 times its "
        f"time plus 8 s; and its search begins within {_START:.0f} s",
        [
            "training",
            "fits",
            "search begins",
            "mlflow run",
            "plain",
            "ratio",
            "more",
            "limit",
            "within",
        ],
        table,
        figures,
    )


def _pair(case: Case) -> Pair:
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        if case.rows:
            write_table(folder / case.data, case.rows)
        make_store(folder)
        command = mlflow_run_command(case.data, **case.parameters)
        ours, start = run(command, folder, mark="searching ")
        wanted = fits(folder, leaderboard(folder))
        request = {"data": case.data, **case.parameters}
        file = folder / "fits.json"
        file.write_text(json.dumps({"request": request, "fits": [asdict(item) for item in wanted]}))
        plain, _ = run([sys.executable, "-m", "benchmarks.plain", file], folder)
        return Pair(ours, start, plain, len(wanted))
