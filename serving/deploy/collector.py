"""Where a deployed version sends its traces, and what that takes."""

from typing import Any
from urllib.parse import urlsplit

from training.errors import UserError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME_SERVER = 53


def parse_traces(text: str) -> str:
    """The URL of a collector, checked.

    Raises
    ------
    UserError
    """
    try:
        url = urlsplit(text)
        valid = url.scheme in _DEFAULT_PORTS and bool(url.hostname) and url.port != 0
        valid = valid and not (url.query or url.fragment or any(map(str.isspace, text)))
    except ValueError:
        valid = False
    if not valid:
        raise UserError(
            "expected --traces with the URL of a collector of OTLP over HTTP, such as "
            f"http://collector:4318, got {text!r}"
        )
    if "@" in url.netloc:
        raise UserError(
            "expected --traces without a user and password, which the deployment would show, got "
            "them; let the collector ask for none"
        )
    return text


def settings(traces: str) -> dict[str, str]:
    """The server's environment."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": traces}


def egress(traces: str) -> list[dict[str, Any]]:
    """What a NetworkPolicy has to let out: to the collector's port, and to look its name up."""
    url = urlsplit(traces)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    names = [{"port": _NAME_SERVER, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return [{"ports": [{"port": port, "protocol": "TCP"}]}, {"ports": names}]
