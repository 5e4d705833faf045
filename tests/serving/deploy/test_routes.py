"""Whether a Gateway has accepted a route, and how Gateways and hosts are named."""

from types import SimpleNamespace
from typing import Any

import pytest

from serving.deploy import routes
from serving.deploy.rollout import Failed
from training.errors import UserError


@pytest.mark.parametrize("text", ["edge", "infra/edge", "edge.v2", "a-1/b-2"])
def test_a_gateway(text: str) -> None:
    assert routes.parse_gateway(text) == text


@pytest.mark.parametrize("text", ["", "/edge", "a/b/c", "Edge", "infra/", "-edge", "a b"])
def test_no_gateway(text: str) -> None:
    with pytest.raises(UserError, match="expected --gateway NAME or NAMESPACE/NAME"):
        routes.parse_gateway(text)


@pytest.mark.parametrize("text", ["churn.example.com", "*.example.com", "localhost"])
def test_a_host(text: str) -> None:
    assert routes.parse_host(text) == text


@pytest.mark.parametrize(
    "text", ["", "*", "https://a", "a:80", "Churn.example", "10.0.0.1", "a..b"]
)
def test_no_host(text: str) -> None:
    with pytest.raises(UserError, match="expected --host with a name of small letters"):
        routes.parse_host(text)


def condition(kind: str, status: str = "True", generation: int = 2) -> dict[str, Any]:
    found = {"type": kind, "status": status, "observedGeneration": generation}
    return {**found, "reason": "BackendNotFound", "message": "no such Service"}


def parent(*conditions: dict[str, Any], **ref: str) -> dict[str, Any]:
    return {"parentRef": {"name": "edge", **ref}, "conditions": list(conditions)}


def route(*parents: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "sixfold-churn", "namespace": "ml", "generation": 2},
        "spec": {"parentRefs": [{"name": "edge"}], "hostnames": ["churn.example"]},
        "status": {"parents": list(parents)},
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (route(parent(condition("Accepted"))), ""),
        (route(parent(condition("Accepted"), condition("ResolvedRefs"), namespace="ml")), ""),
        # Of a Gateway that it belonged to before.
        (
            route(parent(condition("Accepted")), parent(condition("Accepted", "False"), name="b")),
            "",
        ),
        (None, "the route has gone"),
        (route(), r"nobody who runs it: edge \(host churn.example\)"),
        (route(parent(condition("Accepted"), namespace="other")), "nobody who runs it"),
        (route(parent()), "it has not said so yet"),
        (route(parent(condition("Accepted", generation=1))), "as it is now"),
        (route(parent(condition("Accepted", "False"))), "BackendNotFound: no such Service"),
        (
            route(parent(condition("Accepted"), condition("ResolvedRefs", "False"))),
            "BackendNotFound: no such Service",
        ),
    ],
)
def test_a_route_is_accepted_when_its_gateway_says_so(
    monkeypatch: pytest.MonkeyPatch, found: Any, said: str
) -> None:
    monkeypatch.setattr(routes, "_SECONDS", 0.0)
    monkeypatch.setattr(routes, "_POLL", 0.01)
    monkeypatch.setattr(routes, "_SETTLE", 0.0)
    kubectl: Any = SimpleNamespace(get=lambda *_: found)
    if not said:
        routes.wait_until_accepted(kubectl, "sixfold-churn")
        return
    with pytest.raises(Failed, match=f"its Gateway has not accepted the route: .*{said}"):
        routes.wait_until_accepted(kubectl, "sixfold-churn")
