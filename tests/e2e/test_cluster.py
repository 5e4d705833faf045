"""`sixfold deploy --to kubernetes` on a real cluster: replicas, updates under load, and back."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.deploy import manifests
from serving.deploy.manifests import FOLDER
from tests.e2e.command import call
from tests.e2e.released import Released
from tests.services.cluster import Cluster
from tests.serving.deploy.load import load
from tests.serving.server import recorded
from tests.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(2_400)]


@pytest.fixture(autouse=True)
def _nothing_is_left(cluster: Cluster, model: Released) -> Iterator[None]:
    yield
    words = ["undeploy", model.model, "--to", "kubernetes", "--namespace", cluster.namespace]
    call(model.folder, "sixfold", [*words, "--recordings"], cluster.environment)
    kinds = "deployment,replicaset,pod,service,networkpolicy,hpa,pdb,secret,pvc"
    chosen = f"{manifests.MODEL}={model.model}"
    assert cluster.kubectl("get", kinds, "--selector", chosen, "--output", "name") == ""


def deploy(
    cluster: Cluster, model: Released, version: str, *options: str, image: str = "", code: int = 0
) -> str:
    small = ["--cpu", "100m", "--memory", "192m", "--workers", "1"]
    words = [*small, "--namespace", cluster.namespace, *options]
    return model.deploy(
        "kubernetes", version, *words, image=image, environment=cluster.environment, code=code
    )


def get(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, "--output", "json"))
    return found


def addresses(cluster: Cluster, model: Released) -> list[str]:
    """Of the pods that the Service sends requests to."""
    subsets = get(cluster, "endpoints", model.name).get("subsets", [])
    return [item["ip"] for subset in subsets for item in subset.get("addresses", [])]


def service(cluster: Cluster, model: Released) -> str:
    return str(get(cluster, "service", model.name)["spec"]["clusterIP"])


def answered(address: str) -> int:
    """Predictions that a pod has answered, as its own metrics say."""
    with urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=10) as answer:
        text = answer.read().decode()
    lines = re.findall(r"^sixfold_requests_total\{([^}]*)\} (\S+)$", text, re.MULTILINE)
    return int(sum(float(value) for labels, value in lines if "invocations" in labels))


def test_from_version_to_version_and_back(cluster: Cluster, model: Released) -> None:
    printed = deploy(cluster, model, "1")
    assert "3 replicas ready, 30 right answers through the Service" in printed
    pods = addresses(cluster, model)
    assert len(pods) == 3
    assert sum(answered(pod) for pod in pods) == 30
    deployment = get(cluster, "deployment", model.name)["spec"]["template"]["spec"]
    assert deployment["automountServiceAccountToken"] is False
    assert "autoscaling/v2" not in cluster.kubectl("api-versions").split()
    assert get(cluster, "hpa", model.name)["spec"]["minReplicas"] == 3
    assert get(cluster, "pdb", model.name)["spec"]["maxUnavailable"] == 1
    found = json.loads(status(cluster, model, code=0))
    (there,) = found["deployed"]
    assert (there["where"], there["version"], there["ready"]) == ("kubernetes", "1", "3 of 3")

    with load(service(cluster, model), 8080, model.body) as requests:
        # That a Service has a pod among its endpoints is not yet that all nodes send to it.
        wait_until(lambda: requests.total() > 100 and all(answered(pod) for pod in pods))
        deploy(cluster, model, "2")
        seen = requests.answers[f"{model.model}/2"]
        wait_until(lambda: requests.answers[f"{model.model}/2"] > seen + 100)

        ends = model.changed("2", "ends", 'ENTRYPOINT ["python", "-c", "exit(\'no model\')"]')
        printed = deploy(cluster, model, "2", image=ends, code=1)
        assert "no model" in printed
        assert "version 2 answers" in printed
        assert "none-such" not in printed

        printed = deploy(cluster, model, "2", image="127.0.0.1:1/none-such:2", code=2)
        assert "expected an image that the cluster can pull" in printed
        assert "version 2 answers" in printed
    assert requests.failures == []
    image = get(cluster, "deployment", model.name)["spec"]["template"]["spec"]["containers"][0][
        "image"
    ]
    assert image == model.images["2"]
    assert len(addresses(cluster, model)) == 3
    assert "Production is 1" in status(cluster, model, code=1)


def test_a_version_that_answers_wrongly_goes_back(cluster: Cluster, model: Released) -> None:
    """It is ready, and not what it is said to be: only the smoke request finds that."""
    deploy(cluster, model, "1", "--replicas", "2", "--traces", "http://192.0.2.1:4318")
    printed = deploy(cluster, model, "1", "--replicas", "1", image=model.images["2"], code=1)
    assert f"it answers as {model.model}/2, not as {model.model}/1" in printed
    assert "version 1 answers" in printed
    with load(service(cluster, model), 8080, model.body, clients=2) as requests:
        wait_until(lambda: requests.total() > 50)
    assert set(requests.answers) == {f"{model.model}/1"}
    assert replicas_and_traces(cluster, model) == (2, True)
    deploy(cluster, model, "1")
    assert replicas_and_traces(cluster, model) == (2, False)


def replicas_and_traces(cluster: Cluster, model: Released) -> tuple[int, bool]:
    """What the Deployment has of what was asked for."""
    spec = get(cluster, "deployment", model.name)["spec"]
    (server,) = spec["template"]["spec"]["containers"]
    names = {variable["name"] for variable in server.get("env", [])}
    return spec["replicas"], "OTEL_EXPORTER_OTLP_ENDPOINT" in names


def test_a_token_is_asked_for_and_the_smoke_request_has_it(
    cluster: Cluster, model: Released
) -> None:
    file = model.folder / "token"
    file.write_text("abc\n")
    deploy(cluster, model, "1", "--replicas", "1", "--token-file", str(file))
    headers = {"Authorization": "Bearer abc"}
    with load(service(cluster, model), 8080, model.body, 1) as without:
        wait_until(lambda: len(without.failures) > 3)
    assert without.total() == 0
    assert without.failures[0].startswith("401")
    with load(service(cluster, model), 8080, model.body, 1, headers) as requests:
        wait_until(lambda: requests.total() > 10)
    assert requests.failures == []


def test_all_replicas_record_in_a_claim_that_stays(
    cluster: Cluster, model: Released, tmp_path: Path
) -> None:
    record = ["--record", "--record-size", "64m", "--record-access", "ReadWriteOnce"]
    deploy(cluster, model, "1", "--replicas", "2", *record)
    for address in addresses(cluster, model):
        for _ in range(3):
            ask(address, model)
    cluster.kubectl("delete", "hpa", model.name)
    cluster.kubectl("scale", f"deployment/{model.name}", "--replicas=1")
    chosen = ["--selector", f"{manifests.MODEL}={model.model}", "--output", "name"]
    # As long as a pod may take to end, and some more for a busy cluster to say so.
    wait_until(lambda: len(cluster.kubectl("get", "pod", *chosen).split()) == 1, 120)
    pod = cluster.kubectl("get", "pod", *chosen).strip().removeprefix("pod/")
    copied = tmp_path / "recordings"
    cluster.kubectl("cp", f"{pod}:/recordings", str(copied))
    rows = recorded.rows(copied)
    # Of the one that has drained; the other has written too if that took it a minute.
    assert len(rows) in (3, 6), "and none of the smoke requests"
    assert {row["__version"] for row in rows} == {"1"}
    words = ["undeploy", model.model, "--to", "kubernetes", "--namespace", cluster.namespace]
    printed = call(model.folder, "sixfold", words, cluster.environment)
    claim = f"{model.name}-recordings"
    assert f"its recordings are kept: {claim};" in printed
    assert get(cluster, "persistentvolumeclaim", claim)["status"]["phase"] == "Bound"


def test_a_canary_needs_a_gateway(cluster: Cluster, model: Released) -> None:
    deploy(cluster, model, "1", "--replicas", "1")
    printed = deploy(cluster, model, "2", "--canary", "10", code=2)
    assert "expected a cluster with the Gateway API" in printed
    printed = deploy(cluster, model, "2", "--monitor", code=2)
    assert "expected a cluster with the Prometheus operator" in printed


def test_no_such_namespace(cluster: Cluster, model: Released) -> None:
    deploy(cluster, model, "1", "--replicas", "1")
    words = ["--namespace", "none-such"]
    printed = model.deploy("kubernetes", "1", *words, environment=cluster.environment, code=2)
    assert "expected a namespace that is there, got 'none-such'" in printed


def test_kubectl_builds_the_overlays(cluster: Cluster, model: Released) -> None:
    """As files on their own, and as they are written for a version."""
    deploy(cluster, model, "1", "--replicas", "1")
    for overlay in ("current", "older"):
        built = cluster.kubectl("kustomize", str(FOLDER / "overlays" / overlay))
        expected = manifests.read("base") + manifests.read(f"overlays/{overlay}")
        assert by_kind(list(yaml.safe_load_all(built))) == by_kind(expected)
    folder = model.folder / "written"
    deploy(cluster, model, "1", "--write", str(folder))
    cluster.kubectl("apply", "--kustomize", str(folder))
    cluster.kubectl("rollout", "status", f"deployment/{model.name}", "--timeout=120s")
    assert len(addresses(cluster, model)) == 3


def ask(address: str, model: Released) -> None:
    """Ask a pod for a prediction."""
    url, kind = f"http://{address}:8080/invocations", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(model.body).encode(), kind)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def by_kind(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(objects, key=lambda item: str(item["kind"]))


def status(cluster: Cluster, model: Released, code: int) -> str:
    words = ["status", model.model, "--json"]
    return call(model.folder, "sixfold", words, cluster.environment, code)
