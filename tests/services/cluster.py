"""The one-node Kubernetes of the tests marked `cluster`: a command of its own starts it."""

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.process import ServiceError

_BESIDE = Path(__file__).parents[3] / "shared" / "cluster" / "cluster"
_BUILD_SECONDS = 1_800.0


def cluster_command() -> Path:
    """Where the command is: `CLUSTER` says, or beside the project. It may not be there."""
    return Path(os.environ.get("CLUSTER") or _BESIDE)


def put_cluster_last(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests marked `cluster` last; deselect them where there is no such command."""
    marked = [item for item in items if item.get_closest_marker("cluster")]
    others = [item for item in items if not item.get_closest_marker("cluster")]
    if cluster_command().is_file():
        items[:] = [*others, *marked]
    elif marked:
        items[:] = others
        config.hook.pytest_deselected(items=marked)


@contextmanager
def building_meanwhile(items: Sequence[pytest.Item]) -> Iterator[None]:
    """Compile the cluster with what the tests before its own leave of the cores.

    It takes minutes, once a machine. The fixture waits for it; what is not done at the end of the
    tests is ended, and the next build goes on there.
    """
    if not any(item.get_closest_marker("cluster") for item in items):
        yield
        return
    build = subprocess.Popen(
        ["nice", "-n", "19", cluster_command(), "build"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        if build.poll() is None:
            os.killpg(build.pid, signal.SIGTERM)
        build.wait()


def cluster_header() -> str:
    """What the report's head says of it."""
    path = cluster_command()
    if path.is_file():
        return f"cluster: {path}"
    return f"cluster: none at {path}, the tests marked `cluster` are left out (set CLUSTER)"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up, with a namespace of the test's own.

    Attributes
    ----------
    namespace : str
    environment : dict of str to str
        With which `kubectl`, of the cluster's own version, finds it.
    """

    namespace: str
    environment: dict[str, str]

    def kubectl(self, *words: str, given: str = "") -> str:
        """What `kubectl` prints in the namespace."""
        done = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *words],
            env={**os.environ, **self.environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A namespace on the cluster, which is built and started where it is not; as it was after."""
    was_up = _run("status", check=False) == 0
    _run("build")
    _run("up")
    kubeconfig = _printed("kubeconfig")
    binaries = Path(kubeconfig).parents[1] / "bin"
    environment = {
        "KUBECONFIG": kubeconfig,
        "PATH": os.pathsep.join([str(binaries), os.environ["PATH"]]),
    }
    found = Cluster(f"sixfold-{secrets.token_hex(3)}", environment)
    try:
        found.kubectl("create", "namespace", found.namespace)
        yield found
        found.kubectl("delete", "namespace", found.namespace)
    finally:
        if not was_up:
            _run("down")


def _run(word: str, check: bool = True) -> int:
    done = subprocess.run(
        [cluster_command(), word], capture_output=True, text=True, timeout=_BUILD_SECONDS
    )
    if check and done.returncode:
        raise ServiceError(f"the cluster's `{word}` has failed:\n{done.stdout}{done.stderr}")
    return done.returncode


def _printed(word: str) -> str:
    return subprocess.run(
        [cluster_command(), word], capture_output=True, text=True, check=True
    ).stdout.strip()
