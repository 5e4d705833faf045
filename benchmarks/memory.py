"""The most memory that a command and its children held at one time."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_INTERVAL = 0.1


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
        peak = 0
        done = threading.Event()

        def wait() -> None:
            process.wait()
            done.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        while not done.wait(_INTERVAL):
            peak = max(peak, held_by(process.pid))
        waiter.join()
        seconds = time.perf_counter() - start
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{output.read()[-4_000:]}")
    return seconds, peak


def held_by(pid: int) -> int:
    """Bytes that a process and its descendants hold now."""
    processes: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    return sum(_proportional(process.pid) for process in processes)


def _proportional(pid: int) -> int:
    with suppress(OSError):  # it has ended meanwhile
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1_024
    return 0


if not Path(f"/proc/{os.getpid()}/smaps_rollup").exists():
    raise SystemExit("expected Linux 4.14 or newer, which says how much memory a process shares")
