"""Asks a server for the recorded predictions; runs where it is, in a container of its image.

Deploying hands this file's text to `python -c` there, so it is the standard library alone. Ends
with 0 if every answer was right; prints one JSON line that says what was found.
"""

import http.client
import json
import math
import os
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

_RELATIVE, _ABSOLUTE = 1e-5, 1e-6
_POLL = 0.05


class Wrong(Exception):
    """What was found in place of what must be."""


def token() -> str:
    """What the server asks for, of the same environment."""
    file = os.environ.get("SIXFOLD_TOKEN_FILE")
    return Path(file).read_text().strip() if file else os.environ.get("SIXFOLD_TOKEN", "").strip()


def ask(url: str, path: str, body: Any = None) -> tuple[int, dict[str, str], str]:
    """One request on a connection of its own: status, headers, text."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    headers = {"Connection": "close", "Sixfold-Record": "no"}
    if given := token():
        headers["Authorization"] = f"Bearer {given}"
    try:
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read().decode(errors="replace")
    finally:
        connection.close()


def wait_until_ready(url: str, seconds: float) -> None:
    """Until the server says that it is."""
    until, last = time.monotonic() + seconds, "it cannot be reached"
    while time.monotonic() < until:
        try:
            status, _, text = ask(url, "/readyz")
            if status == 200:
                return
            last = f"status {status}: {text[:200]}"
        except (OSError, http.client.HTTPException) as error:
            last = f"{type(error).__name__}: {error}"
        time.sleep(_POLL)
    raise Wrong(f"it is not ready within {seconds:g} s: {last}")


def compare(found: Any, recorded: list[Any], classes: list[Any] | None) -> None:
    """Numbers, or probabilities of the classes: by name, or in their order."""
    if len(found) != len(recorded):
        raise Wrong(f"{len(found)} predictions for {len(recorded)} rows")
    for row, (got, expected) in enumerate(zip(found, recorded, strict=True)):
        if isinstance(got, dict):
            got = [got[str(label)] for label in classes or ()]
        pairs = zip(got, expected, strict=True) if classes else [(got, expected)]
        for one, other in pairs:
            if not math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
                raise Wrong(f"{got} for row {row} of the sample, where {expected} was recorded")


def smoke(url: str, bundle: Path, named: str, times: int) -> None:
    """Ask for the sample's predictions, again and again."""
    sample = json.loads((bundle / "sample.json").read_text())
    # A model that Sixfold has not trained has an example in place of rows with predictions.
    is_ours = "request" not in sample
    classes = None
    body: dict[str, Any] = sample.get("request") or {"dataframe_records": sample["rows"]}
    if is_ours:
        classes = json.loads((bundle / "schema.json").read_text())["target"]["classes"]
    if classes is not None:
        body["params"] = {"predict_method": "predict_proba"}
    for _ in range(times):
        status, headers, text = ask(url, "/invocations", body)
        refused = status == 400 and sample.get("is_made", False)
        if status != 200 and not refused:
            raise Wrong(f"status {status}: {text[:200]}")
        found = headers.get("sixfold-version", "none")
        if found not in (named, urllib.parse.quote(named)):  # the latter where it is not ASCII
            raise Wrong(f"it answers as {found}, not as {named}")
        if is_ours:
            compare(json.loads(text)["predictions"], sample["predictions"], classes)


def main(url: str, bundle: str, named: str, seconds: str, times: str) -> int:
    """Wait until the server is ready, then ask it."""
    try:
        wait_until_ready(url, float(seconds))
        smoke(url, Path(bundle), named, int(times))
    except Wrong as wrong:
        found = str(wrong)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
    else:
        found = ""
    print(json.dumps({"wrong": found, "answers": 0 if found else int(times)}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
