"""Keeps secrets out of the command that `mlflow run` prints.

MLflow's runner writes the keys of an S3 artifact store, and passwords and signatures in addresses
of the tracking server and the table, into its `docker run` command, and logs the command. MLflow
loads this as a plugin (`mlflow.run_context_provider` in pyproject.toml) wherever Sixfold is
installed, so it is not in `training`: a logged model carries modules of that name, and would then
get these for its own.
"""

import logging
import re
from typing import Any

_LOGGER = "mlflow.projects.backend.local"
_HIDDEN = "***"
#: An option of `docker run` that sets a variable; a password, and a query, in an address.
_VARIABLE = re.compile(r"(-e \w*(?:KEY|TOKEN|SECRET|PASSWORD)\w*=)('[^']*'|\S+)")
_PASSWORD = re.compile(r"(\w://[^\s/@:]*:)[^\s/@]+(?=@)")
_QUERY = re.compile(r"(https?://[^\s?'\"]*\?)[^\s'\"]+", re.I)


def without_secrets(text: str) -> str:
    """The same command with `***` for each secret."""
    for secret in (_VARIABLE, _PASSWORD, _QUERY):
        text = secret.sub(rf"\g<1>{_HIDDEN}", text)
    return text


class Discretion:
    """What MLflow asks for tags of a run; it has none, and loading it is what it is for."""

    def __init__(self) -> None:
        logger = logging.getLogger(_LOGGER)
        if _hide not in logger.filters:
            logger.addFilter(_hide)

    def in_context(self) -> bool:
        """Never."""
        return False

    def tags(self) -> dict[str, str]:
        """None."""
        return {}


def _hide(record: logging.LogRecord) -> bool:
    arguments: Any = record.args
    if isinstance(arguments, tuple):
        record.args = tuple(
            without_secrets(item) if isinstance(item, str) else item for item in arguments
        )
    return True
