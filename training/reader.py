"""The process that reads the table and prepares it, while the caller goes on."""

import errno
import multiprocessing
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from training import problem as problems
from training.errors import SixfoldError, UserError
from training.prepare import Prepared, prepare
from training.request import Request
from training.table import read_table

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def prepared_aside(request: Request, folder: Path) -> Iterator[Callable[[], Prepared]]:
    """Read and prepare the request's table in a process of its own, while the caller goes on.

    The process is forked from a server that has imported what it takes (see `worker.prepare`), and
    the caller, who imports MLflow meanwhile, never holds the table. It is killed when the caller
    leaves before it is done.

    Parameters
    ----------
    request : Request
    folder : Path
        The problem is written there; what the caller gets are memory maps of it.

    Yields
    ------
    callable () -> Prepared
        Waits for it. Raises what `read_table` and `prepare` raise, and UserError if memory or the
        disk's room does not suffice.
    """
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, request, folder), daemon=True)
    with ours, ThreadPoolExecutor(1) as thread:
        # In a thread, since the start of a process waits for the server's imports.
        started = thread.submit(_start, process, theirs)

        def wait() -> Prepared:
            started.result()
            try:
                answer = ours.recv()
            except (EOFError, OSError):  # the latter within a message
                process.join(5)
                raise _death(process.exitcode) from None
            process.join()  # and with it goes all that reading has taken
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, Prepared)
            return replace(answer, problem=problems.load(folder))

        try:
            yield wait
        finally:
            if started.exception() is None:
                process.kill()
                process.join()


def _start(process: multiprocessing.process.BaseProcess, theirs: Connection) -> None:
    with theirs:  # the process has its own; ours would keep its death from being seen
        process.start()


def _serve(connection: Connection, request: Request, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tempfile.tempdir = str(folder.parent)  # if we are killed, the caller removes what was fetched
    connection.send(_answer(request, folder))


def _answer(request: Request, folder: Path) -> Prepared | Exception:
    try:
        return _read_and_prepare(request, folder)
    except SixfoldError as error:
        return error
    except MemoryError:
        return _too_little_memory()
    except Exception as error:  # noqa: BLE001  not all of them can be sent: this one's words are
        if isinstance(error, OSError) and error.errno in _FULL:
            return _too_little_room(folder, error)
        return RuntimeError(traceback.format_exc())


def _read_and_prepare(request: Request, folder: Path) -> Prepared:
    prepared = prepare(request, read_table(request.data, request.na_values))
    try:
        problems.save(prepared.problem, folder)
    except OSError as error:  # NumPy's own have no number
        raise _too_little_room(folder, error) from None
    # The rows stay here: the caller maps the files into its memory.
    return replace(prepared, problem=None)  # type: ignore[arg-type]


def _too_little_room(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"expected room for the table in {folder.parent}, got: {error.strerror or error}; free "
        "some, or name a folder with more in TMPDIR"
    )


def _too_little_memory() -> UserError:
    return UserError(
        "expected memory for the table, got too little while it was read; give it more, or a "
        "table of fewer rows or columns"
    )


def _death(exitcode: int | None) -> SixfoldError:
    if exitcode == -signal.SIGKILL:
        return UserError(
            "expected a table, got a reading process that was killed, most likely because memory "
            "ran out; give it more, or a table of fewer rows or columns"
        )
    how = f"exit code {exitcode}"
    if exitcode is not None and exitcode < 0:
        how = signal.Signals(-exitcode).name
    return SixfoldError(
        f"expected a table, got a reading process that ended with {how}; try again, or give the "
        "table in another format"
    )
