"""Where runs are written: the tracking server's state, the commit, the user."""

import getpass
import os
import re
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

COMMIT_VARIABLE = "SIXFOLD_GIT_COMMIT"
IMAGE_VARIABLE = "SIXFOLD_IMAGE"
#: Set in a candidate's own container: the run it belongs to, and to leave talk to the caller.
PARENT_VARIABLE = "SIXFOLD_PARENT_RUN"
QUIET_VARIABLE = "SIXFOLD_QUIET"
#: And the table's address, where it holds what no command or run may show.
DATA_VARIABLE = "SIXFOLD_DATA"
#: Logins and queries of addresses, which MLflow's messages hold whole.
SECRET = re.compile(r"(?<=://)[^/@\s]*@|\?\S*")
_PATIENCE = 5.0
#: MLflow's codes; the last one is of what cannot be anything's id.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")
_VIEW, _TRAINING_VIEW = "mlflow.experimentKind", "custom_model_development"


def check_server(mend: str = "correct MLFLOW_TRACKING_URI or its credentials") -> None:
    """Refuse a tracking server that does not answer, before anything is read or trained.

    Parameters
    ----------
    mend : str
        What to do about it.

    Raises
    ------
    UserError
    """
    import mlflow

    uri = mlflow.get_tracking_uri()
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise UserError(
                f"expected a port number in the address of the MLflow server, got "
                f"{parts.netloc.rpartition('@')[2]!r}; {mend}"
            ) from None
        try:
            socket.create_connection((parts.hostname, port), timeout=_PATIENCE).close()
        except OSError as error:
            raise UserError(
                f"expected an MLflow server at {parts.scheme}://{parts.hostname}:{port}, got "
                f"{error.strerror or error}; start it, or {mend}"
            ) from None
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    except Exception as error:  # noqa: BLE001  MLflow's own, requests', SQLAlchemy's, the driver's
        where = f"{parts.scheme}://{parts.hostname}" if parts.hostname else parts.scheme
        raise UserError(
            f"expected an MLflow tracking store at {where}, got {first_line(error)}; {mend}"
        ) from None


def is_absent(error: "MlflowException") -> bool:
    """Whether a store has answered that there is no such thing; else it has failed to answer."""
    return error.error_code in _ABSENT


def failures() -> tuple[type[Exception], ...]:
    """What is raised where the tracking server fails, or the store of its artifacts."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    found: list[type[Exception]] = [MlflowException, RequestException]
    if "boto3" in sys.modules:  # else nothing of it can have failed
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        found += [Boto3Error, BotoCoreError, ClientError]
    return tuple(found)


def unanswered(error: Exception, doing: str, mend: str = "run the command again") -> UserError:
    """What a user is told of a store that has failed each time that MLflow has asked it."""
    return UserError(
        f"expected an answer of the tracking server, which failed while {doing}, after several "
        f"tries: {first_line(error)}; {mend}"
    )


def first_line(error: Exception) -> str:
    """What an error says, without anything secret of addresses."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return SECRET.sub("", line)[:300]


def location() -> str:
    """The tracking URI, without credentials."""
    import mlflow

    uri = mlflow.get_tracking_uri()
    credentials, at, _ = urlsplit(uri).netloc.rpartition("@")
    return uri.replace(credentials + at, "", 1)


def how_to_look(experiment_id: str) -> str:
    """Where the runs are to be seen in the MLflow UI, in a sentence.

    The link names the view: MLflow 3.17's UI opens an experiment in its GenAI view, whatever the
    experiment's tag says (mlflow/mlflow#24498).
    """
    page = f"#/experiments/{experiment_id}?workflowType=machine_learning"
    place = location()
    if urlsplit(place).scheme in ("http", "https"):
        return f"see the runs at {place.rstrip('/')}/{page}"
    return f"see the runs with `mlflow ui`, at http://127.0.0.1:5000/{page}"


def open_in_training_view(client: "MlflowClient", experiment_id: str) -> None:
    """Let the MLflow UI open the experiment in its model-training view, unless it has a view."""
    if _VIEW not in client.get_experiment(experiment_id).tags:
        client.set_experiment_tag(experiment_id, _VIEW, _TRAINING_VIEW)


def point_to(client: "MlflowClient", record: str) -> None:
    """Let the run that `mlflow run` made for a command name the record of what it did, if any."""
    own = os.environ.get("MLFLOW_RUN_ID")
    if own and record:
        client.set_tag(own, "sixfold.record", record)


@cache
def git_commit() -> str | None:
    """The project's commit, `-dirty` after it where files are changed; None if unknown."""
    given = os.environ.get(COMMIT_VARIABLE)
    if given:
        return given
    folder = Path(__file__).parent.parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],
            cwd=folder, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def user() -> str:
    """Who runs this, as MLflow would write it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user that has no name
