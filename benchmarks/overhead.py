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
from benchmarks.trainings import fits, leaderboard, mlflow_run_command, run

_FACTOR, _SECONDS = 1.10, 8.0


@dataclass(frozen=True)
class Case:
    """A training to measure, by the parameters of `mlflow run .`; `rows` makes a table for it."""

    name: str
    data: str
    parameters: dict[str, Any]
    rows: int = 0


CASES = (
    Case("built-in set, 569 rows, defaults", "sklearn:breast_cancer", {"search": "none"}),
    Case("built-in set, 569 rows, 60 s of search", "sklearn:breast_cancer", {"budget": 60}),
    Case(
        "synthetic, 30,000 rows, defaults",
        "data/table.parquet",
        {"search": "none", "budget": 3_600, "target": TARGET},
        30_000,
    ),
)


def measure(rounds: int) -> Result:
    """Measure every case, `mlflow run .` and the plain script in turn."""
    table = []
    figures = []
    for case in CASES:
        pairs = [_pair(case) for _ in range(rounds)]
        ours, plain = (median(pair[i] for pair in pairs) for i in (0, 1))
        limit = _FACTOR * plain + _SECONDS
        figures.append(
            {
                "case": case.name,
                "fits": pairs[0][2],
                "mlflow_run_seconds": [pair[0] for pair in pairs],
                "plain_seconds": [pair[1] for pair in pairs],
                "ratio": ours / plain,
                "limit_seconds": limit,
                "within": ours <= limit,
            }
        )
        table.append(
            [
                case.name,
                f"{pairs[0][2]}",
                show(ours, "s"),
                show(plain, "s"),
                f"{ours / plain:.2f}",
                show(ours - plain, "s"),
                show(limit, "s"),
                "yes" if ours <= limit else "NO",
            ]
        )
    return Result(
        "overhead",
        "`mlflow run .` against a plain script that does the same fits: at most 1.10 times its "
        "time plus 8 s",
        ["training", "fits", "mlflow run", "plain", "ratio", "more", "limit", "within"],
        table,
        figures,
    )


def _pair(case: Case) -> tuple[float, float, int]:
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        if case.rows:
            write_table(folder / case.data, case.rows)
        ours = run(mlflow_run_command(case.data, **case.parameters), folder)
        wanted = fits(folder, leaderboard(folder))
        request = {"data": case.data, **case.parameters}
        file = folder / "fits.json"
        file.write_text(json.dumps({"request": request, "fits": [asdict(item) for item in wanted]}))
        plain = run([sys.executable, "-m", "benchmarks.plain", file], folder)
        return ours, plain, len(wanted)
