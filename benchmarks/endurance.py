"""Mixed load for a long time while workers are killed: what is lost, and whether memory grows."""

import http.client
import json
import os
import random
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import TARGET, synthetic_table, write_table
from benchmarks.memory import held_by
from benchmarks.mixed_load import Tally, mixed_load
from benchmarks.mixed_requests import Asks, request
from benchmarks.report import Result
from benchmarks.trainings import command, run, train_command

_ROWS = 5_000
_KNOWN = 500
_ALGORITHM = "gradient_boosting:lightgbm"
_WORKERS, _MEMORY = 2, "1g"  # the largest of the requests have 3 MB
_CLIENTS = 16
_RATE = 100.0  # requests a second to each: neither is to be loaded as far as it goes
_KILLS = (6.0, 14.0)  # seconds from one to the next
_SAMPLES = 10.0
_TELL = 60.0
#: The oldest worker's memory in the last quarter of the time, against that in the third: medians.
_GROWTH = 1.1
_PORT = 8080
_PATIENCE = 60.0
#: In the container, as the server's user: ends a worker, the oldest or the youngest.
_KILL = (
    "import os, signal, sys\n"
    "found = open('/proc/1/task/1/children').read().split()\n"
    "found and os.kill(int(found[int(sys.argv[1])]), signal.SIGKILL)\n"
)


@dataclass
class Endured:
    """What a server has been through.

    Attributes
    ----------
    name : str
    host, port : str and int
    killed : Container
        Whose workers are.
    watched : list of Container
        Whose memory is looked at.
    kills : list of (float, float)
        Between when and when each was.
    memory : list of (float, int)
        Bytes at a time.
    oldest : list of int
        Bytes of the oldest worker at the same times.
    """

    name: str
    host: str
    port: int
    killed: Any
    watched: list[Any]
    kills: list[tuple[float, float]] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    oldest: list[int] = field(default_factory=list)

    def kill(self, index: int) -> None:
        """End one of the workers at once."""
        began = time.monotonic()
        self.killed.exec_run(["python", "-c", _KILL, str(index)])
        self.kills.append((began, time.monotonic()))

    def look(self) -> None:
        """Note the memory that is held."""
        held = sum(held_by(container.attrs["State"]["Pid"]) for container in self.watched)
        self.memory.append((time.monotonic(), held))
        first = self.killed.attrs["State"]["Pid"]
        workers = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        self.oldest.append(held_by(int(workers[0])) if workers else 0)


def measure(minutes: float) -> Result:
    """Load a container with two workers, and one behind the front, for some minutes."""
    import docker

    engine = docker.from_env(timeout=900)
    model = f"endured-{secrets.token_hex(3)}"
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        write_table(folder / "table.parquet", _ROWS)
        given = {"target": TARGET, "algorithms": _ALGORITHM, "register": model}
        run(train_command("table.parquet", search="none", folds=2, **given), folder)
        try:
            run(command("build", model, "--version", "1"), folder)
            with (
                _direct(engine, f"{model}:1") as direct,
                _front(engine, model, folder) as front,
            ):
                rows = _rows()
                asks = Asks(model, rows, _predictions(direct, rows))
                tallies = _endure([direct, front], asks, minutes * 60)
        finally:
            for image in engine.images.list(name=model):
                engine.images.remove(image.id, force=True)
    return _result(minutes, [direct, front], tallies)


@contextmanager
def _direct(engine: Any, image: str) -> Iterator[Endured]:
    container = engine.containers.run(
        image, detach=True, environment={"SIXFOLD_WORKERS": str(_WORKERS)}, mem_limit=_MEMORY
    )
    try:
        container.reload()
        address = container.attrs["NetworkSettings"]["IPAddress"]
        _wait(address, _PORT)
        yield Endured("the container", address, _PORT, container, [container])
    finally:
        container.remove(force=True, v=True)


@contextmanager
def _front(engine: Any, model: str, folder: Path) -> Iterator[Endured]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--version", "1", "--port", port, "--workers", _WORKERS, "--memory", _MEMORY]
    run(command("deploy", model, "--to", "docker", *words), folder)
    try:
        server, front = (engine.containers.get(f"sixfold-{model}{end}") for end in ("", "-front"))
        _wait("127.0.0.1", port)
        yield Endured("behind the front", "127.0.0.1", port, server, [server, front])
    finally:
        run(command("undeploy", model, "--to", "docker"), folder)


def _endure(servers: list[Endured], asks: Asks, seconds: float) -> list[Tally]:
    rng = random.Random(0)
    begin = time.monotonic()
    due = {server.name: begin + rng.uniform(*_KILLS) for server in servers}
    look, told = begin, begin
    one, other = servers
    with (
        mixed_load(one.host, one.port, asks, _CLIENTS, _RATE, 0) as first,
        mixed_load(other.host, other.port, asks, _CLIENTS, _RATE, 1) as second,
    ):
        while (now := time.monotonic()) < begin + seconds:
            for server in servers:
                if now > due[server.name]:
                    # In the second half the oldest lives, to see what a long life makes of it.
                    server.kill(rng.choice([0, -1]) if now < begin + seconds / 2 else -1)
                    due[server.name] = now + rng.uniform(*_KILLS)
            if now > look:
                for server in servers:
                    server.look()
                look = now + _SAMPLES
            if now > told:
                _tell(now - begin, servers, [first, second])
                told = now + _TELL
            time.sleep(0.1)
    for server in servers:
        server.look()
    _tell(time.monotonic() - begin, servers, [first, second])
    return [first, second]


def _tell(seconds: float, servers: list[Endured], tallies: list[Tally]) -> None:
    for server, tally in zip(servers, tallies, strict=True):
        print(
            f"{seconds:5.0f} s, {server.name}: {tally.answered.total():,} answered, "
            f"{len(server.kills)} kills, {len(tally.lost)} lost, "
            f"{len(tally.unexplained(server.kills))} of them without a kill, "
            f"{len(tally.wrong)} wrong {tally.wrong[:2]}, {tally.errors()} errors, "
            f"{server.memory[-1][1] / 1e6 if server.memory else 0:.0f} MB",
            file=sys.stderr,
            flush=True,
        )


def _rows() -> list[dict[str, Any]]:
    frame = synthetic_table(_ROWS).drop(columns=TARGET).dropna().head(_KNOWN)
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return rows


def _predictions(server: Endured, rows: list[dict[str, Any]]) -> list[Any]:
    body = json.dumps({"dataframe_records": rows}).encode()
    with socket.create_connection((server.host, server.port), _PATIENCE) as connection:
        connection.sendall(request("POST", "/invocations", body))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        found: list[Any] = json.loads(answer.read())["predictions"]
    return found


def _wait(host: str, port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        if time.monotonic() > until:
            raise SystemExit(f"{host}:{port} did not become ready")
        time.sleep(0.05)


def _result(minutes: float, servers: list[Endured], tallies: list[Tally]) -> Result:
    figures = [_figures(server, tally) for server, tally in zip(servers, tallies, strict=True)]
    rows = [
        [
            found["name"],
            f"{found['requests']:,}",
            f"{found['predicted']:,}",
            f"{found['refused']:,}",
            str(found["kills"]),
            str(found["lost_by_kills"]),
            str(found["lost_otherwise"]),
            str(found["wrong"]),
            str(found["errors"]),
            f"{found['memory_most'] / 1e6:.0f} MB",
            f"{found['oldest_third_quarter'] / 1e6:.0f} MB",
            f"{found['oldest_last_quarter'] / 1e6:.0f} MB",
            "yes" if found["within"] else "NO",
        ]
        for found in figures
    ]
    return Result(
        "endurance",
        f"{minutes:g} minutes of mixed load on {_WORKERS} workers, of which one is killed every "
        f"{_KILLS[0]:.0f} to {_KILLS[1]:.0f} s: no request is lost behind the front, and none but "
        "those of a killed worker without it; no answer is wrong or an error of the server's, none "
        f"takes a minute; the oldest worker's memory grows by at most {_GROWTH - 1:.0%} in the end",
        [
            "server",
            "requests",
            "predicted",
            "refused",
            "kills",
            "lost with a worker",
            "lost otherwise",
            "wrong",
            "5xx",
            "most memory",
            "oldest worker, third quarter",
            "last quarter",
            "within",
        ],
        rows,
        figures,
    )


def _figures(server: Endured, tally: Tally) -> dict[str, Any]:
    unexplained = tally.unexplained(server.kills)
    quarter = max(1, len(server.oldest) // 4)
    third, last = (
        median(server.oldest[-2 * quarter : -quarter] or [0]),
        median(server.oldest[-quarter:]),
    )
    by_kills = sum(lost not in unexplained for lost in tally.lost_requests())
    found = {
        "name": server.name,
        "requests": tally.answered.total() + tally.left + len(tally.wrong) + len(tally.lost),
        "predicted": tally.statuses[200],
        "refused": sum(n for status, n in tally.statuses.items() if 400 <= status < 500),
        "kills": len(server.kills),
        "lost_by_kills": by_kills,
        "lost_otherwise": len(unexplained),
        "wrong": len(tally.wrong),
        "errors": tally.errors(),
        "memory_most": max(count for _, count in server.memory),
        "oldest_third_quarter": third,
        "oldest_last_quarter": last,
        "memory": [[round(at - server.memory[0][0]), count] for at, count in server.memory],
        "kinds": dict(tally.answered),
        "lost": [f"{lost.kind}: {lost.error}" for lost in unexplained or tally.lost][:200],
        "answers_that_were_wrong": tally.wrong[:200],
    }
    found["within"] = not (
        unexplained
        or tally.wrong
        or tally.errors()
        or last > _GROWTH * third
        or (by_kills and len(server.watched) > 1)
    )
    return found
