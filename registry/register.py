"""A training's winner, or another of its candidates, becomes a version of a registered model."""

from typing import TYPE_CHECKING, Any

from training.algorithms import TABLE
from training.errors import UserError, nearest
from training.registration import register_model
from training.tracking import is_absent

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tags of a candidate's run that its version has as well.
_TAGS = (
    "task",
    "table",
    "selection_metric",
    "target",
    "candidate",
    "algorithm",
    "engine",
    "image",
    "mlflow.source.git.commit",
)


def register(
    client: "MlflowClient", model: str, run_id: str = "", algorithm: str = ""
) -> tuple[str, str]:
    """Register a candidate of a training.

    Parameters
    ----------
    client : MlflowClient
    model : str
        The registered model's name; it is made if it is not there.
    run_id : str, default ''
        A training's run, or a candidate's own; the latest training's if not given.
    algorithm : str, default ''
        A candidate's name, or an algorithm's: the best of its engines. The winner if not given.

    Returns
    -------
    candidate, version : str

    Raises
    ------
    UserError
        No such training or candidate, or a name that MLflow refuses.
    """
    from mlflow.exceptions import MlflowException

    from training.history import read_leaderboard

    if not model.strip() or set(model) & set("/:"):
        raise UserError(
            f"expected a registered model's name without '/' and ':', got {model!r}; e.g. churn"
        )
    own = ""
    try:
        tags = client.get_run(run_id).data.tags if run_id else {}
    except MlflowException as error:
        if not is_absent(error):
            raise
        tags = {}  # the leaderboard's reader says it
    if "candidate" in tags and "mlflow.parentRunId" in tags:
        own, run_id = tags["candidate"], tags["mlflow.parentRunId"]
    board = read_leaderboard(run_id)
    row = _candidate(board, algorithm or own)
    known = client.get_run(row["run_id"]).data.tags
    kept = {name: known[name] for name in _TAGS if name in known}
    return row["name"], register_model(client, model, row["model_uri"], kept)


def _candidate(board: dict[str, Any], wanted: str) -> dict[str, Any]:
    finished = [row for row in board["candidates"] if row["status"] == "finished"]
    for row in finished:
        if not wanted or wanted in (row["name"], row["algorithm"]):
            return row
    for row in board["candidates"]:
        if wanted in (row["name"], row["algorithm"]):
            raise UserError(
                f"expected a candidate that was trained, got {row['name']}, which is "
                f"{row['status'].replace('_', ' ')}: {row['reason']}"
            )
    names = [row["name"] for row in finished] or list(TABLE)
    raise UserError(
        f"expected a candidate of run {board['run_id']}, got {wanted!r}; {nearest(wanted, names)}"
    )
