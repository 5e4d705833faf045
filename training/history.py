"""What earlier trainings have left in MLflow."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import UserError
from training.record import KIND, TRAINING
from training.tracking import check_server, is_absent, unanswered

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def read_leaderboard(run_id: str = "") -> dict[str, Any]:
    """Read the leaderboard that a training recorded.

    Parameters
    ----------
    run_id : str, default ''
        The parent run; the latest training's if not given.

    Raises
    ------
    UserError
        No such run, one without a leaderboard, or a store that fails to answer.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    check_server()
    client = mlflow.MlflowClient()
    try:
        return _read(client, run_id or _latest(client))
    except MlflowException as error:
        raise unanswered(error, "reading the leaderboard") from None


def read_text(run: "Run", path: str) -> str:
    """An artifact of a run; '' if there is none of that path.

    Raises
    ------
    MlflowException
        The store has failed to answer.
    """
    from mlflow.artifacts import list_artifacts, load_text
    from mlflow.exceptions import MlflowException

    folder, _, name = f"{run.info.artifact_uri}/{path}".rpartition("/")
    try:
        # Asked first: of what is not there, most stores say no more than that they have failed.
        if name not in {Path(item.path).name for item in list_artifacts(folder)}:
            return ""
        return str(load_text(f"{folder}/{name}"))
    except Exception as error:  # MLflow's own, requests', boto3's, the system's
        said = " ".join(str(error).split())
        raise MlflowException(f"{path} of run {run.info.run_id}: {said}") from error


def _read(client: "MlflowClient", run_id: str) -> dict[str, Any]:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if not is_absent(error):
            raise
        raise UserError(
            f"expected the id of a training's run, got {run_id!r}; `sixfold leaderboard` without "
            "one shows the latest"
        ) from None
    try:
        board: dict[str, Any] = json.loads(read_text(run, "leaderboard.json"))
    except ValueError:
        kind = run.data.tags.get(KIND, "another program's run")
        raise UserError(
            f"expected a finished training, got run {run_id} ({kind}, {run.info.status}), which "
            "has no leaderboard"
        ) from None
    return board


def _latest(client: "MlflowClient") -> str:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(
        experiments,
        filter_string=f"tags.`{KIND}` = '{TRAINING}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not runs:
        raise UserError("expected a finished training, got none here; run `sixfold train` first")
    return str(runs[0].info.run_id)
