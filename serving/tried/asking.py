"""Asks a server: the one beside this process, unless another is named."""

import http.client
import json
import os
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

JSON = "application/json"
BESIDE = f"http://127.0.0.1:{os.environ.get('SIXFOLD_PORT', '8080')}"
_POLL = 0.02

#: A check's name, and what raises `Wrong` or returns what else there is to say.
Check = tuple[str, Callable[[], str | None]]


class Wrong(Exception):
    """What was found in place of what must be."""


def ask(
    method: str, path: str, body: str = "", kind: str = JSON, url: str = ""
) -> tuple[int, dict[str, str], str]:
    """One request on a connection of its own, which is not recorded: status, headers, text."""
    parts = urllib.parse.urlsplit(url or BESIDE)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    headers = {"Connection": "close", "Sixfold-Record": "no"}
    if token := _token():
        headers["Authorization"] = f"Bearer {token}"
    if body:
        headers["Content-Type"] = kind
    try:
        connection.request(method, path, body.encode() or None, headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read().decode(errors="replace")
    finally:
        connection.close()


def wait_until_ready(seconds: float, url: str = "") -> None:
    """Until the server says that it is."""
    until, last = time.monotonic() + seconds, ""
    while True:
        try:
            status, _, text = ask("GET", "/readyz", url=url)
            if status == 200:
                return
            last = f"status {status}: {text[:200]}"
        except (OSError, http.client.HTTPException) as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > until:
            raise Wrong(f"not ready within {seconds:g} s: {last}")
        time.sleep(_POLL)


def check_version(headers: dict[str, str], expected: str) -> None:
    """An answer names the version that it is of."""
    found = headers.get("sixfold-version", "none")
    if found not in (expected, urllib.parse.quote(expected)):  # the latter if it is not ASCII
        raise Wrong(f"it answers as {found}, not as {expected}")


def predictions(body: Any, kind: str = JSON) -> Any:
    """What `/invocations` answers, the status being good."""
    text = body if kind != JSON else json.dumps(body)
    status, _, answer = ask("POST", "/invocations", text, kind)
    if status != 200:
        raise Wrong(f"status {status}: {answer[:200]}")
    return json.loads(answer)["predictions"]


def inferred(
    model: str,
    given: dict[str, tuple[list[int], list[Any]]],
    params: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The outputs that V2 answers for tensors, each a shape and values, the status being good."""
    address = f"/v2/models/{urllib.parse.quote(model, safe='')}"
    status, _, answer = ask("GET", address)
    if status != 200:
        raise Wrong(f"status {status} for the model's description: {answer[:200]}")
    inputs = [
        {
            "name": name,
            "datatype": item["datatype"],
            "shape": given[name][0],
            "data": given[name][1],
        }
        for item in json.loads(answer)["inputs"]
        if (name := item["name"]) in given
    ]
    body = json.dumps({"inputs": inputs, "parameters": params or {}})
    status, _, answer = ask("POST", f"{address}/infer", body)
    if status != 200:
        raise Wrong(f"status {status}: {answer[:200]}")
    outputs: list[dict[str, Any]] = json.loads(answer)["outputs"]
    return outputs


def _token() -> str:
    """What the server asks for, of the same environment."""
    file = os.environ.get("SIXFOLD_TOKEN_FILE")
    return Path(file).read_text().strip() if file else os.environ.get("SIXFOLD_TOKEN", "").strip()
