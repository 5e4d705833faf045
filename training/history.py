"""What earlier trainings have left in MLflow."""

import json
from typing import Any

from training.errors import UserError
from training.record import KIND, TRAINING
from training.tracking import check_server


def read_leaderboard(run_id: str = "") -> dict[str, Any]:
    """Read the leaderboard that a training recorded.

    Parameters
    ----------
    run_id : str, default ''
        The parent run; the latest training's if not given.

    Raises
    ------
    UserError
        No such run, or one without a leaderboard.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    check_server()
    client = mlflow.MlflowClient()
    run_id = run_id or _latest(client)
    try:
        run = client.get_run(run_id)
    except MlflowException:
        raise UserError(
            f"expected the id of a training's run, got {run_id!r}; `sixfold leaderboard` without "
            "one shows the latest"
        ) from None
    try:
        board: dict[str, Any] = json.loads(
            mlflow.artifacts.load_text(f"{run.info.artifact_uri}/leaderboard.json")
        )
    except (MlflowException, OSError, ValueError):
        kind = run.data.tags.get(KIND, "another program's run")
        raise UserError(
            f"expected a finished training, got run {run_id} ({kind}, {run.info.status}), which "
            "has no leaderboard"
        ) from None
    return board


def _latest(client: Any) -> str:
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
