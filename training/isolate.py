"""Each candidate in a container of its own, through MLflow's project runner.

A container runs the project's `train` entry point for one candidate and writes its run to MLflow;
what the caller goes on with is read back from there. So the way is the same wherever the container
ran.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from training import tracking
from training.candidates import Outcome
from training.errors import UserError
from training.interrupts import uninterrupted
from training.prepare import Prepared
from training.progress import Progress
from training.readback import end_run, read_outcome
from training.record import Recorder
from training.request import LEAST_MEMORY, Request
from training.resources import cpus, memory
from training.sizes import parse_size
from training.sources import without_credentials

if TYPE_CHECKING:
    from mlflow.projects import SubmittedRun

IMAGE = "sixfold-training:latest"
_PROJECT = Path(__file__).parent.parent
_LABEL = "sixfold.candidate"
#: MLflow writes these into the `docker run` command where it finds them in the environment.
_SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
)
_POLL = 0.5
_STOP_SECONDS = 10
#: What is being started has become a container by then, or never will.
_END_SECONDS = 60.0


@dataclass(frozen=True)
class Limits:
    """What a container may use.

    Attributes
    ----------
    cpus : float
        Cores; 0 for an even share of what there is.
    memory : str
        E.g. `2g`; '' for no limit.
    """

    cpus: float = 0.0
    memory: str = ""

    def bytes(self) -> int | None:
        """`memory` in bytes."""
        return parse_size(self.memory, "--memory", LEAST_MEMORY) if self.memory else None


@dataclass
class _Deaths:
    """How containers have ended, as the engine tells it: by candidate."""

    codes: dict[str, int] = field(default_factory=dict)
    out_of_memory: set[str] = field(default_factory=set)


def check_engine() -> Any:
    """The Docker engine's client.

    Raises
    ------
    UserError
        No engine answers, or it has no training image.
    """
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        client = docker.from_env()
        client.ping()
    except DockerException:
        raise UserError(
            "expected a Docker engine for --isolate, got none that answers; start it, or train "
            "without --isolate"
        ) from None
    try:
        client.images.get(IMAGE)
    except ImageNotFound:
        raise UserError(
            f"expected the image {IMAGE}, got an engine without it; run `make image`"
        ) from None
    return client


def train_isolated(
    request: Request,
    prepared: Prepared,
    candidates: list[str],
    limits: Limits,
    recorder: Recorder,
    folder: Path,
    progress: Progress,
) -> Iterator[Outcome]:
    """Train each candidate in a container of its own; yields them as they are done.

    Parameters
    ----------
    request : Request
    prepared : Prepared
    candidates : list of str
    limits : Limits
    recorder : Recorder
        Of the parent run.
    folder : Path
        For what is read back.
    progress : Progress
    """
    client, parent = check_engine(), recorder.run_id
    share = limits.cpus or max(1.0, cpus() // len(candidates))
    at_once = _at_once(share, limits, len(candidates))
    progress.stage(f"{len(candidates)} candidates in containers of their own, {at_once} at a time")
    budget = request.budget * at_once / len(candidates)
    waiting, active = list(candidates), dict[str, "SubmittedRun"]()
    with _told_of_deaths(client, parent) as deaths, _environment(request, parent) as file:
        try:
            while waiting or active:
                while waiting and len(active) < at_once:
                    name = waiting.pop(0)
                    with uninterrupted():  # a run that was begun is one that we end
                        active[name] = _launch(name, request, budget, limits, share, recorder, file)
                for name, run in list(active.items()):
                    if _ended(run):
                        del active[name]
                        reason = _reason(name, run.run_id, deaths, limits)
                        yield read_outcome(name, run.run_id, reason, prepared, folder / name)
                time.sleep(_POLL)
        finally:
            _end(client, parent, list(active.values()))


def _at_once(share: float, limits: Limits, count: int) -> int:
    fitting = max(1, int(cpus() / share))
    if size := limits.bytes():
        fitting = min(fitting, max(1, memory() // size))
    return min(fitting, count)


def _launch(
    name: str,
    request: Request,
    budget: float,
    limits: Limits,
    share: float,
    recorder: Recorder,
    environment: Path,
) -> "SubmittedRun":
    import mlflow

    algorithm, _, engine = name.partition(":")
    params = request.params() | {"algorithm": algorithm, "engine": engine, "budget": budget}
    del params["algorithms"]
    params |= {"register": "", "data": without_credentials(request.data)}
    docker_args: dict[str, str] = {
        "cpus": f"{share:g}",
        "label": f"{_LABEL}={recorder.run_id}/{name}",
        "env-file": str(environment),
    }
    if size := limits.bytes():
        docker_args |= {"memory": str(size), "memory-swap": str(size)}
    with _without_secrets():
        return mlflow.projects.run(
            str(_PROJECT),
            entry_point="train",
            parameters={key: str(value) for key, value in params.items()},
            docker_args=docker_args,
            experiment_id=recorder.experiment_id,
            run_name=name,
            backend="local",
            synchronous=False,
        )


@contextmanager
def _environment(request: Request, parent: str) -> Iterator[Path]:
    """A file, readable by us alone, with what the containers are told: no command shows it."""
    values = {tracking.PARENT_VARIABLE: parent, tracking.QUIET_VARIABLE: "1"}
    if without_credentials(request.data) != request.data:
        values[tracking.DATA_VARIABLE] = request.data
    values |= {name: os.environ[name] for name in _SECRETS if name in os.environ}
    with TemporaryDirectory(prefix="sixfold-") as folder:  # made for the owner only
        file = Path(folder, "environment")
        file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        yield file


@contextmanager
def _without_secrets() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _SECRETS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def _told_of_deaths(client: Any, parent: str) -> Iterator[_Deaths]:
    """Listen to the engine: MLflow removes a container as soon as it has ended."""
    deaths = _Deaths()
    events = client.events(decode=True, filters={"type": "container", "event": ["oom", "die"]})

    def listen() -> None:
        for event in events:
            attributes = event["Actor"]["Attributes"]
            owner, _, name = attributes.get(_LABEL, "").partition("/")
            if owner != parent:
                continue
            if event["Action"] == "oom":
                deaths.out_of_memory.add(name)
            else:
                deaths.codes[name] = int(attributes.get("exitCode", -1))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield deaths
    finally:
        events.close()
        listener.join(5)


def _reason(name: str, run_id: str, deaths: _Deaths, limits: Limits) -> str:
    """Why a container ended without a result; '' if it says so itself, or has one."""
    if name in deaths.out_of_memory:
        limit = f" of {limits.memory}" if limits.memory else ""
        return (
            f"the container was killed for memory: it needed more than its limit{limit}; "
            "raise --memory, or leave the algorithm out"
        )
    code = deaths.codes.get(name)
    if code == 137:
        return "the container was killed (exit code 137), most likely because memory ran out"
    if code is None:
        return "the container could not be started; its messages are above"
    return f"the container ended with exit code {code}" if code else ""


def _ended(run: "SubmittedRun") -> bool:
    from mlflow.entities import RunStatus

    return bool(RunStatus.is_terminated(RunStatus.from_string(run.get_status())))


def _end(client: Any, parent: str, active: list["SubmittedRun"]) -> None:
    """End what still runs, and what is being started: its container may come only later."""
    from docker.errors import DockerException

    deadline = time.monotonic() + _END_SECONDS
    with suppress(DockerException, OSError):  # an engine that fails stops nothing more
        while not all(_ended(run) for run in active) and time.monotonic() < deadline:
            _stop(client, parent)
            time.sleep(_POLL)
    for run in active:
        run.cancel()  # does nothing to one that has ended
        with suppress(Exception):  # what led here is to be told, not a store that fails as well
            end_run(run.run_id, "KILLED", "interrupted")


def _stop(client: Any, parent: str) -> None:
    """Stop this training's containers, if any run; they mark their runs as KILLED."""
    from docker.errors import NotFound

    for container in client.containers.list(ignore_removed=True):
        if container.labels.get(_LABEL, "").startswith(f"{parent}/"):
            with suppress(NotFound):  # it has ended by itself
                container.stop(timeout=_STOP_SECONDS)
