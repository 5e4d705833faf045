"""The most memory that a command and its children held at one time."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_INTERVAL = 0.1
_SHARE = 0.05  # of one CPU is what looking may cost at most


def peak_of(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> tuple[float, int]:
    """Run a command.

    Memory that processes share is counted once (proportional set size), with files they have
    mapped.

    Returns
    -------
    seconds : float
    peak : int
        Bytes.
    """
    start = time.perf_counter()
    with (folder / "output.log").open("w+") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            peak = _watch(process)
        finally:
            process.terminate()
            process.wait()
        seconds = time.perf_counter() - start
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{output.read()[-4_000:]}")
    return seconds, peak


def held_by(pid: int) -> int:
    """Bytes that a process and its descendants hold now."""
    return sum(_proportional(each) for each in _descendants(pid))


def _watch(process: subprocess.Popen[bytes]) -> int:
    done = threading.Event()

    def wait() -> None:
        process.wait()
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    peak, pause = 0, _INTERVAL
    while not done.wait(pause):
        before = time.thread_time()
        peak = max(peak, held_by(process.pid))
        pause = max(_INTERVAL, (time.thread_time() - before) / _SHARE)
    return peak


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):  # it has ended meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _descendants(int(child))


def _proportional(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1_024
    return 0


if not Path(f"/proc/{os.getpid()}/smaps_rollup").exists():
    raise SystemExit("expected Linux 4.14 or newer, which says how much memory a process shares")
