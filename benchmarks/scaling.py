"""How time and memory of each candidate grow with the table, at fixed configurations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import TARGET, write_table
from benchmarks.memory import peak_of
from benchmarks.report import Result, show
from benchmarks.trainings import environment, finished, leaderboard, train_command, training_seconds

SIZES = (10_000, 50_000, 300_000)
CANDIDATES = (
    "linear_regression",
    "logistic_regression",
    "svm",
    "decision_tree",
    "random_forest",
    "gradient_boosting:sklearn",
    "gradient_boosting:xgboost",
    "gradient_boosting:lightgbm",
    "gradient_boosting:catboost",
)
_SMALL = 200  # rows of the table whose peak is the interpreter's and the libraries' own
_TIME_LIMIT, _MEMORY_LIMIT = 1.1, 4.0
#: Its kernel solver is for small tables only; a larger one gets another solver.
_OTHER_SOLVER = "svm"
_OPTIONS = {"search": "none", "budget": 86_400, "folds": 2, "target": TARGET}


@dataclass(frozen=True)
class Point:
    """One training of one candidate."""

    seconds: float
    peak: int


def measure(rounds: int, sizes: tuple[int, ...] = SIZES, candidates: Sequence[str] = ()) -> Result:
    """Train each candidate alone on tables of each size, sizes in turn; all, if none is named."""
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        bytes_of = {
            rows: write_table(folder / f"{rows}.parquet", rows) for rows in (_SMALL, *sizes)
        }
        rows_of_table: list[list[str]] = []
        figures: list[dict[str, Any]] = []
        for candidate in candidates or CANDIDATES:
            points: dict[int, list[Point]] = {rows: [] for rows in (_SMALL, *sizes)}
            for done in range(rounds):
                for rows, found in points.items():
                    if rows != _SMALL or not done:  # whose peak is the same each time
                        found.append(_train(folder / f"{rows}.parquet", candidate))
            figure = _figure(candidate, sizes, points, bytes_of)
            figures.append(figure)
            rows_of_table.append(_row(figure))
    return Result(
        "scaling",
        f"Search and refit of one candidate at its first default, 2 folds, {len(sizes)} sizes of "
        "a synthetic table: from the smallest to the largest, time grows at most 1.1 times as much "
        "as the rows, and memory beyond that of a training on "
        f"{_SMALL} rows is at most 4 times the table's in memory",
        [
            "candidate",
            *[f"{rows:,} rows" for rows in sizes],
            "exponent",
            "growth / rows' growth",
            f"memory / table, {sizes[-1]:,} rows",
            "within",
        ],
        rows_of_table,
        figures,
    )


def _train(table: Path, candidate: str) -> Point:
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        command = train_command(str(table), algorithms=candidate, **_OPTIONS)
        _, peak = peak_of(command, folder, environment())
        row = finished(leaderboard(folder))[0]
        return Point(training_seconds(folder, row), peak)


def _figure(
    candidate: str,
    sizes: tuple[int, ...],
    points: dict[int, list[Point]],
    bytes_of: dict[int, int],
) -> dict[str, Any]:
    seconds = {rows: median(point.seconds for point in points[rows]) for rows in sizes}
    base = median(point.peak for point in points[_SMALL])
    memory = {
        rows: (median(point.peak for point in points[rows]) - base) / bytes_of[rows]
        for rows in sizes
    }
    first, last = sizes[0], sizes[-1]
    growth = (seconds[last] / seconds[first]) / (last / first)
    slow = growth > _TIME_LIMIT and candidate != _OTHER_SOLVER
    return {
        "candidate": candidate,
        "seconds": {str(rows): [point.seconds for point in points[rows]] for rows in sizes},
        "median_seconds": {str(rows): seconds[rows] for rows in sizes},
        "exponent": _slope([(rows, seconds[rows]) for rows in sizes]),
        "growth": growth,
        "peak_bytes": {str(rows): [point.peak for point in points[rows]] for rows in points},
        "table_bytes": {str(rows): bytes_of[rows] for rows in sizes},
        "memory_ratio": {str(rows): memory[rows] for rows in sizes},
        "within": not slow and memory[last] <= _MEMORY_LIMIT,
    }


def _row(figure: dict[str, Any]) -> list[str]:
    return [
        figure["candidate"],
        *[show(seconds, "s") for seconds in figure["median_seconds"].values()],
        f"{figure['exponent']:.2f}",
        f"{figure['growth']:.2f}",
        f"{list(figure['memory_ratio'].values())[-1]:.1f}",
        "yes" if figure["within"] else "NO",
    ]


def _slope(points: list[tuple[int, float]]) -> float:
    """The slope of the least-squares line through the logarithms: 1 is linear."""
    x = [math.log(rows) for rows, _ in points]
    y = [math.log(seconds) for _, seconds in points]
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    products = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return products / sum((a - x_mean) ** 2 for a in x)
