"""One finished training for the tests that look at what it left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class FinishedTraining:
    """A training that ended well in an embedded store."""

    folder: Path  # holds mlflow.db and the artifacts
    leaderboard: dict[str, Any]  # what `sixfold leaderboard --json` prints

    @property
    def tracking_uri(self) -> str:
        """Address of the embedded store."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def finished(self) -> list[dict[str, Any]]:
        """The leaderboard's rows that have a run and a score, best first."""
        return [row for row in self.leaderboard["candidates"] if row["status"] == "finished"]


@pytest.fixture(scope="session")
def finished_training(tmp_path_factory: pytest.TempPathFactory) -> FinishedTraining:
    """Train on scikit-learn's breast cancer table in a folder of its own, as a user would."""
    folder = tmp_path_factory.mktemp("finished-training")
    _sixfold(folder, ["train", "sklearn:breast_cancer", "--budget", "20", "--seed", "0"])
    leaderboard = json.loads(_sixfold(folder, ["leaderboard", "--json"]))
    return FinishedTraining(folder, leaderboard)


def _sixfold(folder: Path, arguments: Sequence[str]) -> str:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "sixfold", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, f"sixfold {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
