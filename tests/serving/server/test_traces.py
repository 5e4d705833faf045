"""Traces of a real server, as a collector gets them."""

import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from serving.server.metrics import PHASES
from serving.server.traces import asked, ready
from tests.serving.server.bundles import MIXED, ROW, write_bundle
from tests.serving.server.collector import Collector, Span, collecting
from tests.serving.server.running import Server, running
from tests.waiting import wait_until

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
BODY = {"dataframe_records": [ROW, ROW]}
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "20"}
NEVER = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}


@contextmanager
def traced(folder: Path, url: str, variables: dict[str, str], **settings: Any) -> Iterator[Server]:
    """A server that sends its traces to a URL."""
    write_bundle(folder / "bundle", MIXED)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {ENDPOINT: url, **variables}.items():
            patch.setenv(name, value)
        with running(folder / "bundle", **settings) as server:
            yield server


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture(scope="module")
def server(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    variables = {
        **SOON,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    folder = tmp_path_factory.mktemp("traced")
    with traced(folder, collector.url, variables, workers=2) as found:
        yield found


def parent(trace: str = "", sampled: bool = True) -> tuple[str, dict[str, str]]:
    """A trace that a client has begun: its id, and the header that says so."""
    trace = trace or secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-00f067aa0ba902b7-0{int(sampled)}"}


def whole(spans: list[Span]) -> Span:
    """The span of the request itself."""
    (found,) = [span for span in spans if span.kind == 2]
    return found


@pytest.mark.parametrize("way", ["short", "long", "beside the event loop"])
def test_a_prediction(server: Server, collector: Collector, way: str) -> None:
    trace, headers = parent()
    rows = 2000 if way == "beside the event loop" else 2
    if way == "long":
        headers["expect"] = "100-continue"
    answer = server.ask("POST", "/invocations", {"dataframe_records": [ROW] * rows}, headers)
    assert answer.status == 200
    spans = collector.of(trace, 4)
    request = whole(spans)
    assert request.name == "POST /invocations"
    assert request.parent == "00f067aa0ba902b7"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/invocations",
        "http.response.status_code": 200,
        "url.path": "/invocations",
        "url.scheme": "http",
        "sixfold.model": "churn",
        "sixfold.version": "3",
        "sixfold.rows": rows,
    }
    assert not request.failed
    assert request.resource["service.name"] == "churn"
    assert request.resource["service.version"] == "3"
    assert request.resource["deployment.environment.name"] == "test"
    phases = sorted((span for span in spans if span is not request), key=lambda span: span.start)
    assert tuple(span.name for span in phases) == PHASES
    assert {span.parent for span in phases} == {request.id}
    times = [time for span in phases for time in (span.start, span.end)]
    assert times == sorted(times)
    assert request.start <= times[0]
    assert times[-1] <= request.end


def test_v2_and_what_is_no_prediction(server: Server, collector: Collector) -> None:
    for method, path in (("GET", "/livez"), ("GET", "/v2/models/churn"), ("HEAD", "/ping")):
        trace, headers = parent()
        assert server.ask(method, path, headers=headers).status == 200
        (span,) = collector.of(trace)
        assert span.name == f"{method} {path}"
    trace, headers = parent()
    path = "/v2/models/churn/versions/3/infer"
    inputs = [{"name": "count", "datatype": "FP64", "shape": [1], "data": [1]}]
    server.ask("POST", path, {"inputs": inputs}, headers)
    assert whole(collector.of(trace)).attributes["http.route"] == path


def test_a_request_without_a_parent_begins_a_trace(server: Server, collector: Collector) -> None:
    before = len(collector.requests())
    for _ in range(2):
        server.ask("GET", "/health")
    wait_until(lambda: len(collector.requests()) == before + 2, 10)
    first, second = collector.requests()[before:]
    assert first.parent == second.parent == ""
    assert first.trace != second.trace


def test_refusals_and_nothing_of_a_request(server: Server, collector: Collector) -> None:
    secret = "s3cret-of-a-client"
    row = {"dataframe_records": [{**ROW, "colour": secret, secret: secret}]}
    requests = [
        ("POST", "/invocations", row, 200, ""),
        ("POST", "/invocations", {secret: 1}, 400, "format"),
        ("POST", f"/{secret}?{secret}={secret}", {}, 404, "path"),
        ("DELETE", "/invocations", None, 405, "method"),
        (secret.upper(), f"/invocations?{secret}", None, 400, ""),
    ]
    for method, path, body, status, error in requests:
        trace, headers = parent()
        assert server.ask(method, path, body, {**headers, secret: secret}).status == status
        if method == secret.upper():  # the parser knows no such method
            continue
        span = whole(collector.of(trace))
        assert span.attributes["http.response.status_code"] == status
        assert span.attributes.get("sixfold.error", "") == error
        assert ("http.route" in span.attributes) == (status != 404)
        assert not span.failed, "a client's mistake is none of the server's"
    assert secret.encode() not in collector.raw
    assert secret.upper().encode() not in collector.raw


def test_a_parent_that_is_not_sampled_is_heeded(server: Server, collector: Collector) -> None:
    unwanted, not_sampled = parent(sampled=False)
    server.ask("POST", "/invocations", BODY, not_sampled)
    wanted, sampled = parent()
    server.ask("POST", "/invocations", BODY, sampled)
    collector.of(wanted, 4)
    assert unwanted not in {span.trace for span in collector.spans}
    # What is no traceparent is none.
    assert server.ask("POST", "/invocations", BODY, {"traceparent": "00-x-y-01"}).status == 200


@pytest.mark.slow
def test_a_drain_sends_what_is_there(tmp_path: Path) -> None:
    """And the sampler is the one that the variables name: of these ids it takes the lower half."""
    variables = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    with (
        collecting() as collector,
        traced(tmp_path, collector.url, NEVER | variables, workers=2, drain_seconds=5) as server,
    ):
        low, high = f"{1:032x}", "f" * 32
        for trace in [low, high] * 20:
            assert server.ask("POST", "/invocations", BODY, parent(trace)[1]).status == 200
        assert collector.spans == []
        server.process.terminate()
        wait_until(lambda: server.ask("GET", "/readyz", headers=parent(low)[1]).status == 503, 5)
        assert server.process.wait(30) == 0
        assert {span.trace for span in collector.spans} == {low}
        by_name: dict[str, list[Span]] = {}
        for span in collector.spans:
            by_name.setdefault(span.name, []).append(span)
        assert [len(by_name[name]) for name in ("POST /invocations", *PHASES)] == [20] * 4
        last = max(by_name["GET /readyz"], key=lambda span: span.start)
        assert last.failed
        assert last.attributes["error.type"] == "draining"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", ["1", "100"])
def test_predictions_go_on_without_a_collector(tmp_path: Path, seconds: str) -> None:
    """Whether the exporter gives up before the end or is at its tries."""
    variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "512", "OTEL_EXPORTER_OTLP_TIMEOUT": seconds}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with traced(tmp_path, url, SOON | variables) as server:
        for _ in range(300):  # more spans than are kept
            assert server.ask("POST", "/invocations", BODY).status == 200
        assert server.stop() == 0
        said = [line for line in server.log().splitlines() if "traces" in line]
    assert [line.partition(":")[0] for line in said] == ["traces are lost"]


@pytest.mark.slow
def test_variables_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "1"}  # and more in a batch
    with traced(tmp_path, "http://127.0.0.1:9", variables) as server:
        assert server.ask("POST", "/invocations", BODY).status == 200
        (line,) = [line for line in server.log().splitlines() if "traces" in line]
    assert line.startswith("no traces: ")
    assert "ValueError" in line


def test_what_is_another_way_to_a_collector() -> None:
    assert "http/protobuf" in ready({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert "otlp or none" in ready({"OTEL_TRACES_EXPORTER": "zipkin"})
    assert ready({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}) == ""


def test_where_opentelemetry_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter.")]:
        monkeypatch.delitem(sys.modules, name)
    assert "without --slim" in ready({})


@pytest.mark.parametrize(
    ("variables", "is_asked"),
    [
        ({}, False),
        ({ENDPOINT: "http://collector:4318"}, True),
        ({ENDPOINT: ""}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: "http://collector:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_what_asks_for_traces(variables: dict[str, str], is_asked: bool) -> None:
    assert asked(variables) == is_asked


@pytest.mark.slow
def test_nothing_is_imported_that_is_not_asked_for(tmp_path: Path) -> None:
    variables = {"PYTHONPROFILEIMPORTTIME": "1", "OTEL_SDK_DISABLED": "true"}
    with traced(tmp_path, "http://127.0.0.1:9", variables) as server:
        assert server.ask("POST", "/invocations", BODY).status == 200
        imported = {line.rpartition("|")[2].strip() for line in server.log().splitlines()}
    assert "serving.server.traces" in imported
    tops = {name.partition(".")[0] for name in imported}
    assert not tops & {"opentelemetry", "requests", "google"}
