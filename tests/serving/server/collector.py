"""A collector of traces: takes what OpenTelemetry's exporter sends over HTTP, and decodes it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.waiting import wait_until


@dataclass(frozen=True)
class Span:
    """A span as it came; ids are hexadecimal, times nanoseconds."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """What has come so far.

    Attributes
    ----------
    url : str
    spans : list of Span
    raw : bytes
        All of it, as it came.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Span] = []
        self.raw = b""

    def take(self, body: bytes) -> None:
        """Decode one export."""
        request = ExportTraceServiceRequest.FromString(body)
        self.raw += body
        for group in request.resource_spans:
            resource = _record(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [_span(span, resource) for span in scope.spans]

    def of(self, trace: str, count: int = 1) -> list[Span]:
        """The spans of a trace, as soon as there are so many, in the order of their start."""
        wait_until(lambda: len(self._of(trace)) >= count, 10)
        return sorted(self._of(trace), key=lambda span: span.start)

    def requests(self) -> list[Span]:
        """The spans of whole requests."""
        return [span for span in self.spans if span.kind == 2]

    def _of(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            is_ours = self.path == "/v1/traces"
            if is_ours:
                collector.take(body)
            self.send_response(200 if is_ours else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _span(span: Any, resource: dict[str, Any]) -> Span:
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_record(span.attributes),
        resource=resource,
    )


def _record(attributes: Any) -> dict[str, Any]:
    items: list[KeyValue] = list(attributes)
    return {item.key: _value(item.value) for item in items}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
