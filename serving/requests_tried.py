"""Runs inside a serving image, in a container without a network: is it what such an image must be?

`serving.check` hands this file's text to `python -c` there, so it is the standard library alone.
Prints one JSON object: `ready_seconds`, and `checks`, a list of [name, '' or what was found].
"""

import csv
import http.client
import io
import json
import math
import os
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PORT = int(os.environ.get("SIXFOLD_PORT", "8080"))
_RELATIVE, _ABSOLUTE = 1e-5, 1e-6
_POLL = 0.01
_READ_ONLY = 1  # statvfs's ST_RDONLY
_JSON = "application/json"

Check = tuple[str, Callable[[], Any]]


class Wrong(Exception):
    """What was found in place of what must be."""


def ask(
    method: str, path: str, body: str = "", kind: str = _JSON
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


def wait_until_ready(seconds: float) -> float:
    """Seconds from the container's start until the server was ready."""
    until = time.monotonic() + seconds
    while True:
        try:
            if ask("GET", "/readyz")[0] == 200:
                return since_start()
        except OSError:
            pass
        if time.monotonic() > until:
            raise Wrong(f"not ready within {seconds:g} s")
        time.sleep(_POLL)


def since_start() -> float:
    """Age of the container's first process."""
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


class Sample:
    """The recorded sample, and what its answers must be."""

    def __init__(self, bundle: Path) -> None:
        schema = json.loads((bundle / "schema.json").read_text())
        sample = json.loads((bundle / "sample.json").read_text())
        self.rows: list[dict[str, Any]] = sample["rows"]
        self.raw: list[Any] = sample["predictions"]
        self.classes: list[Any] | None = schema["target"]["classes"]
        self.columns = list(self.rows[0])

    def values(self) -> list[list[Any]]:
        return [[row[name] for name in self.columns] for row in self.rows]

    def by_column(self) -> dict[str, list[Any]]:
        return {name: [row[name] for row in self.rows] for name in self.columns}

    def compare_raw(self, found: Any) -> None:
        """Numbers, or probabilities of the classes: by name, or in their order."""
        if len(found) != len(self.raw):
            raise Wrong(f"{len(found)} predictions for {len(self.raw)} rows")
        for row, (got, expected) in enumerate(zip(found, self.raw, strict=True)):
            if isinstance(got, dict):
                got = [got[str(label)] for label in self.classes or ()]
            pairs = zip(got, expected, strict=True) if self.classes else [(got, expected)]
            for one, other in pairs:
                if not math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
                    raise Wrong(f"{got} for row {row} of the sample, where {expected} was recorded")

    def compare(self, found: Any) -> None:
        """Labels, or numbers for a regression."""
        if self.classes is None:
            self.compare_raw(found)
            return
        if len(found) != len(self.raw):
            raise Wrong(f"{len(found)} predictions for {len(self.raw)} rows")
        for row, (got, chances) in enumerate(zip(found, self.raw, strict=True)):
            first, second = sorted(chances, reverse=True)[:2]
            expected = self.classes[chances.index(first)]
            if got != expected and not math.isclose(first, second, rel_tol=_RELATIVE):
                raise Wrong(f"{got!r} for row {row} of the sample, where {expected!r} was recorded")


def predictions(body: Any, kind: str = _JSON) -> Any:
    """What `/invocations` answers, the status being good."""
    text = body if kind != _JSON else json.dumps(body)
    status, _, answer = ask("POST", "/invocations", text, kind)
    if status != 200:
        raise Wrong(f"status {status}: {answer[:200]}")
    return json.loads(answer)["predictions"]


def tries(bundle: Path, model: str, version: str) -> Iterator[Check]:
    """Every check by its name."""

    def named() -> None:
        headers = ask("GET", "/ping")[1]
        found, expected = headers.get("sixfold-version", ""), f"{model}/{version}"
        if found not in (expected, urllib.parse.quote(expected)):  # the latter if it is not ASCII
            raise Wrong(f"the header sixfold-version is {found!r}, not {expected}")

    def healthy() -> None:
        command = [sys.executable, "-m", "serving.server", "--check"]
        if code := subprocess.run(command, capture_output=True).returncode:
            raise Wrong(f"the health check ends with {code} where the server is ready")

    yield "user", not_root
    yield "file system", read_only
    yield "network", no_network
    if (bundle / "signature.json").is_file():
        yield from tries_of_example(bundle, model)
    else:
        yield from tries_of_sample(Sample(bundle), model)
    yield "version header", named
    yield "health check", healthy


def tries_of_sample(sample: Sample, model: str) -> Iterator[Check]:
    """What was recorded at training, in every format."""

    def recorded() -> None:
        body: dict[str, Any] = {"dataframe_records": sample.rows}
        if sample.classes is not None:
            body["params"] = {"predict_method": "predict_proba"}
        sample.compare_raw(predictions(body))

    def split() -> None:
        body = {"columns": sample.columns, "data": sample.values()}
        sample.compare(predictions({"dataframe_split": body}))

    def as_csv() -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(sample.columns)
        writer.writerows(sample.values())
        sample.compare(predictions(text.getvalue(), "text/csv"))

    def v2() -> None:
        sample.compare(inferred(model, sample.by_column(), len(sample.rows))[0]["data"])

    yield "recorded predictions", recorded
    yield "dataframe_split", split
    yield (
        "dataframe_records",
        lambda: sample.compare(predictions({"dataframe_records": sample.rows})),
    )
    yield "instances", lambda: sample.compare(predictions({"instances": sample.rows}))
    yield "inputs", lambda: sample.compare(predictions({"inputs": sample.by_column()}))
    yield "CSV", as_csv
    yield "V2 infer", v2


def tries_of_example(bundle: Path, model: str) -> Iterator[Check]:
    """The example of a model that came without predictions: all formats must say the same."""
    example = json.loads((bundle / "sample.json").read_text())
    request = example["request"]

    def answered() -> Any:
        status, _, answer = ask("POST", "/invocations", json.dumps(request))
        if status == 200:
            return json.loads(answer)["predictions"]
        if status == 400 and example["is_made"]:
            return None  # the model refuses a row that nobody has said it takes
        raise Wrong(f"status {status}: {answer[:200]}")

    def again() -> None:
        first, second = answered(), answered()
        if shown(first) != shown(second):
            raise Wrong(f"{second} for the example, where {first} was answered before")

    def records() -> None:
        split = request["dataframe_split"]
        rows = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
        if (expected := answered()) is None:
            return
        found = predictions({"dataframe_records": rows})
        if shown(found) != shown(expected):
            raise Wrong(f"{found} for the example, where {expected} is in dataframe_split")

    def v2() -> None:
        split = request["dataframe_split"]
        given = dict(zip(split["columns"], zip(*split["data"], strict=True), strict=True))
        if (expected := answered()) is None:
            return
        found = inferred(model, given, len(split["data"]))
        if len(found) == 1 and shown(found[0]["data"]) != shown(expected):
            raise Wrong(f"{found[0]['data']} for the example, where {expected} is in V1")

    yield "example", answered
    yield "example again", again
    if "columns" in request.get("dataframe_split", {}):
        yield "dataframe_records", records
        yield "V2 infer", v2


def shown(value: Any) -> list[str]:
    """All cells of nested lists and records as texts; V2 has null for NaN, and texts for dates."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in shown(part)]
    return ["None" if value != value else str(value)]


def inferred(model: str, given: dict[str, Any], count: int) -> list[dict[str, Any]]:
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
    status, _, answer = ask("POST", f"{address}/infer", json.dumps({"inputs": inputs}))
    if status != 200:
        raise Wrong(f"status {status}: {answer[:200]}")
    outputs: list[dict[str, Any]] = json.loads(answer)["outputs"]
    return outputs


def not_root() -> None:
    """Neither this process nor the server is root's."""
    users = Path("/proc/1/status").read_text().partition("Uid:")[2].split()[:4]
    if os.getuid() == 0 or "0" in users:
        raise Wrong(f"the server runs as user {users[0]}")


def read_only() -> None:
    """The server needs no root file system that it can write to: this one it cannot."""
    if not os.statvfs("/").f_flag & _READ_ONLY:
        raise Wrong("the root file system can be written to")


def no_network() -> None:
    """The server needs no network: there is none here."""
    if found := sorted({path.name for path in Path("/sys/class/net").iterdir()} - {"lo"}):
        raise Wrong(f"there is a network: {', '.join(found)}")


def main(bundle: str, model: str, version: str, patience: str) -> None:
    """Wait until the server is ready, then try everything."""
    checks: list[tuple[str, str]] = []
    ready = 0.0
    try:
        ready = wait_until_ready(float(patience))
    except Wrong as wrong:
        checks.append(("ready", str(wrong)))
    else:
        checks.append(("ready", ""))
        for name, tried in tries(Path(bundle), model, version):
            try:
                tried()
                checks.append((name, ""))
            except Wrong as wrong:
                checks.append((name, str(wrong)))
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
                checks.append((name, f"{type(error).__name__}: {error}"))
    print(json.dumps({"ready_seconds": round(ready, 3), "checks": checks}))


if __name__ == "__main__":
    main(*sys.argv[1:])
