"""Promotions in processes of their own, with gates that are told what to find.

What the gates find has its own tests; here it is what becomes of it.
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from registry.gates.result import PASSED, Result

#: Everything by which a client changes what the store holds.
WRITES = (
    "create_experiment",
    "create_run",
    "log_artifacts",
    "log_batch",
    "log_table",
    "set_tag",
    "set_terminated",
    "transition_model_version_stage",
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "update_model_version",
    "set_model_version_tag",
)
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["mlflow", "registry.promote", "registry.evidence", "registry.gates", "registry.picture"]
)


def let_through(*_: Any) -> list[Result]:
    """Gates that let everything through."""
    return [Result("quality", PASSED, "enforce", 1.0, 0.0, "It is better.", {})]


def start(
    uri: str, model: str, version: str, killed_at: int = 0, command: str = "promote"
) -> ForkServerProcess:
    """Promote a version, or roll back, in another process.

    Parameters
    ----------
    uri : str
        The tracking store.
    model, version : str
    killed_at : int, default 0
        The process is killed, as by `kill -9`, right before its write of this number; 0 is never.
    command : {'promote', 'rollback'}
    """
    process = _CONTEXT.Process(target=_run, args=(uri, model, version, killed_at, command))
    process.start()
    return process


def finish(processes: Sequence[ForkServerProcess]) -> list[int | None]:
    """Wait for processes; their exit codes."""
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def _run(uri: str, model: str, version: str, killed_at: int, command: str) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = uri
    os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
    import mlflow

    from registry import promote
    from registry.rollback import roll_back

    setattr(promote, "_judged", let_through)  # noqa: B010  types would have it the real ones
    client = mlflow.MlflowClient(uri)
    if killed_at:
        _kill_before(client, killed_at)
    if command == "promote":
        asked = promote.Asked(folder=Path("/nonexistent"))
        promote.promote(client, model, version, asked, lambda _: None)
    else:
        roll_back(client, model, "it must", lambda _: None)


def _kill_before(client: Any, number: int) -> None:
    count = 0

    def counted(write: Any) -> Any:
        def run(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(*args, **options)

        return run

    for name in WRITES:
        setattr(client, name, counted(getattr(client, name)))
