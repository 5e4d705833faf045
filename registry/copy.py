"""A version is copied to another tracking server: development to production, say.

Two processes: this one reads, with the user's environment; `registry/receive.py` writes, with an
environment that knows the other server only. So no credential of one is ever sent to the other.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from registry.bundle import Origin, gather
from registry.version import Version
from training.errors import SixfoldError, UserError

#: The other server's credentials -> what MLflow calls them.
CREDENTIALS = {
    "SIXFOLD_TO_REGISTRY_USERNAME": "MLFLOW_TRACKING_USERNAME",
    "SIXFOLD_TO_REGISTRY_PASSWORD": "MLFLOW_TRACKING_PASSWORD",
    "SIXFOLD_TO_REGISTRY_TOKEN": "MLFLOW_TRACKING_TOKEN",
}
#: What is said of the server that is read from, and must not reach the other.
_OF_THE_SOURCE = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_ACTIVE_MODEL_ID",
    "SIXFOLD_WEBHOOK_SECRET",
)
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql")
_ROOT = Path(__file__).parents[1]


def copy_version(
    version: Version, target_uri: str, *, records: Sequence[str], say: Callable[[str], None]
) -> tuple[str, bool]:
    """Copy a version with its files, its training's facts and its gates' record.

    Whatever ends it half-way, there is no version there then, and the next call makes it.

    Parameters
    ----------
    version : Version
    target_uri : str
        Tracking URI of the other registry, without credentials: see `CREDENTIALS`.
    records : sequence of str
        Ids of the runs that its gates were recorded in.
    say : callable
        Takes a line about what is being done.

    Returns
    -------
    version : str
        Its number there.
    there : bool
        Whether it was there already; nothing was copied then.

    Raises
    ------
    UserError
        The other registry cannot be reached, does not know the user, or may not be written to; or
        the version's files are damaged.
    SixfoldError
        The copy was broken off.
    """
    from registry.store import reported
    from training import tracking

    where = checked_address(target_uri)
    if not version.run_id:
        raise UserError(
            f"expected a version with a run, got {version.name}, which has none; register a "
            f"candidate with `sixfold register {version.model} --run RUN`"
        )
    here = _plain(tracking.location())
    if where == here:
        raise UserError(f"expected another registry than this one, got {where}")
    origin = Origin(here, version.model, version.version, version.run_id, version.source)
    with TemporaryDirectory(prefix="sixfold-copy-") as name, _receiver(where, Path(name)) as ask:
        found = ask({"find": asdict(origin)}, say)["version"]
        if found:
            return found, True
        say(f"reading {version.name} and its training")
        content = Path(name, "content")
        content.mkdir()
        with reported(f"reading {version.name}"):
            gather(origin, version, records, content)
        answer = ask({"receive": str(content)}, say)
        return answer["version"], answer["there"]


def checked_address(uri: str) -> str:
    """A tracking URI as it is used: without a slash at its end, a file's path in full.

    Raises
    ------
    UserError
        It is none, or it has a password in it.
    """
    try:
        parts = urlsplit(uri)
        scheme, password = parts.scheme.partition("+")[0], parts.password
    except ValueError:
        scheme, password = "", None
    if scheme not in _SCHEMES:
        raise UserError(
            f"expected the tracking URI of a registry, got {uri!r}; e.g. https://mlflow.example.com"
        )
    if password is not None:
        raise UserError(
            "expected an address without a password, since other users of this machine can see "
            "arguments; put it into SIXFOLD_TO_REGISTRY_PASSWORD, a database's into its own file "
            "(~/.pgpass)"
        )
    where = _plain(uri)
    file = _database_file(where)
    if file is not None and not file.is_file():
        raise UserError(
            f"expected a registry in {file}, got no such file; `mlflow db upgrade sqlite:///{file}`"
            " makes one"
        )
    return where


def environment(where: str, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process that writes.

    Parameters
    ----------
    where : str
        The other registry.
    own : mapping of str to str
        This process's environment.
    """
    left_out = {*_OF_THE_SOURCE, *CREDENTIALS, *CREDENTIALS.values()}
    kept = {name: value for name, value in own.items() if name not in left_out}
    given = {theirs: own[ours] for ours, theirs in CREDENTIALS.items() if own.get(ours)}
    path = os.pathsep.join(filter(None, [str(_ROOT), own.get("PYTHONPATH")]))
    return {**_PATIENCE, **kept, **given, "MLFLOW_TRACKING_URI": where, "PYTHONPATH": path}


Ask = Callable[[Mapping[str, Any], Callable[[str], None]], dict[str, Any]]


@contextmanager
def _receiver(where: str, folder: Path) -> Iterator[Ask]:
    """The process that writes; it is asked by calling what this gives."""
    log, file = folder / "log", _database_file(where)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "registry.receive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment(where, os.environ),
            # MLflow puts a new experiment's artifacts beside the database, if it is there.
            cwd=file.parent if file else folder,
            text=True,
        )
    requests, answers = process.stdin, process.stdout
    assert requests is not None
    assert answers is not None

    def ask(request: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
        with suppress(BrokenPipeError):  # why it has ended is its last answer
            requests.write(json.dumps(request) + "\n")
            requests.flush()
        for line in answers:
            answer: dict[str, Any] = json.loads(line)
            if "say" in answer:
                say(answer["say"])
            elif "error" in answer:
                kind = UserError if answer["code"] == UserError.exit_code else SixfoldError
                raise kind(answer["error"])
            else:
                return answer
        last = (log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise SixfoldError(
            f"the copy to {where} was broken off, the last it said was {last[:300]}; run the "
            "command again: it begins where that left off"
        )

    try:
        yield ask
    finally:
        with suppress(BrokenPipeError):
            requests.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        answers.close()


def _plain(uri: str) -> str:
    """The same for every way to write an address."""
    if uri.startswith("sqlite:///"):
        return f"sqlite:///{Path(uri.removeprefix('sqlite:///')).resolve()}"
    return uri.rstrip("/")


def _database_file(where: str) -> Path | None:
    return Path(where.removeprefix("sqlite:///")) if where.startswith("sqlite:") else None
