"""A logged model becomes a version of a registered model, with digests of its files."""

import json
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from training.digests import digest_of, file_digests

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tags of a version: one digest of all its files, and each file's as JSON.
DIGEST, FILES = "sixfold.digest", "sixfold.files"


def register_model(
    client: "MlflowClient", name: str, model_uri: str, tags: Mapping[str, str]
) -> str:
    """Make a logged model a version of a registered model, which is made if it is not there.

    Parameters
    ----------
    client : MlflowClient
    name : str
        The registered model's.
    model_uri : str
        `models:/m-…`, as the leaderboard names it.
    tags : mapping of str to str
        The version's, beside its digests.

    Returns
    -------
    str
        The version.
    """
    import mlflow

    with TemporaryDirectory(prefix="sixfold-") as folder:
        local = mlflow.artifacts.download_artifacts(
            artifact_uri=model_uri, dst_path=folder, tracking_uri=client.tracking_uri
        )
        files = file_digests(Path(local))
    digests = {DIGEST: digest_of(files), FILES: json.dumps(files)}
    with redirect_stderr(StringIO()):  # where MLflow announces what the caller says anyway
        version = mlflow.register_model(model_uri, name, tags={**tags, **digests})
    return str(version.version)
