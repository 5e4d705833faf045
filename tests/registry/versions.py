"""Small trainings whose candidates are versions of a registered model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from registry.store import find_version, read_facts
from registry.version import Facts, local_model
from tests.training.problems import frame_of
from tests.training.trained import store_in, train_quietly
from training.registration import register_model

MODEL = "churn"


@dataclass(frozen=True)
class Versions:
    """A training with its candidates as versions.

    Attributes
    ----------
    folder : Path
        Where it ran; its tracking store and its table are there.
    frame : DataFrame
    facts : dict of candidate to Facts
    """

    folder: Path
    frame: pd.DataFrame
    facts: dict[str, Facts]

    def download(self, candidate: str, folder: Path) -> Path:
        """A version's files."""
        folder.mkdir(exist_ok=True)
        return local_model(self.facts[candidate].version, folder)


@contextmanager
def versions_in(folder: Path, task: str, rows: int, **given: Any) -> Iterator[Versions]:
    """Train on columns of every kind, and register every candidate."""
    frame = frame_of("all", task, rows)
    with store_in(folder):
        frame.to_parquet("table.parquet")
        yield Versions(folder, frame, registered(train_quietly(data="table.parquet", **given)))


def registered(board: dict[str, Any]) -> dict[str, Facts]:
    """Register every finished candidate of a leaderboard; what its training has left."""
    client = mlflow.MlflowClient()
    found = {}
    for row in board["candidates"]:
        if row["status"] == "finished":
            tags = client.get_run(row["run_id"]).data.tags
            kept = {name: tags[name] for name in ("task", "table", "selection_metric", "target")}
            number = register_model(client, MODEL, row["model_uri"], kept)
            found[row["name"]] = read_facts(client, find_version(client, MODEL, number))
    return found
