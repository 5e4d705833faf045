"""`sixfold deploy --to compose`: the file that it writes, run by Compose."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from tests.e2e.command import call
from tests.e2e.deployed import ask, ask_for_versions, status
from tests.e2e.released import Released
from tests.services.process import free_ports, listens
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("deploying_here")]


def bring_up(printed: str) -> str:
    """Run the command that `deploy` has printed."""
    (up,) = [line for line in printed.splitlines() if " up --detach" in line]
    subprocess.run(shlex.split(up), check=True, capture_output=True)
    return up


@contextmanager
def removed_after(model: Released, engine: docker.DockerClient) -> Iterator[None]:
    try:
        yield
    finally:
        left = {"label": f"sixfold.deployment={model.model}"}
        for container in engine.containers.list(all=True, filters=left):
            container.remove(force=True)
        for volume in engine.volumes.list(filters={"name": f"{model.name}_recordings"}):
            volume.remove()


def test_compose_runs_the_file_that_is_written(
    model: Released, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Up, with a token and recordings; on to the next version; away."""
    (port,) = free_ports(1)
    token = tmp_path / "$token"
    token.write_text("first-token\n")
    token.chmod(0o644)  # the container's user is another
    folder = tmp_path / f"Compose {model.model}"
    options = ["--port", str(port), "--write", str(folder), "--token-file", str(token), "--record"]
    with removed_after(model, engine):
        for version in ("1", "2"):
            bring_up(model.deploy("compose", version, *options))
            wait_until(lambda: listens(port) and ask(port, model, "first-token") == 200)
            assert ask(port, model) == 401
        (found,) = status(model, code=1)["deployed"]
        assert (found["where"], found["version"]) == ("compose", "2")
        assert found["name"].startswith(model.name), "the project's, whatever the folder is called"
        assert found["url"] == f"http://127.0.0.1:{port}"
        host = engine.containers.get(found["name"]).attrs["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert (host["NanoCpus"], host["Memory"]) == (1_000_000_000, 512 << 20)
        words = ["undeploy", model.model, "--to", "compose", "--recordings"]
        printed = call(model.folder, "sixfold", words)
        assert found["name"] in printed
        assert "network" in printed
        assert f"{model.name}_recordings" in printed
        assert not listens(port)


def test_a_canary_has_its_share_and_then_all(
    model: Released, engine: docker.DockerClient, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    options = ["--write", str(tmp_path)]
    printed = model.deploy("compose", "2", "--canary", "10", *options, code=2)
    assert f"expected a version of {model.model} that a canary can be beside" in printed
    with removed_after(model, engine):
        bring_up(model.deploy("compose", "1", "--port", str(port), *options))
        wait_until(lambda: ask(port, model) == 200)
        bring_up(model.deploy("compose", "2", "--canary", "10", *options))
        # The front gives it turns when it has seen that it is ready.
        wait_until(lambda: ask(port, model) == 200 and "2" in ask_for_versions(port, model, 50))
        answers = ask_for_versions(port, model, 200)
        assert answers.keys() == {"1", "2"}
        assert abs(answers["2"] - 20) <= 1
        stable, canary = sorted(status(model, code=0)["deployed"], key=lambda one: one["version"])
        assert (stable["share"], canary["share"]) == (90, 10)
        assert canary["beside"] == stable["name"]
        assert {one["url"] for one in (stable, canary)} == {f"http://127.0.0.1:{port}"}
        up = bring_up(model.deploy("compose", "2", "--port", str(port), *options))
        assert "--remove-orphans" in up
        wait_until(lambda: ask(port, model) == 200)
        assert ask_for_versions(port, model, 20) == {"2": 20}
        assert len(status(model, code=1)["deployed"]) == 1
        call(model.folder, "sixfold", ["undeploy", model.model, "--to", "compose"])
        assert not listens(port)
