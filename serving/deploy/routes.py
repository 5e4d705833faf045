"""The route of the Gateway API that gives a canary its share, from the Gateway to both Services."""

import re
import time
from collections.abc import Iterable
from typing import Any

from serving.deploy import manifests
from serving.deploy.kubectl import Kubectl
from serving.deploy.names import deployment
from serving.deploy.rollout import Failed
from training.errors import UserError

_POLL = 0.5
#: What a gateway says that it has, its parts have a moment later.
_SECONDS, _SETTLE = 60, 2.0
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_GATEWAY = re.compile(rf"(?:{_LABEL}/)?{_LABEL}(?:\.{_LABEL})*")
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


def parse_gateway(text: str) -> str:
    """`NAME` or `NAMESPACE/NAME`, checked.

    Raises
    ------
    UserError
    """
    if not _GATEWAY.fullmatch(text):
        raise UserError(
            f"expected --gateway NAME or NAMESPACE/NAME, got {text!r}; `kubectl get gateway "
            "--all-namespaces` lists them"
        )
    return text


def parse_host(text: str) -> str:
    """A host's name, checked.

    Raises
    ------
    UserError
    """
    if not _HOST.fullmatch(text) or text.replace(".", "").isdecimal():
        raise UserError(
            f"expected --host with a name of small letters, such as churn.example.com, got {text!r}"
        )
    return text


def wait_for_route(kubectl: Kubectl, name: str) -> None:
    """Until gateways say that they have a route as it is now, or have had a moment to forget it.

    At once where none says anything.
    """
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        route = kubectl.get("httproute", name)
        if not route:
            break
        parents = route.get("status", {}).get("parents", [])
        if not parents:
            return
        wanted = route["metadata"].get("generation", 0)
        seen = [
            condition.get("observedGeneration", wanted)
            for parent in parents
            for condition in parent.get("conditions", [])
        ]
        if min(seen, default=wanted) >= wanted:
            break
        time.sleep(_POLL)
    time.sleep(_SETTLE)


def wait_until_accepted(kubectl: Kubectl, name: str) -> None:
    """Until its Gateway has accepted a route as it is now.

    Raises
    ------
    Failed
        It has not, in time; why, as far as it says so.
    """
    until = time.monotonic() + _SECONDS
    while refused := _refused(kubectl.get("httproute", name)):
        if time.monotonic() > until:
            raise Failed(f"its Gateway has not accepted the route: {refused}")
        time.sleep(_POLL)
    time.sleep(_SETTLE)


def end_canary(kubectl: Kubectl, model: str, apis: Iterable[str]) -> None:
    """A canary ends: first its route leads to the one Service again."""
    name, known = deployment(model), list(apis)
    found = kubectl.get("httproute", name) if manifests.gateway_api(known) else None
    if found:
        item = manifests.route(model, 0, known, there=found)
        kubectl.apply(manifests.as_yaml([item]))
        wait_for_route(kubectl, name)
    if kubectl.get("deployment", f"{name}-canary"):
        kubectl.delete(f"deployment/{name}-canary", f"service/{name}-canary")


def gateway_of(route: manifests.Object) -> str:
    """The Gateway that a route belongs to, as `--gateway` has it, and its hosts, in words."""
    parents = [
        "/".join(filter(None, (parent.get("namespace"), parent["name"])))
        for parent in route["spec"]["parentRefs"]
    ]
    hosts = route["spec"].get("hostnames", [])
    return " and ".join(parents) + (f" (host {', '.join(hosts)})" if hosts else "")


def _refused(route: Any) -> str:
    """What is in the way of a route; '' for nothing."""
    if not route:
        return "the route has gone"
    meta, spec = route["metadata"], route["spec"]
    home = meta.get("namespace", "")
    asked = {(ref.get("namespace", home), ref["name"]) for ref in spec["parentRefs"]}
    parents = [
        parent
        for parent in route.get("status", {}).get("parents", [])
        if _is_among(parent.get("parentRef", {}), home, asked)
    ]
    if not parents:
        return f"there is none, or nobody who runs it: {gateway_of(route)}"
    wanted = meta.get("generation", 0)
    for parent in parents:
        said = {item["type"]: item for item in parent.get("conditions", [])}
        for kind in ("Accepted", "ResolvedRefs"):
            item = said.get(kind)
            if item is None and kind == "Accepted":
                return "it has not said so yet"
            if item and item.get("observedGeneration", wanted) < wanted:
                return "it has not looked at it as it is now"
            if item and item["status"] != "True":
                return f"{item.get('reason', kind)}: {item.get('message', '')}".rstrip(": ")
    return ""


def _is_among(ref: dict[str, Any], home: str, asked: set[tuple[str, str]]) -> bool:
    return (ref.get("namespace", home), ref.get("name", "")) in asked
