"""Kinds of objects that clusters with a gateway or Prometheus have; nothing here acts on them."""

import json

_APPROVED = {"api-approved.kubernetes.io": "unapproved, for tests"}


def definition(kind: str, plural: str, group: str, version: str) -> str:
    """A definition that takes any object of a kind, as JSON."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return json.dumps(
        {
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
    )


DEFINITIONS = [
    definition("HTTPRoute", "httproutes", "gateway.networking.k8s.io", "v1beta1"),
    definition("ServiceMonitor", "servicemonitors", "monitoring.coreos.com", "v1"),
]
