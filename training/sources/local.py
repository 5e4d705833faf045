"""Tables that are files of this machine."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from training.errors import UserError, nearest


def find(source: str, _: Path) -> Path:
    """The path of a local file; UserError with the nearest names if there is none."""
    path = Path(unquote(urlsplit(source).path) if source.startswith("file:") else source)
    with suppress(RuntimeError):  # `~name` of no user: the file may be called so
        path = path.expanduser()
    try:
        with path.open("rb"):
            return path
    except FileNotFoundError:
        raise UserError(f"expected a table, got {str(path)!r}, {_what_is_there(path)}") from None
    except IsADirectoryError:
        raise UserError(
            f"expected a table, got the folder {str(path)!r}; name a file in it"
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(
            f"expected a readable table, got {str(path)!r} ({reason}); check its permissions"
        ) from None


def _what_is_there(path: Path) -> str:
    try:
        names = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:
        return f"but there is no folder {str(path.parent)!r}; check the path"
    near = nearest(path.name, names)
    return "which is not there" + (f"; {near}" if near.startswith("did you mean") else "")
