"""The process of one candidate: fits a fold or finishes the candidate when it is told to.

A candidate has a process of its own so that one that crashes, runs out of memory or hangs cannot
take the others along. All decisions are made by the caller (`search.py`); this side has no plan.
"""

import multiprocessing
import os
import re
import resource
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from training import problem as problems
from training.algorithms import Algorithm, Params, find
from training.aside import import_ahead
from training.evaluate import score
from training.finish import Finish, finish
from training.problem import Problem

_OOM_FIRST = 1_000  # the kernel kills the highest score first
#: The caller comes first, who hands out work and writes to MLflow while all cores are at work.
_NICENESS = 5
#: How libraries that are not Python's say it: XGBoost and LightGBM, and the loader of their code.
_OUT_OF_MEMORY = re.compile("bad[ _]alloc|failed to map segment|cannot allocate memory", re.I)


@dataclass(frozen=True)
class FitFold:
    """Fit on one fold's fitting rows, at most `limit` of them, and score on its validation rows."""

    params: Params
    fold: int
    limit: int | None = None


@dataclass(frozen=True)
class FoldResult:
    score: float
    seconds: float
    iterations: int | None
    prediction: np.ndarray


@dataclass(frozen=True)
class Failure:
    """What went wrong, in one line and whole."""

    reason: str
    detail: str = ""


class Worker:
    """The caller's end of a candidate's process.

    Parameters
    ----------
    candidate : str
        Its name in `algorithms.TABLE`.
    folder : Path
        Where `problem.save` wrote the problem.
    threads : int
        How many threads a fit may use.
    max_memory : int or None
        Bytes of private memory; more fails the fit.
    """

    def __init__(self, candidate: str, folder: Path, threads: int, max_memory: int | None) -> None:
        context = multiprocessing.get_context("forkserver")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, candidate, folder, threads, max_memory), daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def send(self, request: FitFold | Finish) -> None:
        """Ask for something. A process that is dead by now is for `receive` to tell."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(request)

    def receive(self) -> Any:
        """The answer to the last request; a `Failure` if the process died of it."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):  # the latter within a message
            self._process.join(5)
            return Failure(_cause_of_death(self._process.exitcode))

    def end(self) -> None:
        """Kill the process if it lives, and reap it."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def prepare(threads: int) -> None:
    """Start the server that candidates' processes are forked from, before the first worker."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import_ahead("training.preload")


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode == -signal.SIGKILL:
        return (
            "the process was killed, most likely because memory ran out; "
            "give it more memory, fewer rows, or leave the algorithm out"
        )
    if exitcode is not None and exitcode < 0:
        return f"the process crashed with {signal.Signals(-exitcode).name}"
    return f"the process ended with exit code {exitcode}"


def _serve(
    connection: Connection, candidate: str, folder: Path, threads: int, max_memory: int | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(_NICENESS)
    _die_first_when_memory_ends()
    if max_memory:
        resource.setrlimit(resource.RLIMIT_DATA, (max_memory, max_memory))
    algorithm, problem = find(candidate), problems.load(folder)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        try:
            connection.send(_answer(request, algorithm, problem, threads))
        except MemoryError:
            held = f" of {max_memory / 2**30:.2g} GiB (max_memory)" if max_memory else ""
            connection.send(Failure(f"out of memory: needed more than the limit{held}"))
        except Exception as error:  # noqa: BLE001  the libraries' own; all become a failed fit
            first = str(error).strip().splitlines() or [""]
            if max_memory and _OUT_OF_MEMORY.search(str(error)):
                connection.send(Failure("out of memory: needed more than max_memory"))
            else:
                reason = f"{type(error).__name__}: {first[0]}"[:300]
                connection.send(Failure(reason, traceback.format_exc()))


def _answer(request: Any, algorithm: Algorithm, problem: Problem, threads: int) -> Any:
    if isinstance(request, FitFold):
        return _fit_fold(request, algorithm, problem, threads)
    return finish(request, algorithm, problem, threads)


def _fit_fold(request: FitFold, algorithm: Algorithm, problem: Problem, threads: int) -> FoldResult:
    from training.fit import fit, predict

    start = time.perf_counter()
    rows, valid = problems.fold_rows(problem, request.fold, request.limit)
    fitted = fit(algorithm, problem, request.params, rows, threads)
    prediction = predict(fitted, problems.take(problem.X, valid), problem.classes)
    if not np.isfinite(prediction).all():
        raise ValueError("some predictions are not finite: the fit has diverged")
    value = score(problem.metric, np.asarray(problem.y)[valid], prediction)
    # Many classes' probabilities are kept short; numbers and ranks need all their digits.
    kept = prediction.astype(np.float32) if problem.classes > 2 else prediction
    return FoldResult(value, time.perf_counter() - start, fitted.iterations, kept)


def _die_first_when_memory_ends() -> None:
    with suppress(OSError):  # not allowed: the kernel then chooses by size, likely us too
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_FIRST))
