"""Run trainings as a user does, and read what they left: the only place that knows their names."""

import csv
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_STORE = "mlflow.db"
_TRIALS = "search.csv"
_LEARNING_SHARES = (0.1, 0.3)
_LEAST_LEARNING_ROWS = 10


@dataclass(frozen=True)
class Fit:
    """One fit of a training.

    Attributes
    ----------
    candidate : str
    params : dict
    fold : int or None
        The fold whose fitting rows it took; None for all training rows.
    share : float
        The share of these rows that it took, for a learning curve.
    """

    candidate: str
    params: dict[str, Any]
    fold: int | None = None
    share: float = 1.0


def environment() -> dict[str, str]:
    """This process's environment without a tracking server, with the project importable."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "SIXFOLD_"))}
    return kept | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def run(command: Sequence[str | Path], folder: Path, mark: str = "") -> tuple[float, float]:
    """Run a command in a folder; stops with its output if it fails.

    Returns
    -------
    seconds : float
    marked : float
        Seconds until it printed the first line with `mark` in it; NaN if it did not.
    """
    start = time.perf_counter()
    marked, output = math.nan, []
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if mark and mark in line and math.isnan(marked):
                marked = time.perf_counter() - start
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{''.join(output)[-4_000:]}")
    return seconds, marked


def make_store(folder: Path) -> None:
    """Make the embedded store that the first training in a folder would make."""
    _client(folder).search_experiments()


def train_command(data: str, **options: object) -> list[str | Path]:
    """`sixfold train` as a command."""
    return [sys.executable, "-m", "sixfold", "train", data, "--quiet", *_options(options)]


def promote_command(model: str, version: str) -> list[str | Path]:
    """`sixfold promote` as a command."""
    return [sys.executable, "-m", "sixfold", "promote", model, "--version", version]


def command(*words: object) -> list[str | Path]:
    """`sixfold WORDS` as a command."""
    return [sys.executable, "-m", "sixfold", *map(str, words)]


def build_docker_command(uri: str, image: str) -> list[str | Path]:
    """`mlflow models build-docker` as a command, in the form that needs no other Python."""
    mlflow = Path(sys.executable).with_name("mlflow")
    return [mlflow, "models", "build-docker", "-m", uri, "-n", image, "--env-manager", "local"]


def download(folder: Path, uri: str, to: Path) -> Path:
    """A logged model's files, out of the embedded store in `folder`."""
    from mlflow.artifacts import download_artifacts

    place = _client(folder).get_logged_model(uri.rpartition("/")[2]).artifact_location
    to.mkdir(parents=True)
    return Path(download_artifacts(artifact_uri=place, dst_path=str(to)))


def mlflow_run_command(data: str, **options: object) -> list[str | Path]:
    """`mlflow run .` as a command."""
    given = {"data": data, **options}
    parameters = [part for name, value in given.items() for part in ("-P", f"{name}={value}")]
    return [Path(sys.executable).with_name("mlflow"), "run", ROOT, *parameters]


def leaderboard(folder: Path) -> dict[str, Any]:
    """The leaderboard of the latest training of the embedded store in `folder`."""
    client = _client(folder)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    run = client.search_runs(experiments, "tags.`sixfold.kind` = 'training'", max_results=1)[0]
    file = client.download_artifacts(run.info.run_id, "leaderboard.json")
    board: dict[str, Any] = json.loads(Path(file).read_text())
    return board


def promotion_gates(folder: Path, model: str) -> dict[str, dict[str, Any]]:
    """The gates' results of a model's latest promotion in `folder`, by the gates' names."""
    client = _client(folder)
    experiment = client.get_experiment_by_name(f"{model}/promotions")
    run = client.search_runs(
        [experiment.experiment_id], "tags.`sixfold.kind` = 'promotion'", max_results=1
    )[0]
    file = client.download_artifacts(run.info.run_id, "gates.json")
    return {result["gate"]: result for result in json.loads(Path(file).read_text())}


def finished(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the candidates that were trained; stops if one of them failed."""
    failed = [row for row in board["candidates"] if row["status"] == "failed"]
    if failed:
        raise SystemExit(f"{failed[0]['name']} failed: {failed[0]['reason']}")
    return [row for row in board["candidates"] if row["status"] == "finished"]


def training_seconds(folder: Path, row: Mapping[str, Any]) -> float:
    """Seconds of a candidate's fits: all folds of its search, and the refit."""
    metrics = _client(folder).get_run(row["run_id"]).data.metrics
    return float(metrics["search_seconds"] + metrics["fit_seconds"])


def fits(folder: Path, board: Mapping[str, Any]) -> list[Fit]:
    """Every complete fit behind a leaderboard: the search, the learning curves, the refits.

    What the budget's end cut off is not among them.
    """
    client = _client(folder)
    found: list[Fit] = []
    for row in finished(board):
        if row["algorithm"] == "ensemble":
            continue
        name = row["name"]
        run = client.get_run(row["run_id"])
        final = {key: _value(text) for key, text in run.data.params.items()}
        for trial in _trials(client, row["run_id"]):
            params = {
                key.removeprefix("params."): _value(text)
                for key, text in trial.items()
                if key.startswith("params.") and text
            }
            found += [Fit(name, params, fold) for fold in range(int(trial["folds"]))]
        found += [Fit(name, final, 0, share) for share in _LEARNING_SHARES]
        found.append(Fit(name, final))
    return found


def learning_rows(rows: int, share: float) -> int:
    """How many of a fold's rows a fit for the learning curve takes."""
    return rows if share == 1 else max(_LEAST_LEARNING_ROWS, int(rows * share))


def _options(options: Mapping[str, object]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]


def _client(folder: Path) -> Any:
    from mlflow import MlflowClient

    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    return MlflowClient(f"sqlite:///{folder / _STORE}")


def _trials(client: Any, run_id: str) -> list[dict[str, str]]:
    if all(item.path != _TRIALS for item in client.list_artifacts(run_id)):
        return []  # the budget ended in its first trial
    with Path(client.download_artifacts(run_id, _TRIALS)).open(newline="") as file:
        return list(csv.DictReader(file))


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False, "None": None}.get(text, text)
