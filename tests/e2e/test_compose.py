"""`sixfold deploy --to compose`: the file that it writes, run by Compose."""

import shlex
import subprocess
from pathlib import Path

import docker
import pytest

from tests.e2e.command import call
from tests.e2e.deployed import ask, status
from tests.e2e.released import Released
from tests.services.process import free_ports, listens
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("deploying_here")]


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
    try:
        for version in ("1", "2"):
            printed = model.deploy("compose", version, *options)
            (up,) = [line for line in printed.splitlines() if " up --detach" in line]
            subprocess.run(shlex.split(up), check=True, capture_output=True)
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
    finally:
        left = {"label": f"sixfold.deployment={model.model}"}
        for container in engine.containers.list(all=True, filters=left):
            container.remove(force=True)
        for volume in engine.volumes.list(filters={"name": f"{model.name}_recordings"}):
            volume.remove()
