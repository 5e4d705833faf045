"""What every console command does around its work: errors as one line, Ctrl-C, quiet libraries."""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click

_INTERRUPTED = 130


def one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn Sixfold's errors into one line and their exit code, and Ctrl-C into 130."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        from training.errors import SixfoldError

        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGINT, _interrupt)
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


def _interrupt(*_: object) -> NoReturn:
    # Once is enough: a second one would interrupt the tidying up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
