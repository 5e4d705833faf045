"""The objects of `deploy/` for a version: what they grant, ask for, and are named."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.deploy import manifests
from serving.deploy.manifests import FOLDER, Object
from serving.deploy.recording import Recording
from serving.deploy.wanted import Release, Wanted
from tests.serving.deploy.releases import CHURN

OLD = ["v1", "apps/v1", "policy/v1beta1", "autoscaling/v1", "networking.k8s.io/v1"]
NEW = ["v1", "apps/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1"]
WANTED = Wanted("churn", cpu=0.5, memory=256 << 20, replicas=4, workers=2)


def by_kind(objects: list[Object]) -> dict[str, Object]:
    found = {item["kind"]: item for item in objects}
    assert len(found) == len(objects)
    return found


def pods(item: Object) -> dict[str, Any]:
    """Specification of the pods that an object makes, or is."""
    spec: dict[str, Any] = (
        item["spec"]["template"]["spec"] if "template" in item["spec"] else item["spec"]
    )
    return spec


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def everything() -> list[Object]:
    record = Recording(storage_class="nfs", share=0.1)
    wanted = Wanted("churn", canary=10, monitor=True, record=record, traces="http://otel:4318")
    return [
        *manifests.stable(CHURN, wanted, NEW, token="7"),
        *manifests.canary(CHURN, wanted, token="7"),
        manifests.route("churn", 10, [], "infra/edge", "churn.example"),
        manifests.claim("churn", record),
        manifests.smoke_pod(CHURN, "sixfold-churn", "pass", 9, token=True),
        manifests.secret("churn", "s3cret"),
    ]


def test_what_serves_a_version() -> None:
    found = by_kind(manifests.stable(CHURN, WANTED, NEW))
    assert set(found) == {
        *("Deployment", "Service", "NetworkPolicy"),
        *("HorizontalPodAutoscaler", "PodDisruptionBudget"),
    }
    assert {item["metadata"]["name"] for item in found.values()} == {"sixfold-churn"}
    spec = found["Deployment"]["spec"]
    assert spec["replicas"] == 4
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (container,) = pods(found["Deployment"])["containers"]
    assert container["image"] == CHURN.image
    sizes = {"cpu": "500m", "memory": "256Mi"}
    assert container["resources"] == {"requests": sizes, "limits": sizes}
    assert {"name": "SIXFOLD_WORKERS", "value": "2"} in container["env"]
    scaler = found["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (4, 16)
    assert scaler["scaleTargetRef"]["name"] == "sixfold-churn"


@pytest.mark.parametrize(
    "item", [item for item in everything() if item["kind"] in ("Deployment", "Pod")],
    ids=lambda item: item["metadata"]["name"],
)  # fmt: skip
def test_pods_can_do_little(item: Object) -> None:
    spec = pods(item)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert container["imagePullPolicy"] == "IfNotPresent"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    expected = {"tmp", "token"} | ({"recordings"} if item["kind"] == "Deployment" else set())
    assert mounted == {volume["name"] for volume in spec["volumes"]} == expected
    assert not any("hostPath" in volume for volume in spec["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


def test_probes_and_the_end_of_a_pod() -> None:
    found = by_kind(manifests.stable(CHURN, WANTED, NEW))
    spec = pods(found["Deployment"])
    (container,) = spec["containers"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    environment = {item["name"]: item["value"] for item in container["env"]}
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = float(environment["SIXFOLD_DRAIN_SECONDS"])
    assert pause > 0
    assert drain > 0
    longest_request = 30
    assert spec["terminationGracePeriodSeconds"] > pause + drain + longest_request


def test_selectors_choose_the_pods_and_nothing_else() -> None:
    found = by_kind(manifests.stable(CHURN, WANTED, NEW))
    other = manifests.canary(CHURN, Wanted("churn", canary=10))
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    canary_labels = other[0]["spec"]["template"]["metadata"]["labels"]
    smoke = manifests.smoke_pod(CHURN, "sixfold-churn", "pass", 9, token=False)
    smoke_labels = smoke["metadata"]["labels"]

    def chooses(selector: dict[str, str], of: dict[str, str]) -> bool:
        return selector.items() <= of.items()

    own = {
        "Deployment": found["Deployment"]["spec"]["selector"]["matchLabels"],
        "Service": found["Service"]["spec"]["selector"],
        "PodDisruptionBudget": found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    }
    for kind, selector in own.items():
        assert chooses(selector, labels), kind
        assert not chooses(selector, canary_labels), kind
        assert not chooses(selector, smoke_labels), kind
        assert manifests.VERSION not in selector, kind
    policy = found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert chooses(policy, labels)
    assert chooses(policy, canary_labels)
    assert not chooses(policy, smoke_labels), "the smoke request must reach the Service"
    assert chooses(other[1]["spec"]["selector"], canary_labels)
    assert not chooses(other[1]["spec"]["selector"], labels)


def test_the_network_lets_requests_in_and_nothing_out() -> None:
    policy = by_kind(manifests.stable(CHURN, WANTED, NEW))["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "http", "protocol": "TCP"}]]


def test_traces_may_leave_to_the_collector_and_nothing_else() -> None:
    wanted = Wanted("churn", traces="https://otel.example/prefix")
    found = by_kind(manifests.stable(CHURN, wanted, NEW))
    (container,) = pods(found["Deployment"])["containers"]
    variable = {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "https://otel.example/prefix"}
    assert variable in container["env"]
    assert found["NetworkPolicy"]["spec"]["egress"] == [
        {"ports": [{"port": 443, "protocol": "TCP"}]},
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    ]


def test_an_older_cluster_gets_the_same_objects_in_its_form() -> None:
    new, old = (by_kind(manifests.stable(CHURN, WANTED, apis)) for apis in (NEW, OLD))
    assert set(new) == set(old)
    assert new["HorizontalPodAutoscaler"]["apiVersion"] == "autoscaling/v2"
    assert old["HorizontalPodAutoscaler"]["apiVersion"] == "autoscaling/v1"
    assert old["PodDisruptionBudget"]["apiVersion"] == "policy/v1beta1"
    (metric,) = new["HorizontalPodAutoscaler"]["spec"]["metrics"]
    per_cent = old["HorizontalPodAutoscaler"]["spec"]["targetCPUUtilizationPercentage"]
    assert metric["resource"]["target"]["averageUtilization"] == per_cent
    for kind in ("minReplicas", "maxReplicas"):
        specs = [found["HorizontalPodAutoscaler"]["spec"][kind] for found in (new, old)]
        assert specs[0] == specs[1]
    assert new["PodDisruptionBudget"]["spec"] == old["PodDisruptionBudget"]["spec"]
    assert {item["apiVersion"] for item in old.values()} <= set(OLD)
    # 1.21 and 1.22 have one of the two.
    middle = by_kind(manifests.stable(CHURN, WANTED, [*OLD, "policy/v1"]))
    assert middle["PodDisruptionBudget"]["apiVersion"] == "policy/v1"
    assert middle["HorizontalPodAutoscaler"]["apiVersion"] == "autoscaling/v1"


def test_the_canary_gets_its_share() -> None:
    route = manifests.route("churn", 10, ["gateway.networking.k8s.io/v1beta1"], "edge")
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1beta1"
    assert route["spec"]["parentRefs"] == [{"name": "edge"}]
    assert "hostnames" not in route["spec"]
    (rule,) = route["spec"]["rules"]
    weights = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
    assert weights == {"sixfold-churn": 90, "sixfold-churn-canary": 10}
    found = by_kind(manifests.canary(CHURN, Wanted("churn", canary=30, replicas=10)))
    assert found["Deployment"]["spec"]["replicas"] == 3
    assert found["Service"]["metadata"]["name"] == "sixfold-churn-canary"
    (rule,) = manifests.route("churn", 0, [], "edge")["spec"]["rules"]
    assert [backend["name"] for backend in rule["backendRefs"]] == ["sixfold-churn"]


def test_a_route_keeps_its_gateway_and_hosts_where_none_are_named() -> None:
    route = manifests.route("churn", 10, [], "infra/edge", "churn.example")
    assert route["spec"]["parentRefs"] == [{"namespace": "infra", "name": "edge"}]
    assert route["spec"]["hostnames"] == ["churn.example"]
    ended = manifests.route("churn", 0, [], there=route)
    for field in ("parentRefs", "hostnames"):
        assert ended["spec"][field] == route["spec"][field]
    other = manifests.route("churn", 20, [], "own", "other.example", there=route)
    assert other["spec"]["parentRefs"] == [{"name": "own"}]
    assert other["spec"]["hostnames"] == ["other.example"]
    assert manifests.route("churn", 20, [])["spec"]["parentRefs"] == [{"name": "gateway"}]


def test_the_token_is_in_its_secret_only() -> None:
    objects = everything()
    for item in objects:
        has = any("s3cret" in text for text in strings(item))
        assert has == (item["kind"] == "Secret"), item["kind"]
    found = by_kind(manifests.stable(CHURN, Wanted("churn", monitor=True), NEW, token="7"))
    (endpoint,) = found["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {
        "name": "sixfold-churn-token",
        "key": "token",
    }


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_what_is_recorded_goes_to_the_claim(share: float) -> None:
    record = Recording(size=10 << 30, share=share, storage_class="nfs", access="ReadWriteOnce")
    wanted = Wanted("churn", canary=10, record=record)
    claim = manifests.claim("churn", record)
    assert claim["metadata"]["name"] == "sixfold-churn-recordings"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10240Mi"}},
        "storageClassName": "nfs",
    }
    for item in (manifests.stable(CHURN, wanted, NEW)[0], manifests.canary(CHURN, wanted)[0]):
        (container,) = pods(item)["containers"]
        (mount,) = [m for m in container["volumeMounts"] if m["name"] == "recordings"]
        (volume,) = [v for v in pods(item)["volumes"] if v["name"] == "recordings"]
        claimed = volume["persistentVolumeClaim"]["claimName"]
        assert claimed == claim["metadata"]["name"]
        environment = {e["name"]: e["value"] for e in container["env"]}
        assert environment["SIXFOLD_RECORD"] == mount["mountPath"]
        assert 0 < int(environment["SIXFOLD_RECORD_BYTES"]) < 10 << 30
        assert environment.get("SIXFOLD_RECORD_SHARE") == (None if share == 1.0 else "0.1")
        assert pods(item)["securityContext"]["fsGroup"] == 10001, "who may write to the volume"


def test_without_recording_nothing_is_claimed() -> None:
    objects = manifests.stable(CHURN, WANTED, NEW)
    assert not any("ecord" in text for item in objects for text in strings(item))
    plain = manifests.claim("churn", Recording())
    assert "storageClassName" not in plain["spec"], "the cluster's default"
    assert plain["spec"]["accessModes"] == ["ReadWriteMany"]


def test_any_model_name_makes_valid_names_and_labels() -> None:
    release = Release("Kündigung (EU) " + "x" * 200, "12", "", "kuendigung:12")
    for item in manifests.stable(release, Wanted(release.model), NEW):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", item["metadata"]["name"])
        for value in item["metadata"]["labels"].values():
            assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value)


def test_nothing_of_the_files_is_left_over() -> None:
    for item in everything():
        left = [
            text for text in strings(item) if "sixfold-model" in text or text == "model:version"
        ]
        assert not left, item["kind"]


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.parent.name + "/" + path.name
)
def test_every_file_is_listed_by_a_kustomization(path: Path) -> None:
    listed = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
    assert path.name == "kustomization.yaml" or path.name in listed["resources"]
    for base in listed.get("bases", []):
        assert (path.parent / base / "kustomization.yaml").is_file()
