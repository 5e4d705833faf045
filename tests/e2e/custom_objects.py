"""Kinds of objects that clusters with a gateway or Prometheus have; nothing here acts on them."""

import json
from typing import Any

_APPROVED = {"api-approved.kubernetes.io": "unapproved, for tests"}


def definition(kind: str, plural: str, group: str, version: str) -> dict[str, Any]:
    """A definition that takes any object of a kind."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": _APPROVED},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


_DEFINITIONS = [
    definition("HTTPRoute", "httproutes", "gateway.networking.k8s.io", "v1beta1"),
    definition("ServiceMonitor", "servicemonitors", "monitoring.coreos.com", "v1"),
]
#: Both, as kubectl reads them.
DEFINITIONS = json.dumps({"apiVersion": "v1", "kind": "List", "items": _DEFINITIONS})
