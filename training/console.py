"""What console commands do around their work: errors as one line, Ctrl-C, tables, reports."""

import logging
import os
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WIDTH = 140

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn Sixfold's errors into one line and their exit code, and Ctrl-C into 130.

    So does what ends it besides: SIGTERM, and the terminal's end.
    """

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        from training.errors import SixfoldError

        for number in _SIGNALS:
            # Under nohup it is to go on when the terminal has gone.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _interrupt)
        try:
            return function(*args, **options)
        except SixfoldError as error:
            click.echo(f"sixfold: {' '.join(str(error).split())}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("sixfold: interrupted; what was begun is marked so in MLflow", err=True)
            sys.exit(_INTERRUPTED)

    return run


def quieten() -> None:
    """Leave out what libraries say about themselves; an image without git is no news either."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # It writes the whole trace of an error that it raises as well.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def say(text: str) -> None:
    """Tell a step, beside what the command prints."""
    click.echo(text, err=True)


def print_table(table: Any) -> None:
    """Print what rich renders."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH  # a log has no width of its own
    console.print(table)


def write_report(file: str, text: str, option: str = "--report") -> None:
    """Write a text to the file that an option names.

    Parameters
    ----------
    file : str
    text : str
    option : str
        What to correct where that fails.

    Raises
    ------
    UserError
        The file cannot be written to.
    """
    from training.errors import UserError

    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"expected a file to write to with {option}, got {file!r}: {error.strerror}; name "
            "another one"
        ) from None


def _interrupt(number: int, _: object) -> NoReturn:
    # Once is enough: a second one would interrupt the tidying up.
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGHUP:
        leave_terminal()
    raise KeyboardInterrupt


def leave_terminal() -> None:
    """Say nothing more to a terminal that is gone: it would fail, in the middle of tidying up."""
    with Path(os.devnull).open("w") as nowhere:
        for descriptor in (1, 2):
            with suppress(OSError):
                if stat.S_ISCHR(os.fstat(descriptor).st_mode):  # no longer told from others
                    os.dup2(nowhere.fileno(), descriptor)
