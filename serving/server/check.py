"""Whether a server is ready: what the image's health check runs. Standard library, and little."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

_SECONDS = 3.0


def is_ready(url: str) -> bool:
    """Whether the server at a URL such as `http://127.0.0.1:8080` answers that it is ready."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    request = f"GET {parts.path.rstrip('/')}/readyz HTTP/1.1\r\nhost: {host}\r\nconnection: close"
    try:
        with socket.create_connection((host, parts.port or 80), _SECONDS) as connection:
            connection.sendall(f"{request}\r\n\r\n".encode())
            with connection.makefile("rb") as answer:
                return answer.readline().split()[1:2] == [b"200"]
    except OSError:
        return False


def own_url(environ: Mapping[str, str]) -> str:
    """Where the server of this environment listens, as seen from beside it."""
    host = environ.get("SIXFOLD_HOST") or "127.0.0.1"
    if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{environ.get('SIXFOLD_PORT') or 8080}"
