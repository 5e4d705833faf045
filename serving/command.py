"""A command of the engine's that a library starts: what it says is kept, and it ends with us."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from serving.engine import failure, remove_left
from training.errors import SixfoldError

_END_SECONDS = 10.0


@contextmanager
def told(engine: Any, doing: str) -> Iterator[None]:
    """Keep what a command of somebody else's prints, to show it only where the command fails.

    Raises
    ------
    SixfoldError
        It has; the message has its last lines. What it left in the engine is removed.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            with _into(log.fileno()):
                yield
        except BaseException as error:
            _end_commands()
            log.seek(0)
            text = log.read()
            remove_left(engine, text)
            if isinstance(error, RuntimeError):
                raise SixfoldError(failure(doing, text or str(error))) from None
            raise


def _end_commands() -> None:
    """End the engine's commands that this process has started: a signal may be for it alone."""
    import psutil

    commands = [child for child in psutil.Process().children() if child.name() == "docker"]
    for command in commands:
        with suppress(psutil.NoSuchProcess):
            command.terminate()
    psutil.wait_procs(commands, timeout=_END_SECONDS)


@contextmanager
def _into(target: int) -> Iterator[None]:
    """Send what this process and those that it starts print into a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    try:
        for descriptor, _ in kept:
            os.dup2(target, descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in kept:
            os.dup2(copy, descriptor)
            os.close(copy)
