"""What the commands take on a large registry: 100 models with 100 versions each, one with 1,000."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.report import Result, show
from benchmarks.trainings import environment, promote_command, run, train_command

_MODELS, _VERSIONS, _MANY = 100, 100, 1_000
_MODEL = "model-0"
_NAMES = ("decision_tree", "logistic_regression")
#: Command -> its limit in seconds. `rollback` is on the model with 1,000 versions.
_LIMITS = {"history": 2.0, "audit": 2.0, "compare": 2.0, "rollback": 5.0}
_COMMANDS = {
    "history": ["history", _MODEL],
    "audit": ["audit"],
    "compare": ["compare", _MODEL, "1", "2"],
    "rollback": ["rollback", _MODEL, "--to-version", "1", "--note", "measured"],
}
_COPIED = ("model_versions", "model_version_tags")


def measure(rounds: int) -> Result:
    """Fill a registry, and run each command in turn."""
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        _fill(folder)
        seconds: dict[str, list[float]] = {command: [] for command in _LIMITS}
        starts = []
        for _ in range(rounds):
            starts.append(_start(folder))
            for command, words in _COMMANDS.items():
                _run(words, folder)  # the files are in memory
                if command == "rollback":  # to the other version
                    words = [word if word != "1" else "2" for word in words]
                seconds[command].append(_run(words, folder))
    start = median(starts)
    table = []
    figures = []
    for command, limit in _LIMITS.items():
        middle = median(seconds[command])
        within = middle <= limit
        table.append(
            [
                f"`{command}`",
                show(middle, "s"),
                show(start, "s"),
                show(limit, "s"),
                "yes" if within else "NO",
            ]
        )
        figures.append({"command": command, "seconds": seconds[command], "within": within})
    return Result(
        "registry",
        f"Whole commands on a registry of {_MODELS} models with {_VERSIONS} versions each, the "
        f"rollback on one with {_MANY:,}, in the embedded store; beside them, a script that "
        "imports MLflow, opens the store and asks one thing",
        ["command", "seconds", "MLflow's start", "limit", "within"],
        table,
        figures,
    )


def _run(words: list[str], folder: Path) -> float:
    seconds, _ = run([sys.executable, "-m", "sixfold", *words], folder)
    return seconds


def _start(folder: Path) -> float:
    code = "from mlflow import MlflowClient; MlflowClient().search_experiments(max_results=1)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), check=True)
    return time.perf_counter() - start


def _fill(folder: Path) -> None:
    """Two real versions, promoted one after the other; the others are copies of their rows."""
    (folder / "policy.toml").write_text('[lineage]\nenforce = "warn"\n')
    given = {"algorithms": ",".join(_NAMES), "search": "none"}
    run(train_command("sklearn:breast_cancer", **given), folder)
    for name in _NAMES:
        words = ["register", _MODEL, "--algorithm", name]
        run([sys.executable, "-m", "sixfold", *words], folder)
    for version in ("1", "2"):
        run(promote_command(_MODEL, version), folder)
    with sqlite3.connect(folder / "mlflow.db") as database:
        _copy(database, "registered_models", _MODEL, [(f"model-{i}",) for i in range(1, _MODELS)])
        for i in range(_MODELS):
            count = _MANY if i == 0 else _VERSIONS
            new = [(f"model-{i}", at) for at in range(3 if i == 0 else 1, count + 1)]
            for table in _COPIED:
                _copy(database, table, _MODEL, new)


def _copy(
    database: sqlite3.Connection,
    table: str,
    model: str,
    new: list[tuple[str, int]] | list[tuple[str]],
) -> None:
    """Copy a model's row, or the rows of its version 1, to other names and versions."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    kept = ["name", "version"][: len(new[0])]
    database.execute(f"CREATE TEMP TABLE wanted ({', '.join(kept)})")
    database.executemany(f"INSERT INTO wanted VALUES ({', '.join('?' * len(kept))})", new)
    # They were registered before the decision, and not touched since.
    values = {"current_stage": "'None'", "last_updated_time": "creation_time"}
    values |= {column: f"wanted.{column}" for column in kept}
    taken = [values.get(column, f"old.{column}") for column in columns]
    where = "old.name = ?" + (" AND old.version = 1" if "version" in kept else "")
    database.execute(
        f"INSERT INTO {table} SELECT {', '.join(taken)} FROM {table} AS old, wanted WHERE {where}",
        [model],
    )
    database.execute("DROP TABLE wanted")
