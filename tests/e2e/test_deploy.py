"""`sixfold deploy` on this machine: Docker, under load and back from a bad version."""

import json
import os
import shlex
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import docker
import pytest

from serving.server.check import is_ready
from tests.e2e.command import call
from tests.e2e.deployed import ask, ask_for_versions, containers, status, undeploy
from tests.e2e.released import Released
from tests.services.process import free_ports, listens
from tests.serving.deploy.load import load
from tests.serving.server import recorded
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("deploying_here")]


def test_to_the_next_version_under_load_and_back_from_a_bad_one(
    model: Released, engine: docker.DockerClient
) -> None:
    (port,) = free_ports(1)
    printed = model.deploy("docker", "1", "--port", str(port))
    assert f"http://127.0.0.1:{port}" in printed
    assert status(model, code=0)["agree"]
    (line,) = [line for line in printed.splitlines() if line.startswith("curl ")]
    answer = subprocess.run(shlex.split(line), capture_output=True, check=True).stdout
    assert len(json.loads(answer)["predictions"]) == 1

    with load("127.0.0.1", port, model.body) as found:
        wait_until(lambda: found.total() > 100)
        assert "in place of version 1" in model.deploy("docker", "2")
        seen = found.answers[f"{model.model}/2"]
        wait_until(lambda: found.answers[f"{model.model}/2"] > seen + 100)

        ends = model.changed("2", "ends", 'ENTRYPOINT ["python", "-c", "exit(\'no model\')"]')
        printed = model.deploy("docker", "2", image=ends, code=1)
        assert "did not come up" in printed
        assert "no model" in printed
        assert "version 2 goes on answering" in printed

        # It comes up, and is not what it is said to be.
        printed = model.deploy("docker", "2", image=model.images["1"], code=1)
        assert f"answers as {model.model}/1" in printed
        at_its_end = found.answers[f"{model.model}/1"]
        seen = found.answers[f"{model.model}/2"]
        wait_until(lambda: found.answers[f"{model.model}/2"] > seen + 100)
        assert found.answers[f"{model.model}/1"] == at_its_end
    assert found.failures == []

    found_status = status(model, code=1)
    assert [item["version"] for item in found_status["deployed"]] == ["2"]
    assert "Production is 1" in found_status["differences"][0]
    assert containers(engine, model) == [model.name, f"{model.name}-front"]
    assert model.name in undeploy(model)
    assert "got nothing" in undeploy(model, code=2)


def test_a_canary_has_its_share(model: Released, engine: docker.DockerClient) -> None:
    (port,) = free_ports(1)
    printed = model.deploy("docker", "2", "--canary", "10", code=2)
    assert f"expected a version of {model.model} that a canary can be beside, got none" in printed
    assert containers(engine, model) == []
    model.deploy("docker", "1", "--port", str(port))

    # What does not answer as recorded has no request, and leaves nothing.
    wrong = model.images["1"]
    printed = model.deploy("docker", "2", "--canary", "50", image=wrong, code=1)
    assert "version 1 goes on answering" in printed
    both = [model.name, f"{model.name}-front"]
    assert containers(engine, model) == both

    printed = model.deploy("docker", "2", "--canary", "10")
    canary = f"{model.name}-canary-10"
    assert f"version 2 answers 10 % of the requests at http://127.0.0.1:{port}" in printed
    assert f", beside version 1 (container {canary})" in printed
    answers = ask_for_versions(port, model, 300)
    assert abs(answers["2"] - 30) <= 1
    assert answers.total() == 300
    assert answers.keys() == {"1", "2"}
    found = {item["name"]: item for item in status(model, code=0)["deployed"]}
    assert (found[model.name]["version"], found[model.name]["share"]) == ("1", 90)
    assert (found[canary]["version"], found[canary]["share"]) == ("2", 10)
    printed = call(model.folder, "sixfold", ["status", model.model])
    assert f", 10 % of the requests ({canary}, http://127.0.0.1:{port})" in printed
    assert canary in undeploy(model)
    assert containers(engine, model) == []


def test_a_canary_is_replaced_killed_and_all_without_a_lost_request(
    model: Released, engine: docker.DockerClient
) -> None:
    (port,) = free_ports(1)
    both = [model.name, f"{model.name}-front"]
    model.deploy("docker", "1", "--port", str(port))
    model.deploy("docker", "2", "--canary", "10")
    with load("127.0.0.1", port, model.body) as seen:
        model.deploy("docker", "2", "--canary", "40")
        canary = f"{model.name}-canary-40"
        assert containers(engine, model) == sorted([*both, canary])
        answers = ask_for_versions(port, model, 300)
        assert answers.keys() == {"1", "2"}
        engine.containers.get(canary).kill()
        assert ask_for_versions(port, model, 100) == {"1": 100}
        assert f"docker ({canary}) is not ready" in status(model, code=1)["differences"][0]
        engine.containers.get(canary).start()
        wait_until(lambda: "2" in ask_for_versions(port, model, 10))

        assert "in place of version 1" in model.deploy("docker", "2")
        assert containers(engine, model) == both
        assert ask_for_versions(port, model, 100) == {"2": 100}
    assert seen.failures == []
    undeploy(model)


def test_recordings_outlive_versions_and_their_containers(
    model: Released, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """In a volume, from two versions; a disk that is full costs rows, and no answer."""
    (port,) = free_ports(1)
    model.deploy("docker", "1", "--port", str(port), "--record")
    try:
        assert [ask(port, model) for _ in range(3)] == [200] * 3
        model.deploy("docker", "2", "--record", "--record-share", "1")
        assert [ask(port, model) for _ in range(2)] == [200] * 2
        server = engine.containers.get(model.name)
        assert server.attrs["HostConfig"]["ReadonlyRootfs"]
        # As docs/serving.md says; of version 1 all is there, as its container has drained.
        copied = tmp_path / "recordings"
        words = ["docker", "cp", f"{model.name}:/recordings/.", str(copied)]
        subprocess.run(words, check=True, capture_output=True)
        rows = recorded.rows(copied)
        assert [row["__version"] for row in rows] == ["1"] * 3, "and none that deploying has asked"
        assert {row[name] for row in rows for name in list(model.row)[:1]} == {
            next(iter(model.row.values()))
        }
        printed = undeploy(model)
        volume = f"{model.name}-recordings"
        assert f"its recordings are kept: {volume};" in printed
        again = {volume: {"bind": "/recordings", "mode": "ro"}}
        listed = engine.containers.run(
            *(model.images["1"], ["-c", "find /recordings -name '*.parquet'"]),
            entrypoint="sh",
            volumes=again,
            remove=True,
        )
        versions = sorted(line.split("/")[3] for line in listed.decode().splitlines())
        assert versions == ["1", "2"]
    finally:
        words = ["undeploy", model.model, "--to", "docker", "--recordings"]
        printed = call(model.folder, "sixfold", words)
    assert f"volume {model.name}-recordings" in printed
    assert not engine.volumes.list(filters={"name": model.name})


def test_a_disk_that_is_full_costs_no_answer(model: Released, engine: docker.DockerClient) -> None:
    server = engine.containers.run(
        model.images["1"],
        detach=True,
        ports={"8080/tcp": ("127.0.0.1", 0)},
        tmpfs={"/recordings": "size=4k,uid=10001"},
        environment={
            "SIXFOLD_RECORD": "/recordings",
            "SIXFOLD_RECORD_SECONDS": "0.1",
            "SIXFOLD_WORKERS": "1",  # each worker says it
        },
        read_only=True,
    )
    try:
        server.reload()
        port = int(server.ports["8080/tcp"][0]["HostPort"])
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"))
        for _ in range(5):
            assert ask(port, model) == 200
        metrics = f"http://127.0.0.1:{port}/metrics"
        dropped = b'sixfold_unrecorded_rows_total{reason="disk"} 5.0'
        wait_until(lambda: dropped in urllib.request.urlopen(metrics, timeout=10).read())
        said = server.logs().decode()
        assert said.count("No space left on device: its rows are dropped until it can") == 1
        server.stop(timeout=20)
        assert server.wait()["StatusCode"] == 0
    finally:
        server.remove(force=True)


def test_containers_can_do_little(model: Released, engine: docker.DockerClient) -> None:
    (port,) = free_ports(1)
    options = ["--port", str(port), "--cpu", "0.5", "--memory", "256m", "--workers", "2"]
    model.deploy("docker", "1", *options, "--traces", "http://127.0.0.1:4318")  # nobody is there
    for name in (model.name, f"{model.name}-front"):
        container = engine.containers.get(name)
        host = container.attrs["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert container.attrs["Config"]["User"] not in ("", "0", "root")
        assert container.attrs["Config"]["Healthcheck"]["Test"]
    variables = engine.containers.get(model.name).attrs["Config"]["Env"]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in variables
    server = engine.containers.get(model.name).attrs["HostConfig"]
    assert (server["NanoCpus"], server["Memory"]) == (500_000_000, 256 << 20)
    assert not server["PortBindings"]
    front = engine.containers.get(f"{model.name}-front").attrs["HostConfig"]
    assert front["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}

    # A server that is away for a moment: whoever asks meanwhile waits for it.
    engine.api.kill(model.name, "SIGKILL")
    threading.Timer(1.0, engine.api.start, [model.name]).start()
    assert ask(port, model) == 200
    undeploy(model)


def test_a_token_stays_until_another_is_given(
    model: Released, engine: docker.DockerClient, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    file = tmp_path / "token"
    file.write_text("first-token\n")
    model.deploy("docker", "1", "--port", str(port), "--token-file", str(file))
    assert ask(port, model) == 401
    assert ask(port, model, "first-token") == 200
    model.deploy("docker", "2")
    assert ask(port, model) == 401
    assert ask(port, model, "first-token") == 200
    file.write_text("second-token\n")
    model.deploy("docker", "2", "--token-file", str(file))
    assert ask(port, model, "first-token") == 401
    assert ask(port, model, "second-token") == 200
    canary = ["--canary", "50"]
    model.deploy("docker", "1", *canary)
    assert [ask(port, model) for _ in range(4)] == [401] * 4
    assert [ask(port, model, "second-token") for _ in range(4)] == [200] * 4
    kept = list((tmp_path / "state").rglob("token-*"))
    assert len(kept) == 1
    assert kept[0].parent.stat().st_mode & 0o777 == 0o700
    assert "second-token" not in json.dumps(engine.containers.get(model.name).attrs)
    undeploy(model)
    assert not kept[0].exists()


def test_the_port_changes_when_asked(model: Released, engine: docker.DockerClient) -> None:
    one, other = free_ports(2)
    model.deploy("docker", "1", "--port", str(one))
    model.deploy("docker", "1", "--port", str(other))
    assert ask(other, model) == 200
    assert not listens(one)
    assert containers(engine, model) == [model.name, f"{model.name}-front"]
    undeploy(model)


def test_a_taken_port_is_said_and_nothing_is_left(
    model: Released, engine: docker.DockerClient
) -> None:
    taken = engine.containers.run(
        model.images["1"], detach=True, remove=True, ports={"8080/tcp": ("127.0.0.1", 0)}
    )
    try:
        taken.reload()
        port = taken.ports["8080/tcp"][0]["HostPort"]
        printed = model.deploy("docker", "1", "--port", port, code=2)
        assert f"got {port}, which is taken" in printed
        assert containers(engine, model) == []
    finally:
        taken.kill()


def test_a_first_version_that_does_not_come_up_leaves_nothing(
    model: Released, engine: docker.DockerClient
) -> None:
    (port,) = free_ports(1)
    wrong = model.images["2"]
    printed = model.deploy("docker", "1", "--port", str(port), image=wrong, code=1)
    assert "nothing of it is left" in printed
    assert containers(engine, model) == []


@pytest.mark.parametrize("killed", ["before the new one had the name", "before the old one ended"])
def test_a_deployment_that_was_killed_is_finished_by_the_next(
    model: Released, engine: docker.DockerClient, killed: str
) -> None:
    (port,) = free_ports(1)
    model.deploy("docker", "1", "--port", str(port))
    engine.containers.get(model.name).rename(f"{model.name}-old")
    create, labels = engine.containers.create, {"sixfold.deployment": model.model}
    if killed == "before the old one ended":
        create(model.images["1"], name=model.name, network=model.name, labels=labels).start()
    else:
        create(model.images["1"], name=f"{model.name}-next", labels=labels)
    model.deploy("docker", "2")
    assert ask(port, model) == 200
    assert containers(engine, model) == [model.name, f"{model.name}-front"]
    undeploy(model)


def test_an_interruption_cuts_nobody(model: Released, engine: docker.DockerClient) -> None:
    """When the new version has the name, and when the front has its new port."""
    port, other = free_ports(2)
    model.deploy("docker", "1", "--port", str(port))
    with load("127.0.0.1", port, model.body) as found:
        deploying = model.begin("docker", "2")
        wait_until(lambda: found.answers[f"{model.model}/2"] > 0)
        labels = [f"sixfold.model={model.model}", "sixfold.version=2"]
        (new,) = engine.containers.list(filters={"label": labels})
        os.kill(deploying.pid, signal.SIGINT)
        ends = new.wait()
        printed, _ = deploying.communicate(timeout=60)
        assert deploying.returncode == 130, printed
        assert ends["StatusCode"] == 0, "it has drained"
        seen = found.answers[f"{model.model}/1"]
        wait_until(lambda: found.answers[f"{model.model}/1"] > seen + 100)
    assert found.failures == []
    assert containers(engine, model) == [model.name, f"{model.name}-front"]

    deploying = model.begin("docker", "2", "--port", str(other))
    assert deploying.stdout
    next(line for line in deploying.stdout if "draining" in line)
    os.kill(deploying.pid, signal.SIGINT)
    deploying.communicate(timeout=60)
    assert f"{model.name}-front-next" in containers(engine, model)
    with load("127.0.0.1", other, model.body) as found:
        wait_until(lambda: found.total() > 10)
        model.deploy("docker", "2")
    assert found.failures == []
    assert containers(engine, model) == [model.name, f"{model.name}-front"]
    undeploy(model)
