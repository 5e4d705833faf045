"""Schemas of the fields that our objects of the Gateway API and the Prometheus operator use.

Their definitions are installed into a cluster and in no package here: these say in short what the
whole ones (Gateway API 1.x, Prometheus operator 0.8x) say of these fields, and allow no others.
"""

from typing import Any

Schema = dict[str, Any]

_TEXT = {"type": "string", "minLength": 1, "maxLength": 253}
_WEIGHT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65_535}
_LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}


def _record(*needed: str, **fields: Schema) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(needed),
        "additionalProperties": False,
    }


def _list(item: Schema, most: int) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


def _object(kind: str, versions: list[str], spec: Schema) -> Schema:
    return _record(
        *("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"enum": versions},
        kind={"const": kind},
        metadata=_record("name", name=_TEXT, labels=_LABELS),
        spec=spec,
    )


_BACKEND = _record("name", "port", name=_TEXT, port=_PORT, weight=_WEIGHT)
_ROUTE = _record(
    *("parentRefs", "rules"),
    parentRefs=_list(_record("name", name=_TEXT, namespace=_TEXT), 32),
    hostnames=_list(_TEXT, 16),
    rules=_list(_record(backendRefs=_list(_BACKEND, 16)), 16),
)
_CREDENTIALS = _record("type", "credentials", type=_TEXT, credentials=_record(
    "name", "key", name=_TEXT, key=_TEXT
))  # fmt: skip
_ENDPOINT = _record(
    port=_TEXT,
    path={"type": "string", "pattern": "^/"},
    interval={"type": "string", "pattern": r"^(0|(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?)$"},
    authorization=_CREDENTIALS,
)
_MONITOR = _record(
    *("selector", "endpoints"),
    selector=_record(matchLabels=_LABELS),
    endpoints=_list(_ENDPOINT, 100),
)

#: Kind -> schema.
SCHEMAS = {
    "HTTPRoute": _object(
        "HTTPRoute",
        ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"],
        _ROUTE,
    ),
    "ServiceMonitor": _object("ServiceMonitor", ["monitoring.coreos.com/v1"], _MONITOR),
}
