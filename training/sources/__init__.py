"""Where tables come from. One source, one file, one row in `SOURCES`.

A source takes what the user wrote and an empty folder, and returns the path of the table's file,
in that folder if it had to be fetched, or a `Bundled` table.
"""

import re
from collections.abc import Callable
from pathlib import Path

from training.errors import UserError
from training.sources import http, local, mlflow, s3, sklearn
from training.sources.sklearn import Bundled

Source = Callable[[str, Path], Path | Bundled]

SOURCES: dict[str, Source] = {
    "sklearn": sklearn.load,
    "s3": s3.fetch,
    "http": http.fetch,
    "https": http.fetch,
    "runs": mlflow.fetch,
    "mlflow-artifacts": mlflow.fetch,
    "models": mlflow.fetch,
    "file": local.find,
}

_USER = re.compile(r"^([^/]*//)[^/]*@")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def fetch(source: str, folder: Path) -> Path | Bundled:
    """Find what the user named, by its scheme; without one it is a local path.

    Raises
    ------
    UserError
        The scheme is unknown, or the table is not there or may not be read.
    """
    scheme = _scheme(source)
    return SOURCES[scheme](source, folder) if scheme else local.find(source, folder)


def without_credentials(source: str) -> str:
    """The source as it may be logged: no user, password or query, which may hold a signature."""
    scheme = _scheme(source)
    if scheme in ("", "file"):
        return source
    bare = _USER.sub(r"\1", source)
    return bare.partition("?")[0].partition("#")[0] if scheme in ("http", "https") else bare


def _scheme(source: str) -> str:
    found = _SCHEME.match(source)
    if not found:
        return ""
    scheme = found[1].lower()
    if scheme in SOURCES:
        return scheme
    # A colon is also a character that a file's name may have.
    if "://" in source and not Path(source).exists():
        raise UserError(
            f"expected a local path or one of {', '.join(f'{name}:' for name in SOURCES)}, "
            f"got a table under {scheme}:; copy it to one of these"
        )
    return ""
