"""Serving images of every candidate of a training: ours, MLflow's own, BentoML's, and an echo.

Read it from top to bottom: a training, the images, the loads in turn, and what it all comes to.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.container import Running, Server, running
from benchmarks.load import load, require_wrk
from benchmarks.report import Result
from benchmarks.rivals import add_engines, build_bentoml, build_stock, plainest
from benchmarks.serving_report import Costs, Figures, report
from benchmarks.trainings import (
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
WORKERS = (2, 1)
_WARM, _LEAST, _MOST = 0.15, 0.3, 1.5  # seconds of a load: more where requests take long
_REQUESTS = 30
_STOCK, _BENTOML = f"{MODEL}-stock:1", f"{MODEL}-bentoml:1"
_ALL = "-engines"  # the same with all engines' packages, which serves every candidate


@dataclass(frozen=True)
class Candidate:
    """A candidate with its image.

    Attributes
    ----------
    name : str
    model : Path
        The logged model's folder.
    image : str
    sample : list of dict
        Rows that the model was tried on.
    """

    name: str
    model: Path
    image: str
    sample: list[dict[str, Any]]

    def bodies(self, server: Server) -> dict[int, bytes]:
        """A server's requests, by the number of rows."""
        rows = [list(self.sample[i % len(self.sample)].values()) for i in range(max(ROWS))]
        return {count: server.body(list(self.sample[0]), rows[:count]) for count in ROWS}


def measure(rounds: int, candidates: Sequence[str] = ()) -> Result:
    """Train, build the images, and load each server in turn.

    Parameters
    ----------
    rounds : int
    candidates : sequence of str
        Of the training; all, if there is none.
    """
    import docker

    require_wrk()
    engine = docker.from_env(timeout=900)
    with TemporaryDirectory(prefix="sixfold-bench-") as name, _removed(engine) as images:
        chosen, costs = _make(engine, Path(name), candidates, images)
        found: dict[tuple[str, str], Figures] = {}
        failed: dict[str, str] = {}
        for number in range(rounds):
            for candidate in chosen:
                if candidate.name in failed:
                    continue
                try:
                    for workers in WORKERS:
                        rates = _in_turn(engine, candidate, workers, found)
                        said = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
                        _say(f"round {number + 1}, {candidate.name}, workers: {workers}: {said}")
                except SystemExit as error:  # the others are measured all the same
                    failed[candidate.name] = str(error)
                    _say(f"{candidate.name} is left out: {error}")
    measured = {key: figures for key, figures in found.items() if key[0] not in failed}
    result = report([one.name for one in chosen if one.name not in failed], measured, costs)
    for name, reason in failed.items():
        result.figures.append({"candidate": name, "failed": reason, "within": False})
    return result


def _make(
    engine: Any, folder: Path, candidates: Sequence[str], images: list[str]
) -> tuple[list[Candidate], Costs]:
    """The training and all images."""
    _say("training")
    run(train_command(TABLE, search="none", folds=2), folder)
    board = finished(leaderboard(folder))
    known = [row["name"] for row in board]
    if unknown := sorted(set(candidates) - set(known)):
        raise SystemExit(f"expected candidates out of {', '.join(known)}; got {unknown[0]}")
    models = {
        name: download(folder, row["model_uri"], folder / "models" / str(number))
        for number, (name, row) in enumerate(zip(known, board, strict=True))
    }
    costs = Costs()
    images += [_STOCK, f"{_STOCK}{_ALL}", _BENTOML, f"{_BENTOML}{_ALL}"]
    plain = plainest(models.values())
    _say("building MLflow's image")
    costs.build["mlflow"] = build_stock(plain, _STOCK, folder)
    _say("building BentoML's image")
    costs.build["bentoml"] = build_bentoml(engine, plain, _BENTOML)
    for tag in (_STOCK, _BENTOML):
        add_engines(engine, models.values(), tag, f"{tag}{_ALL}")
    chosen: list[Candidate] = []
    for row in board:
        if candidates and row["name"] not in candidates:
            continue
        version = len(chosen) + 1
        _say(f"building the image of {row['name']}")
        run(command("register", MODEL, "--run", row["run_id"]), folder)
        built = _build(folder, version)
        images.append(built["tag"])
        costs.built.append(built)
        model = models[row["name"]]
        sample = json.loads((model / "data" / "model" / "sample.json").read_text())["rows"]
        chosen.append(Candidate(row["name"], model, built["tag"], sample))
    _say("building the largest slim image")
    largest = max(costs.built, key=lambda built: float(built["own_bytes"]))
    slim = f"{MODEL}-slim:{largest['version']}"
    images.append(slim)
    costs.slim = _build(folder, largest["version"], "--slim", "--tag", slim)["bytes"]
    for name, tag in (("mlflow", _STOCK), ("bentoml", _BENTOML)):
        costs.size[name] = engine.images.get(tag).attrs["Size"]
    return chosen, costs


def _build(folder: Path, version: int, *options: str) -> dict[str, Any]:
    """What `sixfold build` says of a version's image."""
    asked = command("build", MODEL, "--version", version, "--json", *options)
    done = subprocess.run(
        asked, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, asked))} failed:\n{done.stderr[-4_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _servers(candidate: Candidate) -> list[Server]:
    """In the order in which they are loaded: ours beside the echo."""
    echo = str(Path(__file__).with_name("echo.py"))
    uvicorn = ["python", "-m", "uvicorn", "--app-dir", "/echo", "echo:app", "--no-access-log"]
    entrypoint = [*uvicorn, "--host", "0.0.0.0", "--port", "8080"]

    def mounted(path: Path | str, at: str, mode: str = "ro") -> dict[str, Any]:
        return {"volumes": {str(path): {"bind": at, "mode": mode}}}

    model = candidate.model
    return [
        Server(
            "mlflow",
            f"{_STOCK}{_ALL}",
            _SCORING,
            _split,
            mounted(model, "/opt/ml/model", "rw"),
        ),
        Server("sixfold", candidate.image, _SCORING, _split),
        Server(
            "echo",
            candidate.image,
            _SCORING,
            _split,
            {"entrypoint": entrypoint, **mounted(echo, "/echo/echo.py")},
        ),
        Server("bentoml", f"{_BENTOML}{_ALL}", "/predict", _records, mounted(model, "/model")),
    ]


_SCORING = "/invocations"


def _split(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    return {"dataframe_split": {"columns": columns, "data": rows}}


def _records(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    return {"rows": [dict(zip(columns, row, strict=True)) for row in rows]}


def _in_turn(
    engine: Any,
    candidate: Candidate,
    workers: int,
    found: dict[tuple[str, str], Figures],
) -> dict[str, float]:
    """Load each server with one candidate; single rows a second over the most connections.

    Raises
    ------
    SystemExit
        Servers of the same model do not predict the same.
    """
    rates: dict[str, float] = {}
    predicted: dict[str, list[Any]] = {}
    for server in _servers(candidate):
        figures = found.setdefault((candidate.name, server.name), Figures())
        bodies = candidate.bodies(server)
        with running(engine, server, workers, bodies[1]) as one:
            figures.start.setdefault(workers, []).append(one.start_seconds)
            if server.name != "echo":
                predicted[server.name] = one.predict(bodies[max(ROWS)])
            _load(one, bodies, workers, figures)
            figures.memory.setdefault(workers, []).append(one.memory())
        rates[server.name] = figures.loads[workers, 1, max(CONNECTIONS)][-1].rate
    for name, labels in predicted.items():
        if labels != predicted["sixfold"]:
            raise SystemExit(f"{name} and sixfold predict differently with {candidate.name}")
    return rates


def _load(one: Running, bodies: dict[int, bytes], workers: int, figures: Figures) -> None:
    for rows, body in bodies.items():
        rate = load(one.url, body, 1, _WARM).rate
        seconds = min(_MOST, max(_LEAST, _REQUESTS / rate))
        for connections in CONNECTIONS:
            one.settle()
            before = one.cpu_seconds()
            done = load(one.url, body, connections, seconds)
            spent = (one.cpu_seconds() - before) / done.requests
            case = (workers, rows, connections)
            figures.loads.setdefault(case, []).append(done)
            figures.cpu.setdefault(case, []).append(spent)


@contextmanager
def _removed(engine: Any) -> Iterator[list[str]]:
    """A list of images, which are removed at the end."""
    images: list[str] = []
    try:
        yield images
    finally:
        for image in reversed(images):
            if engine.images.list(name=image):
                engine.images.remove(image, force=True)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
