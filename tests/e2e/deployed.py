"""A model that is deployed to this machine: what there is of it, and what it answers."""

import http.client
import json
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import docker

from tests.e2e.command import call
from tests.e2e.released import Released


def containers(engine: docker.DockerClient, model: Released) -> list[str]:
    """All containers of a deployment, by name."""
    every = engine.containers.list(all=True, filters={"name": model.name})
    return sorted(container.name for container in every)


def status(model: Released, code: int) -> dict[str, Any]:
    printed = call(model.folder, "sixfold", ["status", model.model, "--json"], code=code)
    found: dict[str, Any] = json.loads(printed)
    return found


def ask_for_versions(port: int, model: Released, times: int) -> Counter[str]:
    """Whose answers came over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found: Counter[str] = Counter()
    for _ in range(times):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/invocations", json.dumps(model.body), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert json.loads(answer.read())["predictions"]
        found[answer.getheader("sixfold-version", "?").rpartition("/")[2]] += 1
    connection.close()
    return found


def undeploy(model: Released, code: int = 0) -> str:
    return call(model.folder, "sixfold", ["undeploy", model.model, "--to", "docker"], code=code)


def ask(port: int, model: Released, token: str = "") -> int:
    """Status of a prediction."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(model.body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:  # the port is kept, and nobody is there yet
        return 0
