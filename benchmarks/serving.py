"""Serving images of every candidate of a training: ours, MLflow's own, and an echo as the floor."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.load import Load, load
from benchmarks.memory import held_by
from benchmarks.report import Result, show
from benchmarks.trainings import (
    build_docker_command,
    command,
    download,
    environment,
    finished,
    leaderboard,
    run,
    train_command,
)

MODEL = "bench-serving"
TABLE = "sklearn:breast_cancer"
CONNECTIONS = (1, 8, 32)
ROWS = (1, 100)
WORKERS = (1, 2)
SECONDS = 1.0
_STOCK = f"{MODEL}-stock:1"
_PATIENCE = 120.0
_PACKAGES = "requirements.txt"
_FASTER = {1: 50.0, 100: 25.0}  # times the stock image's requests a second
_OF_FLOOR = 0.6
_SIZE, _START, _MEMORY, _BUILD = 0.45, 0.8, 100e6, 3.0


@dataclass(frozen=True)
class Server:
    """A kind of server, in the container that is measured.

    Attributes
    ----------
    name : {'sixfold', 'mlflow', 'echo'}
    image : str
    options : dict
        Of `docker run`.
    """

    name: str
    image: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A server that answers: where, and its first process."""

    url: str
    pid: int


@dataclass
class Figures:
    """What was measured of one server with one candidate; lists have an entry a round.

    Attributes
    ----------
    loads, cpu : dict of (workers, rows, connections) to list
        Loads, and seconds of CPU a request.
    start, memory : dict of workers to list
        Seconds from the container's start to the first answer, and bytes after all loads.
    """

    loads: dict[tuple[int, int, int], list[Load]] = field(default_factory=dict)
    cpu: dict[tuple[int, int, int], list[float]] = field(default_factory=dict)
    start: dict[int, list[float]] = field(default_factory=dict)
    memory: dict[int, list[int]] = field(default_factory=dict)


def measure(rounds: int, candidates: Sequence[str] = ()) -> Result:
    """Train, build the images, and load each server in turn.

    Parameters
    ----------
    rounds : int
    candidates : sequence of str
        Of the training; all, if there is none.
    """
    import docker

    engine = docker.from_env(timeout=900)
    images: list[str] = [_STOCK]
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        run(train_command(TABLE, search="none", folds=2), folder)
        board = finished(leaderboard(folder))
        chosen = [row for row in board if not candidates or row["name"] in candidates]
        models: dict[str, Path] = {}
        for number, row in enumerate(chosen, start=1):
            models[row["name"]] = download(
                folder, row["model_uri"], folder / "models" / str(number)
            )
        all_packages = _with_all_packages(list(models.values()), folder / "stock")
        try:
            stock_seconds, _ = run(build_docker_command(str(all_packages), _STOCK), folder)
            built: dict[str, dict[str, Any]] = {}
            for number, row in enumerate(chosen, start=1):
                built[row["name"]] = _build(folder, str(number), row)
                images.append(built[row["name"]]["tag"])
            found: dict[tuple[str, str], Figures] = {}
            for _ in range(rounds):
                for candidate, made in built.items():
                    bodies = {count: _body(models[candidate], count) for count in ROWS}
                    for server in _servers(made["tag"], models[candidate]):
                        figures = found.setdefault((candidate, server.name), Figures())
                        _measure(engine, server, bodies, figures)
            sizes = {name: engine.images.get(name).attrs["Size"] for name in images}
        finally:
            for image in images:
                if engine.images.list(name=image):
                    engine.images.remove(image, force=True)
    costs = _costs(found, list(sizes.values()), list(built.values()), stock_seconds)
    return _result(list(built), found, costs)


def _with_all_packages(models: list[Path], folder: Path) -> Path:
    """A model with the packages of all of them: an ensemble has but those of its members."""
    shutil.copytree(models[0], folder)
    wanted = {line for model in models for line in (model / _PACKAGES).read_text().splitlines()}
    (folder / _PACKAGES).write_text("\n".join(sorted(wanted)))
    return folder


def _build(folder: Path, version: str, row: dict[str, Any]) -> dict[str, Any]:
    """Register a candidate, and build its image; what the command has said."""
    run(command("register", MODEL, "--run", row["run_id"]), folder)
    asked = command("build", MODEL, "--version", version, "--json")
    done = subprocess.run(
        asked, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, asked))} failed:\n{done.stderr[-4_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _servers(tag: str, model: Path) -> list[Server]:
    echo = str(Path(__file__).with_name("echo.py"))
    uvicorn = ["python", "-m", "uvicorn", "--app-dir", "/echo", "echo:app", "--no-access-log"]
    return [
        Server("sixfold", tag),
        # The same image for all, but for packages that most of them would not need.
        Server(
            "mlflow", _STOCK, {"volumes": {str(model): {"bind": "/opt/ml/model", "mode": "rw"}}}
        ),
        Server(
            "echo",
            tag,
            {
                "volumes": {echo: {"bind": "/echo/echo.py", "mode": "ro"}},
                "entrypoint": [*uvicorn, "--host", "0.0.0.0", "--port", "8080"],
            },
        ),
    ]


@contextmanager
def _running(engine: Any, server: Server, workers: int, figures: Figures) -> Iterator[Running]:
    """The server in a container of its own, ready."""
    options = dict(server.options)
    if "entrypoint" in options:
        options["entrypoint"] = [*options["entrypoint"], "--workers", str(workers)]
    names = ("SIXFOLD_WORKERS", "MLFLOW_MODELS_WORKERS", "PYTHONDONTWRITEBYTECODE")
    variables = dict(zip(names, (str(workers), str(workers), "1"), strict=True))
    container = engine.containers.create(server.image, environment=variables, **options)
    try:
        start = time.perf_counter()
        container.start()
        container.reload()
        address = container.attrs["NetworkSettings"]["IPAddress"]
        url = f"http://{address}:8080"
        while not _answers(f"{url}/ping"):
            if time.perf_counter() - start > _PATIENCE:
                raise SystemExit(f"{server.name} did not answer: {container.logs(tail=20)!r}")
            time.sleep(0.005)
        figures.start.setdefault(workers, []).append(time.perf_counter() - start)
        yield Running(f"{url}/invocations", container.attrs["State"]["Pid"])
    finally:
        container.remove(force=True, v=True)


def _measure(engine: Any, server: Server, bodies: dict[int, bytes], figures: Figures) -> None:
    for workers in WORKERS:
        with _running(engine, server, workers, figures) as running:
            for rows, body in bodies.items():
                load(running.url, body, 1, SECONDS)  # to warm up
                for connections in CONNECTIONS:
                    before = _cpu_seconds(running.pid)
                    found = load(running.url, body, connections, SECONDS)
                    spent = (_cpu_seconds(running.pid) - before) / found.requests
                    case = (workers, rows, connections)
                    figures.loads.setdefault(case, []).append(found)
                    figures.cpu.setdefault(case, []).append(spent)
            figures.memory.setdefault(workers, []).append(held_by(running.pid))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _cpu_seconds(pid: int) -> float:
    """Of a container's processes that live; its workers do from start to end."""
    first = psutil.Process(pid)
    times = [each.cpu_times() for each in (first, *first.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _body(model: Path, count: int) -> bytes:
    """A request of rows like those that the model was tried on."""
    sample = json.loads((model / "data" / "model" / "sample.json").read_text())["rows"]
    rows = [list(sample[i % len(sample)].values()) for i in range(count)]
    return json.dumps({"dataframe_split": {"columns": list(sample[0]), "data": rows}}).encode()


def _costs(
    found: dict[tuple[str, str], Figures],
    sizes: list[int],
    built: list[dict[str, Any]],
    stock_seconds: float,
) -> dict[str, Any]:
    """What images take besides CPU: bytes, seconds to build and to start, memory."""
    ours = [figures for (_, name), figures in found.items() if name == "sixfold"]
    stock = [figures for (_, name), figures in found.items() if name == "mlflow"]
    again = [sum(one["seconds"].values()) - one["seconds"]["download"] for one in built[1:]]
    costs: dict[str, Any] = {
        "image_bytes": max(sizes[1:]),
        "mlflow_image_bytes": sizes[0],
        "build_seconds": median(again) if again else None,
        "mlflow_build_seconds": stock_seconds,
    }
    for name, servers in (("", ours), ("mlflow_", stock)):
        costs[f"{name}start_seconds"] = median(t for one in servers for t in one.start[2])
        costs[f"{name}memory_bytes"] = max(b for one in servers for b in one.memory[2])
    costs["within"] = (
        costs["image_bytes"] <= _SIZE * costs["mlflow_image_bytes"]
        and costs["start_seconds"] <= _START
        and costs["memory_bytes"] <= _MEMORY
        and (costs["build_seconds"] or 0) <= _BUILD
    )
    return costs


def _told(costs: dict[str, Any]) -> str:
    def megabytes(name: str) -> str:
        return f"{costs[name] / 1e6:,.0f} MB"

    build = f"{costs['build_seconds']:.1f} s" if costs["build_seconds"] else "not measured"
    lines = (
        f"Image {megabytes('image_bytes')}, MLflow's {megabytes('mlflow_image_bytes')} "
        f"(at most {_SIZE:.0%} of it)",
        f"a further version is built in {build} beyond its download (at most {_BUILD:.0f} s), "
        f"MLflow's in {costs['mlflow_build_seconds']:.0f} s",
        f"two workers first answer after {costs['start_seconds']:.2f} s (at most {_START} s), "
        f"MLflow's after {costs['mlflow_start_seconds']:.1f} s",
        f"and hold at most {megabytes('memory_bytes')} after all loads (at most "
        f"{_MEMORY / 1e6:.0f} MB), MLflow's {megabytes('mlflow_memory_bytes')}",
    )
    return f"{'; '.join(lines)}: {'within' if costs['within'] else 'NOT within'}"


def _result(
    candidates: Sequence[str], found: dict[tuple[str, str], Figures], costs: dict[str, Any]
) -> Result:
    rows: list[list[str]] = []
    figures: list[dict[str, Any]] = []
    for candidate in candidates:
        ours, stock, floor = (found[candidate, name] for name in ("sixfold", "mlflow", "echo"))
        for case in ours.loads:
            workers, count, connections = case
            rates = [_middle(one.loads[case], "rate") for one in (ours, stock, floor)]
            cpu = [median(one.cpu[case]) * 1e6 for one in (ours, stock, floor)]
            faster, share = rates[0] / rates[1], rates[0] / rates[2]
            within = faster >= _FASTER[count] and (count > 1 or share >= _OF_FLOOR)
            p50, p99 = (_middle(ours.loads[case], name) * 1e3 for name in ("p50", "p99"))
            rows.append(
                [
                    candidate,
                    f"{workers} / {count} / {connections}",
                    *[show(rate) for rate in rates],
                    f"{faster:.0f} times",
                    f"{share:.2f}",
                    *[show(value) for value in (p50, p99)],
                    *[show(value) for value in cpu],
                    "yes" if within else "NO",
                ]
            )
            figures.append(
                {
                    "candidate": candidate,
                    "workers": workers,
                    "rows": count,
                    "connections": connections,
                    "rates": dict(zip(("sixfold", "mlflow", "echo"), rates, strict=True)),
                    "cpu_microseconds": dict(zip(("sixfold", "mlflow", "echo"), cpu, strict=True)),
                    "p50_ms": p50,
                    "p99_ms": p99,
                    "within": within,
                }
            )
    figures.append(costs)
    return Result(
        "serving",
        "Requests a second of the image, of MLflow's own image of the same version, and of an echo "
        "of JSON on the same server: one row at least 50 times MLflow's and 0.6 of the echo's, 100 "
        f"rows at least 25 times MLflow's. {_told(costs)}",
        [
            "candidate",
            "workers / rows / connections",
            "requests/s",
            "MLflow's image",
            "echo",
            "faster",
            "of the echo",
            "p50, ms",
            "p99, ms",
            "CPU µs a request",
            "MLflow's",
            "echo's",
            "within",
        ],
        rows,
        figures,
    )


def _middle(loads: list[Load], name: str) -> float:
    return median(getattr(one, name) for one in loads)
