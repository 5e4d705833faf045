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
        Another process is at it.
    """

    def __init__(self, name: str) -> None:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self._folder = Path(home) / "sixfold" / name
        self._name = name
        self._lock = -1

    def __enter__(self) -> "State":
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
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
        path.write_text(token)
        path.chmod(0o444)
        return path

    def forget_tokens(self, but: Path | None = None) -> None:
        """Delete the tokens that no container has any more."""
        for path in self._folder.glob("token-*"):
            if path != but:
                path.unlink()
