"""Prints what `mlflow run .` must add to MLflow's own `docker run` command (see MLproject).

MLflow splices the output into its command line: a first mount, then any options. No value of the
user's variables is printed, because MLflow prints its command and every process list shows it;
`-e NAME` makes Docker copy the value itself. Standard library only, and any Python from 3.8 on:
it runs outside the project's environment.

Two things that MLflow does itself cannot be undone here. It writes a password inside
MLFLOW_TRACKING_URI into its command: use MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. It
does so with AWS keys if the experiment's artifact root is an `s3://` address: let the MLflow server
serve the artifacts, as compose.yaml does. `registry/discretion.py` keeps them out of the log; the
process list of this machine shows them while the container runs.

usage: python3 containers/run_options.py PID_OF_MLFLOW
"""

from __future__ import annotations

import getpass
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

IMAGE = "sixfold-training:latest"
CODE = Path("/mlflow/projects/code")
#: The user's own policy of promotions, beside their `data/`.
POLICY = "policy.toml"
HOME = Path("/tmp")  # noqa: S108  as the image has it

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
#: Variables that are passed on by name where they are set: those that start so, and proxies.
PREFIXES = ("AWS_", "MLFLOW_HTTP_", "MLFLOW_S3_", "MLFLOW_TRACKING_", "SIXFOLD_")
#: MLflow sets this one to the address that is right inside the container.
NOT_PASSED = "MLFLOW_TRACKING_URI"
#: Variables that name a file: it is mounted read-only at its own path.
FILES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)
#: Variables with an address: one on this machine's loopback needs this machine's network.
ADDRESSES = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_S3_ENDPOINT_URL",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    *PROXIES,
)


def main() -> int:
    """Print the options for the container that MLflow is about to start."""
    project = Path.cwd()
    try:
        options = run_options(
            os.environ,
            project,
            caller_folder(sys.argv[1]) or project,
            command_line(os.getppid()),
        )
    except ValueError as error:
        print(f"run_options: {error}", file=sys.stderr)
        return 2
    print(" ".join(options))
    wait_for_interrupt(sys.argv[1], os.environ.get("MLFLOW_RUN_ID", ""))
    return 0


def run_options(
    environment: Mapping[str, str], project: Path, caller: Path, command: Sequence[str]
) -> list[str]:
    """Mounts, the user's tables first, then all other options.

    Parameters
    ----------
    environment : mapping
        MLflow's environment variables.
    project : Path
        The folder MLflow runs; for a git address a temporary clone.
    caller : Path
        The folder in which the user called MLflow: the paths a user gives start there.
    command : sequence of str
        MLflow's command, split into words; empty if it cannot be known.

    Raises
    ------
    ValueError
        What the command cannot hold, in one line.
    """
    image, name, arguments = split_command(command)
    passed = {name for name in environment if name.startswith(PREFIXES) or name in PROXIES}
    files = {name: caller / environment[name] for name in FILES if environment.get(name)}
    passed |= set(files)

    mounts = {CODE / "data": (data_folder(project, caller), "ro")}
    for value in paths_given(name, arguments):
        if (caller / value).is_file():
            inside = Path(os.path.normpath(CODE / value))
            mounts.setdefault(inside, ((caller / value).resolve(), "ro"))
    for file in files.values():
        if file.is_file():
            mounts.setdefault(file, (file.resolve(), "ro"))
    if (Path.home() / ".aws").is_dir() and any(text.startswith("s3://") for text in arguments):
        mounts.setdefault(HOME / ".aws", (Path.home() / ".aws", "ro"))
    experiment, run = artifact_folders(environment, caller)
    if run:
        run.mkdir(parents=True, exist_ok=True)  # by this user: Docker would make it as root
    if experiment:
        experiment.mkdir(parents=True, exist_ok=True)
        mounts.setdefault(experiment, (experiment, "rw"))

    options = mount_options(mounts)[1:]  # MLflow has written the first `-v`
    # An init process passes Ctrl-C and SIGTERM on, and reaps what the candidates leave.
    options += ["--init", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    options += ["--user", container_user()]
    addresses = [environment.get(name, "") for name in ADDRESSES] + arguments
    asked = {"--network", "--net"} & set(command)  # `mlflow run . -A network=…`
    if not asked and any(is_loopback(address) for address in addresses):
        options += ["--network", "host"]
    for name in sorted(passed - {NOT_PASSED}):
        if environment[name]:
            options += ["-e", name]
    facts = {
        "LOGNAME": login_name(),
        "SIXFOLD_GIT_COMMIT": commit(project),
        "SIXFOLD_IMAGE": image_id(image, project),
    }
    for name, value in facts.items():
        if value and not any(letter.isspace() for letter in value) and name not in passed:
            options += ["-e", f"{name}={value}"]
    return options


def data_folder(project: Path, caller: Path) -> Path:
    """The caller's `data/`, so that paths mean what they mean to the caller; else the project's."""
    folder = caller / "data"
    if not folder.is_dir():
        folder = project / "data"
        folder.mkdir(exist_ok=True)
    return folder


def mount_options(mounts: Mapping[Path, tuple[Path, str]]) -> list[str]:
    """`-v` options. Bash splits them at spaces and Docker at colons, so paths have neither."""
    options = []
    for target, (source, mode) in mounts.items():
        text = f"{source}:{target}:{mode}"
        if len(text.split()) != 1 or text.count(":") != 2:
            raise ValueError(
                f"expected a path without spaces and colons, got {str(source)!r}; MLflow cannot "
                "mount it: move it, or train without a container (make train CONTAINER=none)"
            )
        options += ["-v", text]
    return options


def split_command(command: Sequence[str]) -> tuple[str, str, list[str]]:
    """The image, NAME and the arguments of `python -m sixfold NAME`, in MLflow's command."""
    words = list(command)
    for place in range(1, len(words) - 3):
        if words[place : place + 3] == ["python", "-m", "sixfold"]:
            return words[place - 1], words[place + 3], words[place + 4 :]
    return IMAGE, "", []


def paths_given(name: str, arguments: Sequence[str]) -> list[str]:
    """What the command reads, where it may be a path outside `data/`."""
    given = list(arguments[:1]) if name == "train" else []
    if name in ("promote", "approve"):
        given.append(POLICY)
    for option in ("--schema", "--data"):
        if option in arguments[:-1]:
            given.append(arguments[list(arguments).index(option) + 1])
    return [text for text in given if text and Path(text).parts[0] != "data"]


def artifact_folders(
    environment: Mapping[str, str], caller: Path
) -> tuple[Path | None, Path | None]:
    """The artifact folders of the experiment and of the run, where they are on this machine.

    MLflow mounts the run's own; those of its child runs and models are below the experiment's.

    Raises
    ------
    ValueError
        MLFLOW_TRACKING_URI is a relative path, of which MLflow makes a wrong mount.
    """
    uri = environment.get("MLFLOW_TRACKING_URI", "")
    if not uri.startswith("sqlite:///"):
        return None, None
    database = Path(unquote(urlsplit(uri).path)[1:])
    if not database.is_absolute():
        raise ValueError(
            f"expected an absolute path in MLFLOW_TRACKING_URI, got {uri}; "
            f"use sqlite:///{caller / database}"
        )
    if not database.is_file():
        return None, None
    connection = sqlite3.connect(database)
    try:
        experiment = connection.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = ?",
            (environment.get("MLFLOW_EXPERIMENT_ID", ""),),
        ).fetchone()
        run = connection.execute(
            "SELECT artifact_uri FROM runs WHERE run_uuid = ?",
            (environment.get("MLFLOW_RUN_ID", ""),),
        ).fetchone()
    finally:
        connection.close()
    return local_folder(experiment), local_folder(run)


def local_folder(row: Sequence[str] | None) -> Path | None:
    """The folder that a row of one address names; None for another kind of address."""
    parts = urlsplit(row[0] if row and row[0] else "")
    folder = Path(unquote(parts.path))
    return folder if parts.scheme in ("", "file") and folder.is_absolute() else None


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine's own."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


def container_user() -> str:
    """This user, who owns what is written; root in a rootless engine, where that is this user."""
    if "rootless" in output("docker", "info", "-f", "{{.SecurityOptions}}"):
        return "0:0"
    return f"{os.getuid()}:{os.getgid()}"


def login_name() -> str:
    """The name that MLflow writes into the runs."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def commit(project: Path) -> str:
    """The project's commit, `-dirty` after it where files are changed; '' if unknown."""
    described = ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    return output("git", "-C", str(project), *described)


def image_id(image: str, project: Path) -> str:
    """The image's id. Says so where the image holds other code than the project's folder."""
    template = '{{.Id}} {{index .Config.Labels "sixfold.inputs"}}'
    found, _, inputs = output("docker", "image", "inspect", "-f", template, image).partition(" ")
    # `mlflow run --build-image` copies the folder over an image of ours, under another name.
    if image == IMAGE and inputs:
        current = output("bash", str(project / "containers" / "setup"), "inputs")
        if current not in ("", inputs):
            print(
                f"run_options: {image} holds other code than this folder; "
                "`make image` brings it up to date",
                file=sys.stderr,
            )
    return found


def output(*command: str) -> str:
    """What a command prints; '' if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def command_line(bash: int) -> list[str]:
    """The words of the command that MLflow gave to `bash -c`; [] where that cannot be known."""
    try:
        return shlex.split(Path(f"/proc/{bash}/cmdline").read_bytes().decode().split("\0")[2])
    except (OSError, ValueError, IndexError):
        return []


def wait_for_interrupt(pid: str, run_id: str) -> None:
    """Start what marks an interrupted run as KILLED, with the Python that MLflow runs in.

    It stays in MLflow's process group, which is the one that Ctrl-C reaches.
    """
    try:
        python = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return
    if run_id and Path(python).name.startswith("python"):
        subprocess.Popen(
            [python, str(Path(__file__).with_name("mark_interrupted.py")), pid, run_id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )


def caller_folder(pid: str) -> Path | None:
    """The current folder of the MLflow process, where the system tells."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
