"""One whole training, small and shared: what MLflow holds after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from training.progress import Progress
from training.request import Request
from training.run import train


@dataclass(frozen=True)
class Trained:
    """A training that is done.

    Attributes
    ----------
    folder : Path
        Where it ran; its tracking store is there.
    frame : DataFrame
        The table.
    board : dict
        The leaderboard.
    """

    folder: Path
    frame: pd.DataFrame
    board: dict[str, Any]

    def runs(self) -> list[Any]:
        """All runs of the store, the parent's included."""
        found: list[Any] = mlflow.search_runs(output_format="list", search_all_experiments=True)
        return found

    def run(self, name: str) -> Any:
        """The run of a candidate."""
        return mlflow.get_run(self.row(name)["run_id"])

    def row(self, name: str) -> dict[str, Any]:
        """The row of a candidate."""
        return next(row for row in self.board["candidates"] if row["name"] == name)

    @property
    def finished(self) -> list[str]:
        return [row["name"] for row in self.board["candidates"] if row["status"] == "finished"]


@contextmanager
def store_in(folder: Path) -> Iterator[Path]:
    """An embedded tracking store in a folder, and the folder as the current one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_LOGGING_LEVEL", "WARNING")
        # Each store begins with the default experiment, whatever another test has chosen.
        patch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
        yield folder


def train_quietly(**given: Any) -> dict[str, Any]:
    """Train without a search; returns the leaderboard."""
    request = Request(**{"search": "none", "folds": 3, "budget": 120.0, "target": "y", **given})
    return train(request, Progress(quiet=True))
