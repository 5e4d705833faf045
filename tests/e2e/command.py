"""Calling `mlflow` and `sixfold` as a user would, in a folder of the user's own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

ROOT = Path(__file__).parents[2]
_TIMEOUT = 500.0
#: What a process that has run other tests has left there is not a user's.
_LEFT = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")


def start(
    folder: Path,
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a program of this environment, as the leader of a process group of its own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    outside = {name: value for name, value in os.environ.items() if name not in _LEFT}
    return subprocess.Popen(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        env={**outside, "PATH": path, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def call(
    folder: Path,
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> str:
    """Run a program to its end and return all it printed; fails on another exit code."""
    process = start(folder, program, arguments, environment)
    printed, _ = process.communicate(timeout=_TIMEOUT)
    assert process.returncode == code, f"{program} ended with {process.returncode}:\n{printed}"
    return printed


def json_of(printed: str) -> Any:
    """What a command has printed by `--json`, after the steps that it has told."""
    return json.loads(printed[printed.index("{\n") :])


def make_train(parameters: Mapping[str, object], environment: Mapping[str, str]) -> str:
    """`make train NAME=value …` in the project's folder; what it printed."""
    given = [f"{name.upper()}={value}" for name, value in parameters.items()]
    # What `make test ARGS=…` was given is not for this one.
    own = ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES", *_LEFT)
    outside = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(
        ["make", "--no-print-directory", "train", *given],
        cwd=ROOT,
        env={**outside, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT,
    )
    assert done.returncode == 0, f"make ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def mlflow_run(
    folder: Path,
    project: str | Path,
    parameters: Mapping[str, object],
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> str:
    """`mlflow run PROJECT -P name=value …`, as `call`."""
    given = [part for name, value in parameters.items() for part in ("-P", f"{name}={value}")]
    return call(folder, "mlflow", ["run", str(project), *options, *given], environment, code)


def runs(folder: Path) -> list[Run]:
    """Every run in a folder's embedded store, in any state."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))
