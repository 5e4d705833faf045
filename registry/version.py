"""One version of a registered model, and what its training has left in MLflow. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.registration import DIGEST, FILES

__all__ = [
    "ALIASES",
    "COPIED_FROM",
    "DIGEST",
    "FILES",
    "PROMOTION",
    "Facts",
    "TrainedRows",
    "Version",
]

if TYPE_CHECKING:
    import numpy as np

    from training.schema import Schema

#: Stage -> the alias that mirrors it.
ALIASES = {"Production": "production", "Staging": "staging"}

#: Tags of a version, beside those that registration sets.
PROMOTION = "sixfold.promotion"  # the run that brought the version into its stage
COPIED_FROM = "sixfold.copied_from"  # the registry and version that it is a copy of


@dataclass(frozen=True)
class Version:
    """A registered model version as the registry has it.

    Attributes
    ----------
    model, version : str
    run_id : str
        The candidate's run; '' if the version has none.
    stage : str
        `None`, `Staging`, `Production` or `Archived`.
    aliases : tuple of str
    tags : mapping of str to str
    uri : str
        `models:/NAME/VERSION`.
    source : str
        Where the model was registered from, e.g. `models:/m-…`.
    created : float
        Seconds since the epoch.
    description : str
    """

    model: str
    version: str
    run_id: str
    stage: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    source: str
    created: float
    description: str = ""

    @property
    def uri(self) -> str:
        return f"models:/{self.model}/{self.version}"

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.model} version {self.version}"


@dataclass(frozen=True)
class Facts:
    """What the training of a version recorded.

    Attributes
    ----------
    version : Version
    candidate : str
        Its name on the leaderboard.
    row : dict
        Its row of the leaderboard (see `training.leaderboard.COLUMNS`).
    task, metric : str
        The selection metric is `metric`.
    schema : Schema
    source : str
        Where the training table came from, without credentials.
    parent_run_id, run_id : str
        Of the whole training, and of the candidate.
    trained : float
        When the training began, seconds since the epoch.
    trainer : str
        Who ran it; '' if unknown.
    commit : str
        The project's git commit, `-dirty` after it where files were changed; '' if unknown.
    image : str
        The training image's digest; '' if it was trained without a container.
    requirements : str
        The environment's packages, one `name==version` a line; '' if not recorded.
    importance : list of (feature, mean)
        Permutation importance, the most important first; empty if not recorded.
    params : dict
        Parameters of the parent run.
    baseline : dict
        Scores without looking at the rows: `cv_mean`, `test`, `test_low`, `test_high`.
    """

    version: Version
    candidate: str
    row: Mapping[str, Any]
    task: str
    metric: str
    schema: "Schema"
    source: str
    parent_run_id: str
    run_id: str
    trained: float
    trainer: str
    commit: str
    image: str
    requirements: str
    importance: list[tuple[str, float]] = field(default_factory=list)
    params: Mapping[str, str] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedRows:
    """Which rows a training fitted on and which it tested on, by hashes of their content.

    Attributes
    ----------
    train, test : ndarray of uint64
        See `training.hashing.row_hashes`, over all columns of the rows that have a target.
    """

    train: "np.ndarray"
    test: "np.ndarray"


def local_model(version: Version, folder: Path) -> Path:
    """Download a version's model into `folder` and return where it is; used by gates and copies."""
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=version.uri, dst_path=str(folder)))
