"""What the environment says: every variable the server reads, and nowhere else."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.server.errors import Unservable

_CGROUP = Path("/sys/fs/cgroup")
#: Bytes that a worker takes at the most before its first request: of a compiled model, of others.
COMPILED, UNCOMPILED = 64 << 20, 256 << 20
#: Bytes of a request by default; of a worker's memory one in so many, as lists of JSON take some
#: forty times their text, beside what other requests hold; and not fewer than so many.
_LARGEST_BODY, _TIMES, _LEAST_BODY = 32 << 20, 128, 1 << 20


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes
    ----------
    host, port
        `SIXFOLD_HOST`, `SIXFOLD_PORT`: where to listen; port 0 takes a free one.
    workers
        `SIXFOLD_WORKERS`: processes; by default as many as the container may use CPUs, and its
        memory can hold.
    token
        `SIXFOLD_TOKEN`, or the content of the file `SIXFOLD_TOKEN_FILE`: what clients must send as
        `authorization: Bearer TOKEN`; '' asks for none.
    max_body
        `SIXFOLD_MAX_BODY`: bytes of a request; by default what a worker's share of the container's
        memory can hold once it has been read, at most 32 MiB.
    max_rows
        `SIXFOLD_MAX_ROWS`: rows of a request.
    max_seconds
        `SIXFOLD_MAX_SECONDS`: until a request is answered, and until a drain ends.
    max_concurrency
        `SIXFOLD_MAX_CONCURRENCY`: predictions at the same time in a worker.
    drain_seconds
        `SIXFOLD_DRAIN_SECONDS`: after SIGTERM, how long to go on answering, not ready, before the
        port is closed: for load balancers that need time to notice.
    record
        `SIXFOLD_RECORD`: the folder that requests and predictions are kept in; '' keeps none.
    record_share
        `SIXFOLD_RECORD_SHARE`: of the requests that are kept, chosen at random.
    record_rows
        `SIXFOLD_RECORD_ROWS`: that are kept a second, of all workers together.
    record_bytes
        `SIXFOLD_RECORD_BYTES`: that the model's files may have together; the oldest go.
    record_seconds
        `SIXFOLD_RECORD_SECONDS`: until a row that is kept is in a file.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    token: str = ""
    max_body: int = _LARGEST_BODY
    max_rows: int = 100_000
    max_seconds: float = 30.0
    max_concurrency: int = 256
    drain_seconds: float = 0.0
    record: str = ""
    record_share: float = 1.0
    record_rows: int = 1_000
    record_bytes: int = 1 << 30
    record_seconds: float = 60.0


def read_settings(
    environ: Mapping[str, str],
    cgroup: Path = _CGROUP,
    *,
    worker_memory: int = COMPILED,
    least_body: int = _LEAST_BODY,
) -> Settings:
    """The settings in an environment.

    Parameters
    ----------
    environ : mapping
    cgroup : Path
        Where the control groups are mounted, version 1 or 2.
    worker_memory : int, default `COMPILED`
        Bytes that a worker takes, which limits how many there are by default.
    least_body : int, default 1 MiB
        What `max_body` is at least, unless the environment says it.

    Raises
    ------
    Unservable
        A variable cannot be read; it is named, its value is not shown.
    """
    default = Settings()
    memory = _memory(cgroup)
    fitting = max(1, min(cpus(cgroup), memory // worker_memory))
    workers = _whole(environ, "SIXFOLD_WORKERS", fitting, 1, 1024)
    body = max(_LEAST_BODY, least_body, min(_LARGEST_BODY, memory // (_TIMES * workers)))
    return Settings(
        host=environ.get("SIXFOLD_HOST") or default.host,
        port=_whole(environ, "SIXFOLD_PORT", default.port, 0, 65_535),
        workers=workers,
        token=_token(environ),
        max_body=_whole(environ, "SIXFOLD_MAX_BODY", body),
        max_rows=_whole(environ, "SIXFOLD_MAX_ROWS", default.max_rows),
        max_seconds=_seconds(environ, "SIXFOLD_MAX_SECONDS", default.max_seconds, 0.01),
        max_concurrency=_whole(environ, "SIXFOLD_MAX_CONCURRENCY", default.max_concurrency),
        drain_seconds=_seconds(environ, "SIXFOLD_DRAIN_SECONDS", default.drain_seconds, 0.0),
        record=environ.get("SIXFOLD_RECORD", ""),
        record_share=_share(environ, "SIXFOLD_RECORD_SHARE", default.record_share),
        record_rows=_whole(environ, "SIXFOLD_RECORD_ROWS", default.record_rows),
        record_bytes=_whole(environ, "SIXFOLD_RECORD_BYTES", default.record_bytes),
        record_seconds=_seconds(environ, "SIXFOLD_RECORD_SECONDS", default.record_seconds, 0.01),
    )


def cpus(cgroup: Path = _CGROUP) -> int:
    """CPUs that this process may use: the container's quota, rounded up, or the host's.

    Parameters
    ----------
    cgroup : Path
        Where the control groups are mounted, version 1 or 2.
    """
    there = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return there if quota is None else max(1, min(there, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return float(limit) / float(period) if float(limit) > 0 else None
    except ValueError:  # 'max'
        return None


def _memory(cgroup: Path) -> int:
    """Bytes that this process and its workers may use: the container's limit, or no end."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return int((cgroup / name).read_text())
        except (OSError, ValueError):  # ValueError: 'max'
            continue
    return 1 << 62


def _whole(
    environ: Mapping[str, str], name: str, default: int, low: int = 1, high: int = 1 << 62
) -> int:
    text = environ.get(name, "").strip() or str(default)
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not low <= value <= high:
        bounds = f"from {low}" + (f" to {high}" if high < 1 << 62 else "")
        raise Unservable(f"expected a whole number {bounds} in {name}; correct it")
    return value


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environ.get(name, "").strip() or default)
    except ValueError:
        value = math.nan
    if not 0.0 < value <= 1.0:
        raise Unservable(f"expected a number above 0, up to 1, in {name}; correct it")
    return value


def _seconds(environ: Mapping[str, str], name: str, default: float, low: float) -> float:
    try:
        value = float(environ.get(name, "").strip() or default)
    except ValueError:
        value = math.nan
    if not low <= value < math.inf:
        raise Unservable(f"expected a number of seconds from {low:g} in {name}; correct it")
    return value


def _token(environ: Mapping[str, str]) -> str:
    file = environ.get("SIXFOLD_TOKEN_FILE")
    if not file:
        return environ.get("SIXFOLD_TOKEN", "").strip()
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise Unservable(f"expected a token in SIXFOLD_TOKEN_FILE, got {reason}") from None
    if not token:
        raise Unservable("expected a token in SIXFOLD_TOKEN_FILE, got an empty file")
    return token
