"""What deploying to Docker keeps on this machine: that nobody else is at it, and tokens."""

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType

from training.errors import UserError


class State:
    """A folder of one deployment, which one process at a time works on.

    Parameters
    ----------
    name : str
        Of the deployment.

    Raises
    ------
    UserError
        Another process is at it, or the folder cannot be made.
    """

    def __init__(self, name: str) -> None:
        self._folder = _home() / "sixfold" / name
        self._name = name
        self._lock = -1

    def __enter__(self) -> "State":
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(
                f"expected a folder to keep tokens in, got {self._folder}: {error.strerror}; set "
                "XDG_STATE_HOME to one that can be written to"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise UserError(
                f"expected to be alone at {self._name}, got another `sixfold deploy` or "
                "`undeploy` that is at it; wait for its end"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def keep_token(self, token: str) -> Path:
        """A file with the token that a container's user may read once it is mounted.

        The folder is this user's alone, so on this machine nobody else gets to the file.
        """
        mark = hashlib.sha256(token.encode()).hexdigest()[:12]
        path = self._folder / f"token-{mark}"
        self._folder.chmod(0o700)
        # Containers have the file itself mounted: one in its place would not be theirs.
        if not (path.is_file() and path.read_text() == token):
            part = path.with_name(f"{path.name}.part")
            part.unlink(missing_ok=True)
            part.write_text(token)
            part.chmod(0o444)
            part.replace(path)
        return path

    def forget_tokens(self, but: Path | None = None) -> None:
        """Delete the tokens that no container has any more."""
        for path in self._folder.glob("token-*"):
            if path != but:
                path.unlink()


def _home() -> Path:
    """Where states are kept: a relative `XDG_STATE_HOME` is ignored, as its specification says."""
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    return home if home.is_absolute() else Path.home() / ".local" / "state"
