"""How large a deployed version is on Kubernetes: what stays where no other size is given."""

import re
from contextlib import suppress
from typing import Any

from serving.deploy.recording import size_of

#: As Kubernetes writes them.
_UNITS = {"": 1.0, "m": 1e-3, "k": 1e3, "Ki": 1 << 10}
_UNITS |= {"M": 1e6, "Mi": 1 << 20, "G": 1e9, "Gi": 1 << 30}
_UNITS |= {"T": 1e12, "Ti": 1 << 40, "P": 1e15, "Pi": 1 << 50}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGTP]i?|Ki)?", re.ASCII)


def quantity(text: Any) -> float:
    """`500m`, `2`, `512Mi`, `1.5Gi` as a number; 0 for what is none."""
    match = _QUANTITY.fullmatch(str(text))
    return float(match[1]) * _UNITS.get(match[2] or "", 0) if match else 0.0


def sizes_of(item: Any, scaler: Any) -> dict[str, Any]:
    """CPUs, bytes, replicas and recordings of a Deployment, as `wanted.sized` takes them.

    Parameters
    ----------
    item : dict or None
        None for no Deployment.
    scaler : dict or None
        Its HorizontalPodAutoscaler, whose least number is the one that was asked for.
    """
    found: dict[str, Any] = {}
    with suppress(LookupError, TypeError, AttributeError, ValueError):  # changed by hand
        least = scaler["spec"].get("minReplicas", 1) if scaler else 0
        found["replicas"] = int(least or item["spec"]["replicas"])
    with suppress(LookupError, TypeError, AttributeError):
        containers = item["spec"]["template"]["spec"]["containers"]
        server = next((one for one in containers if one["name"] == "server"), containers[0])
        limits = server["resources"]["limits"]
        found["cpu"] = quantity(limits["cpu"])
        found["memory"] = int(quantity(limits["memory"]))
        environment = {one["name"]: one.get("value") for one in server.get("env", ())}
        found["recorded"] = size_of(environment)
    return found
