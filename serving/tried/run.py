"""Runs inside a serving image, in a container without a network: is it what such an image must be?

Prints one JSON object:
`ready_seconds`; `checks`, a list of [name, '' or what was found]; `notes`, what else was found.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from serving.tried.asking import Check, Wrong, ask, check_version, wait_until_ready
from serving.tried.example import Example
from serving.tried.sample import Sample

_READ_ONLY = 1  # statvfs's ST_RDONLY


def since_start() -> float:
    """Age of the container's first process."""
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def tries(bundle: Path, model: str, version: str) -> Iterator[Check]:
    """Every check by its name."""

    def healthy() -> None:
        command = [sys.executable, "-m", "serving.server", "--check"]
        if code := subprocess.run(command, capture_output=True).returncode:
            raise Wrong(f"the health check ends with {code} where the server is ready")

    yield "user", not_root
    yield "file system", read_only
    yield "network", no_network
    if (bundle / "signature.json").is_file():
        yield from Example(bundle, model).tries()
    else:
        yield from Sample(bundle).tries(model)
    yield "version header", lambda: check_version(ask("GET", "/ping")[1], f"{model}/{version}")
    yield "health check", healthy


def not_root() -> None:
    """Neither this process nor the server is root's."""
    users = Path("/proc/1/status").read_text().partition("Uid:")[2].split()[:4]
    if os.getuid() == 0 or "0" in users:
        raise Wrong(f"the server runs as user {users[0]}")


def read_only() -> None:
    """The server needs no root file system that it can write to: this one it cannot."""
    if not os.statvfs("/").f_flag & _READ_ONLY:
        raise Wrong("the root file system can be written to")


def no_network() -> None:
    """The server needs no network: there is none here."""
    if found := sorted({path.name for path in Path("/sys/class/net").iterdir()} - {"lo"}):
        raise Wrong(f"there is a network: {', '.join(found)}")


def main(bundle: str, model: str, version: str, patience: str) -> None:
    """Wait until the server is ready, then try everything."""
    checks: list[tuple[str, str]] = []
    notes: list[str] = []
    ready = 0.0
    try:
        wait_until_ready(float(patience))
        ready = since_start()
    except Wrong as wrong:
        checks.append(("ready", str(wrong)))
    else:
        checks.append(("ready", ""))
        for name, tried in tries(Path(bundle), model, version):
            try:
                note = tried()
                checks.append((name, ""))
                notes += [note] if note and note not in notes else []
            except Wrong as wrong:
                checks.append((name, str(wrong)))
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
                checks.append((name, f"{type(error).__name__}: {error}"))
    print(json.dumps({"ready_seconds": round(ready, 3), "checks": checks, "notes": notes}))
