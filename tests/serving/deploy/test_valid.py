"""Every object that is rendered, against the schemas of Kubernetes, strictly: no field too many."""

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from serving.deploy import manifests
from serving.deploy.manifests import Object
from serving.deploy.wanted import Release, Wanted
from tests.serving.deploy.custom_objects import SCHEMAS
from tests.serving.deploy.releases import CHURN
from tests.serving.deploy.test_manifests import OLD, WANTED, everything

#: The oldest and the newest that there are schemas of. What is older is tried on a cluster.
VERSIONS = ("1.25", "1.37")
#: What has keys of one's own.
FREE = {"labels", "annotations", "matchLabels", "requests", "limits", "stringData"}
_ANY_NAME = Release("Kündigung (EU) " + "x" * 200, "12", "run", "kuendigung:12")


def check(item: Object, version: str) -> None:
    """Fail for an object that a cluster of the version would not take as it is."""
    if item["kind"] in SCHEMAS:
        jsonschema.validate(item, SCHEMAS[item["kind"]])
    else:
        kubernetes_validate.validate(item, version, strict=True)


def rendered() -> list[Object]:
    older = [
        # Gone with 1.25; what it says is what `policy/v1` says.
        {**item, "apiVersion": item["apiVersion"].replace("policy/v1beta1", "policy/v1")}
        for item in manifests.stable(CHURN, WANTED, OLD)
    ]
    return [
        *everything(),
        *older,
        *manifests.stable(_ANY_NAME, Wanted(_ANY_NAME.model, monitor=True), []),
        manifests.route("churn", 0, ["gateway.networking.k8s.io/v1beta1"], "edge"),
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_takes_what_is_rendered(version: str) -> None:
    objects = rendered()
    for item in objects:
        check(item, version)
    assert {"HTTPRoute", "ServiceMonitor", "Deployment", "Pod"} <= {o["kind"] for o in objects}


@pytest.mark.parametrize("item", everything(), ids=lambda item: item["kind"])
def test_a_field_that_is_misspelt_is_found(item: Object) -> None:
    changed = copy.deepcopy(item)
    *way, last = max(fields(item), key=len)
    inner: Any = changed
    for step in way:
        inner = inner[step]
    inner[f"{last}x"] = inner.pop(last)
    with pytest.raises(jsonschema.ValidationError):
        check(changed, VERSIONS[-1])


def fields(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of an object by the way to it, but those that are the user's own words."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from fields(item, (*way, at))
    elif isinstance(value, dict) and not (way and way[-1] in FREE):
        for key, item in value.items():
            yield (*way, key)
            yield from fields(item, (*way, key))
