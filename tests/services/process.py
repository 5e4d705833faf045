"""Start a server, wait until it answers, end it. Knows nothing of any particular server."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

# A proxy of the machine's environment must not be asked for loopback addresses.
loopback = build_opener(ProxyHandler({}))


class ServiceError(AssertionError):
    """A service could not be started; the message says what to install or what it printed."""


def find_binary(name: str, install: str, candidates: Sequence[Path] = ()) -> Path:
    """Return the path of a program, or fail with the command that installs it.

    Parameters
    ----------
    name
        Name of the program, looked up on PATH after `candidates`.
    install
        The exact command that installs it, shown when it is missing.
    candidates
        Paths to look at first, in order.
    """
    for path in candidates:
        if path.is_file():
            return path
    found = shutil.which(name)
    if found is None:
        raise ServiceError(f"these tests need {name!r}, which is not here; install it: {install}")
    return Path(found)


def free_ports(count: int) -> list[int]:
    """Return `count` different free TCP ports of 127.0.0.1.

    All are held while the next is looked for, so that none comes twice.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str, statuses: Sequence[int] = (200,)) -> bool:
    """Whether a GET of `url` is answered with one of these HTTP statuses."""
    try:
        with loopback.open(url, timeout=5) as response:
            return response.status in statuses
    except HTTPError as error:
        return error.code in statuses
    except (URLError, OSError):
        return False


@contextmanager
def running(
    command: Sequence[str | Path],
    ready: Callable[[], bool],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 120.0,
    stop_signal: signal.Signals = signal.SIGTERM,
    as_user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a `with` block, in a session of its own.

    Parameters
    ----------
    command
        The program and its arguments; it must stay in the foreground.
    ready
        Asked ten times a second until it says yes.
    log
        Where the server's output goes; its end is part of the error when it does not start.
    environment
        The whole environment; this process's when None.
    folder
        Working directory.
    timeout
        Seconds to wait for `ready`.
    stop_signal
        What asks the server to end in order; it is killed ten seconds later.
    as_user
        Account to run under, where this process is root.

    Raises
    ------
    ServiceError
        The server ended, or was not ready in time.
    """
    line = [*_guard(stop_signal, as_user), *map(str, command)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    try:
        _wait(process, ready, log, Path(str(command[0])).name, timeout)
        yield process
    finally:
        _end(process, stop_signal)


def _guard(stop_signal: signal.Signals, as_user: str | None) -> list[str]:
    # The kernel sends the signal when the test session dies without cleaning up, killed say.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if as_user is not None:
            raise ServiceError(
                f"running as {as_user!r} needs 'setpriv'; install it: apt-get install util-linux"
            )
        return []
    guard = [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG")]
    if as_user is not None:
        guard += [f"--reuid={as_user}", f"--regid={as_user}", "--init-groups"]
    return [*guard, "--"]


def _wait(
    process: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    log: Path,
    name: str,
    timeout: float,
) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        status = process.poll()
        if status is not None:
            raise ServiceError(f"{name} ended with status {status}:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{name} was not ready after {timeout:.0f} s:\n{_tail(log)}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    # The server led a session of its own: whatever workers outlived it are in its group.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
