"""Asks the server beside this process."""

import http.client
import json
import os
import urllib.parse
from collections.abc import Callable
from typing import Any

PORT = int(os.environ.get("SIXFOLD_PORT", "8080"))
JSON = "application/json"

#: A check's name, and what raises `Wrong` or returns what else there is to say.
Check = tuple[str, Callable[[], str | None]]


class Wrong(Exception):
    """What was found in place of what must be."""


def ask(
    method: str, path: str, body: str = "", kind: str = JSON
) -> tuple[int, dict[str, str], str]:
    """One request to the server beside this process: status, headers, text."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request(
            method, path, body.encode() or None, {"Content-Type": kind} if body else {}
        )
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read().decode()
    finally:
        connection.close()


def predictions(body: Any, kind: str = JSON) -> Any:
    """What `/invocations` answers, the status being good."""
    text = body if kind != JSON else json.dumps(body)
    status, _, answer = ask("POST", "/invocations", text, kind)
    if status != 200:
        raise Wrong(f"status {status}: {answer[:200]}")
    return json.loads(answer)["predictions"]


def inferred(
    model: str, given: dict[str, Any], count: int, params: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The outputs that V2 answers for columns, the status being good."""
    address = f"/v2/models/{urllib.parse.quote(model, safe='')}"
    status, _, answer = ask("GET", address)
    if status != 200:
        raise Wrong(f"status {status} for the model's description: {answer[:200]}")
    inputs = [
        {"name": item["name"], "shape": [count], "datatype": item["datatype"], "data": given[name]}
        for item in json.loads(answer)["inputs"]
        if (name := item["name"]) in given
    ]
    body = json.dumps({"inputs": inputs, "parameters": params or {}})
    status, _, answer = ask("POST", f"{address}/infer", body)
    if status != 200:
        raise Wrong(f"status {status}: {answer[:200]}")
    outputs: list[dict[str, Any]] = json.loads(answer)["outputs"]
    return outputs
