"""A server in a container of its own: started, asked, and what it takes of the machine."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory import held_by

_PORT = 8080
_PATIENCE = 300.0
_STARTS = 3
_LOOK, _IDLE = 0.02, 0.25  # seconds between two looks; of a CPU is what a server without work takes
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Server:
    """A kind of server.

    Attributes
    ----------
    name : {'sixfold', 'mlflow', 'bentoml', 'echo'}
    image, path : str
        The path that predicts.
    shape : callable
        Columns and rows to what it takes as JSON.
    options : dict
        Of `docker run`.
    """

    name: str
    image: str
    path: str
    shape: Callable[[Sequence[str], Sequence[Sequence[Any]]], Any]
    options: dict[str, Any] = field(default_factory=dict)

    def body(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
        """A request of rows."""
        return json.dumps(self.shape(columns, rows)).encode()


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes
    ----------
    url : str
    pid : int
        Of its first process.
    start_seconds : float
        From the container's start to the first prediction.
    """

    url: str
    pid: int
    start_seconds: float

    def predict(self, body: bytes) -> list[Any]:
        """The predictions of a request."""
        answer = json.loads(_post(self.url, body))
        found: list[Any] = answer["predictions"] if isinstance(answer, dict) else answer
        return found

    def cpu_seconds(self) -> float:
        """That the container has taken: by its cgroup, or else by the processes that live."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
                _, controllers, group = line.split(":", 2)
                if "cpuacct" in controllers.split(","):  # version 1
                    usage = _CGROUPS / "cpuacct" / group[1:] / "cpuacct.usage"
                    return int(usage.read_text()) / 1e9
            # Version 2; the last line, without controllers.
            stat = (_CGROUPS / group[1:] / "cpu.stat").read_text()
            return int(dict(line.split() for line in stat.splitlines())["usage_usec"]) / 1e6
        first = psutil.Process(self.pid)
        times = [each.cpu_times() for each in (first, *first.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))

    def memory(self) -> int:
        """Bytes that its processes hold; what they share counts once."""
        return held_by(self.pid)

    def settle(self) -> None:
        """Wait until it has done what was asked before: some go on when nobody waits any more."""
        until = time.monotonic() + _PATIENCE
        spent = self.cpu_seconds()
        while time.monotonic() < until:
            began = time.monotonic()
            time.sleep(_LOOK)
            before, spent = spent, self.cpu_seconds()
            if spent - before < _IDLE * (time.monotonic() - began):
                return
        raise SystemExit(f"{self.url} did not come to rest in {_PATIENCE:.0f} s")


@contextmanager
def running(engine: Any, server: Server, workers: int, body: bytes) -> Iterator[Running]:
    """The server in a container, when it has answered a request.

    Raises
    ------
    SystemExit
        It has not.
    """
    options = dict(server.options)
    if "entrypoint" in options:
        options["entrypoint"] = [*options["entrypoint"], "--workers", str(workers)]
    names = ("SIXFOLD_WORKERS", "MLFLOW_MODELS_WORKERS", "WORKERS")
    variables = {**dict.fromkeys(names, str(workers)), "PYTHONDONTWRITEBYTECODE": "1"}
    container = engine.containers.create(server.image, environment=variables, **options)
    try:
        yield _answering(container, server, body)
    finally:
        container.remove(force=True, v=True)


def _answering(container: Any, server: Server, body: bytes) -> Running:
    """Start it, again if it ends at once: MLflow's image may, its nginx cannot open its log."""
    for _ in range(_STARTS):
        start = time.perf_counter()
        container.start()
        container.reload()
        pid = container.attrs["State"]["Pid"]
        address = container.attrs["NetworkSettings"]["IPAddress"]
        url = f"http://{address}:{_PORT}{server.path}"
        while psutil.pid_exists(pid):
            try:
                _post(url, body)
                return Running(url, pid, time.perf_counter() - start)
            except (OSError, urllib.error.URLError) as error:
                waited = time.perf_counter() - start
                if waited > _PATIENCE:
                    reason = f"did not answer ({error})"
                    raise SystemExit(f"{server.name} {reason}: {_said(container)}") from None
            # A front answers for a server that has not started yet: asking costs it time.
            time.sleep(max(0.005, waited / 50))
    raise SystemExit(f"{server.name} ended at each of {_STARTS} starts: {_said(container)}")


def _said(container: Any) -> str:
    said: str = container.logs(tail=20).decode(errors="replace")
    return said


def _post(url: str, body: bytes) -> bytes:
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        found: bytes = answer.read()
    return found
