"""What was measured, on what: tables for the terminal and for README.md, figures as JSON."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

_LIBRARIES = ("mlflow", "scikit-learn", "xgboost-cpu", "lightgbm", "catboost", "optuna", "numpy")


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes
    ----------
    name : str
        Its section in README.md.
    what : str
        One sentence: what is compared, and the limit.
    heading : list of str
    rows : list of list of str
    figures : list of dict
        The same and more as numbers; seconds and bytes.
    more : str
        Markdown after the table.
    """

    name: str
    what: str
    heading: list[str]
    rows: list[list[str]]
    figures: list[dict[str, Any]]
    more: str = ""

    def markdown(self) -> str:
        """A sentence and a table, and what comes after it."""
        parts = [f"{self.what}.", table(self.heading, self.rows), self.more]
        return "\n\n".join(part for part in parts if part) + "\n"


def table(heading: list[str], rows: list[list[str]]) -> str:
    """In Markdown; the first column is text, the others are numbers."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(value: float, unit: str = "") -> str:
    """A number with three significant digits."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}".rstrip()


def machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def machine_line() -> str:
    """The machine in one sentence."""
    facts = machine()
    libraries = ", ".join(f"{name} {number}" for name, number in facts["libraries"].items())
    return (
        f"{facts['cpus']} CPUs ({facts['processor']}), {facts['memory_gib']} GiB of memory, "
        f"{facts['system']}, Python {facts['python']}; {libraries}."
    )


def write(readme: Path, results: list[Result]) -> None:
    """Put tables between their markers, `<!-- NAME -->` and `<!-- /NAME -->`, in a Markdown file.

    Raises
    ------
    ValueError
        A marker is not there.
    """
    text = readme.read_text()
    parts = {result.name: f"{result.markdown()}\n{machine_line()}\n" for result in results}
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"expected {begin.strip()} and {end} in {readme.name}")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    readme.write_text(text)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
