"""A candidate's process, seen from its caller."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from tests.training.problems import problem_of, quick
from tests.waiting import wait_until
from training import worker
from training.algorithms import find
from training.problem import save
from training.worker import Failure, FitFold, FoldResult, Worker


def test_a_process_killed_while_it_answers_is_a_failure(tmp_path: Path) -> None:
    """The answer is longer than a pipe holds, so that the process waits for its reader."""
    problem = problem_of("numeric", "regression", 80_000)
    rows = np.arange(problem.rows)
    problem = replace(problem, folds=((rows[:1_000], rows[1_000:]),))
    save(problem, tmp_path)
    worker.prepare(1)
    answering = Worker("linear_regression", tmp_path, 1, None)
    try:
        algorithm = find("linear_regression")
        answering.send(FitFold(quick(algorithm, problem), 0))
        wait_until(lambda: answering.connection.poll() or not answering.alive)
        pid = answering._process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        answering._process.join()  # else it may go on sending while its answer is read
        answer = answering.receive()
    finally:
        answering.end()
    assert isinstance(answer, Failure)
    assert "killed" in answer.reason


def test_a_candidates_process_gives_way_to_its_caller(tmp_path: Path) -> None:
    problem = problem_of("numeric", "regression", 60)
    save(problem, tmp_path)
    worker.prepare(1)
    fitting = Worker("linear_regression", tmp_path, 1, None)
    try:
        fitting.send(FitFold(quick(find("linear_regression"), problem), 0))
        assert isinstance(fitting.receive(), FoldResult)
        assert psutil.Process(fitting._process.pid).nice() > psutil.Process().nice()
    finally:
        fitting.end()
