"""Marks the run of an interrupted `mlflow run` as KILLED, once MLflow has ended.

The container marks it so, and MLflow 3.17 then writes FAILED over it: it compares the name of the
status with numbers, and so takes the run for one that still runs. `run_options.py` starts this
script, with MLflow's Python. It sleeps as long as MLflow runs, and does nothing then, unless it was
told to stop: Ctrl-C reaches it as it reaches MLflow, in whose process group it is.

usage: python containers/mark_interrupted.py PID_OF_MLFLOW RUN_ID
"""

import os
import select
import signal
import sys
from types import FrameType

_stopped = False


def main(pid: int, run_id: str) -> int:
    """Wait for MLflow's end, and mark the run if it was interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    try:
        process = os.pidfd_open(pid)
    except OSError:  # it has ended already
        return 0
    select.select([process], [], [])
    if _stopped:
        _mark(run_id)
    return 0


def _note(_number: int, _frame: FrameType | None) -> None:
    global _stopped
    _stopped = True


def _mark(run_id: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(run_id)
    if run.info.status == "FAILED" and run.data.tags.get("reason") == "interrupted":
        client.set_terminated(run_id, "KILLED", end_time=run.info.end_time)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
