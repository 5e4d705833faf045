"""What it costs to log a candidate: plots drawn, model saved, everything written to MLflow."""

import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.report import Result, show
from benchmarks.trainings import run

_LIMIT = 1.0
_DATA = "sklearn:breast_cancer"


def measure(rounds: int) -> Result:
    """Measure every candidate of a training in the embedded store."""
    seconds: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        with TemporaryDirectory(prefix="sixfold-bench-") as name:
            file = Path(name) / "tracked.json"
            run([sys.executable, "-m", "benchmarks.tracked", file, _DATA], Path(name))
            for candidate, parts in json.loads(file.read_text()).items():
                seconds.setdefault(candidate, []).append(parts)
    table = []
    figures = []
    for candidate, found in seconds.items():
        parts = {part: median(one[part] for one in found) for part in found[0]}
        total = median(sum(one.values()) for one in found)
        figures.append({"candidate": candidate, **parts, "total": total, "within": total <= _LIMIT})
        shown = [show(value, "s") for value in (*parts.values(), total)]
        table.append([candidate, *shown, "yes" if total <= _LIMIT else "NO"])
    middle = median(item["total"] for item in figures)
    table.append(["median", "", "", "", show(middle, "s"), "yes" if middle <= _LIMIT else "NO"])
    return Result(
        "tracking",
        "Seconds a candidate for everything logged, plots included, in the embedded store: "
        "at most 1.0 s",
        ["candidate", "plots", "model file", "writing to MLflow", "total", "within"],
        table,
        figures,
    )
