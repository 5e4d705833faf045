"""Traces by OpenTelemetry: asked for by its usual variables, sent to a collector by OTLP.

A request's spans are made when it has been answered, from the times that were taken: nothing waits
for them, and where none are asked for nothing of OpenTelemetry is imported. They hold what the
server knows of itself, and nothing of what a request brought but the trace that it belongs to.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.server.metrics import PHASES

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from serving.server.bundle import Bundle

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
_PARENT = (b"traceparent", b"tracestate")
#: Seconds at the end to send what is still here; less than the supervisor waits (`_GRACE`).
_FLUSH = 3.0

_log = logging.getLogger("sixfold")


def asked(environ: Mapping[str, str]) -> bool:
    """Whether an environment asks for traces, as OpenTelemetry has it."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter:
        return exporter != "none"
    return any(environ.get(name, "").strip() for name in _ENDPOINTS)


def ready(environ: Mapping[str, str]) -> str:
    """Import, once and for all workers, what makes traces; why it cannot be, '' if it can."""
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() not in ("", "otlp"):
        return "expected otlp or none in OTEL_TRACES_EXPORTER, got another exporter"
    protocol = next((environ[name].strip() for name in _PROTOCOLS if environ.get(name)), _PROTOCOL)
    if protocol.lower() != _PROTOCOL:
        return f"expected {_PROTOCOL} in OTEL_EXPORTER_OTLP_PROTOCOL, got another protocol"
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError:
        return (
            "expected OpenTelemetry, which OTEL_ variables ask for and a slim image does not have; "
            "build one without --slim, or set OTEL_SDK_DISABLED=true"
        )
    return ""


def begin(bundle: "Bundle") -> "Traces | None":
    """The traces of this worker; None, and a line in the log, if the variables do not serve."""
    try:
        return Traces(bundle)
    except Exception as error:  # noqa: BLE001  of whatever kind: predictions do not need traces
        _log.error(
            "no traces: expected OTEL_ variables as OpenTelemetry has them, got %s; correct them",
            type(error).__name__,
        )
        return None


@dataclass(slots=True)
class Seen:
    """What is known of a request by the time that it is answered.

    Attributes
    ----------
    method : str
    headers : iterable of (bytes, bytes)
    start, end : int
        Nanoseconds since 1970; `end` is 0 for a client that went away.
    path : str
        Of its route; '' for a path that is none of the server's.
    status : int
    error : str
        One of `errors.KINDS`; '' if it was answered as asked.
    rows : int
    times : tuple of float
        Seconds of its phases, in the order of `PHASES`.
    written : int
        When the last of them ended.
    """

    method: str
    headers: Any
    start: int
    end: int = 0
    path: str = ""
    status: int = 0
    error: str = ""
    rows: int = -1
    times: tuple[float, ...] = ()
    written: int = 0


class Traces:
    """The traces of one worker; made after the fork, as a thread sends them.

    Parameters
    ----------
    bundle : Bundle
    """

    def __init__(self, bundle: "Bundle") -> None:
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # It says at each try what `_Exporter` says once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        own = {"service.name": bundle.model, "service.version": bundle.version}
        given = OTELResourceDetector().detect().attributes
        self._provider = TracerProvider(
            resource=Resource.create({**own, **given}), shutdown_on_exit=False
        )
        self._exporter = _Exporter(OTLPSpanExporter())
        exporter: Any = self._exporter  # whose class would have to be imported here
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sixfold.serving")
        self._extract = TraceContextTextMapPropagator().extract
        self._trace = trace
        # Not this thread's: a request without a parent begins a trace.
        self._nowhere = Context()
        self._model = {"sixfold.model": bundle.model, "sixfold.version": bundle.version}

    def add(self, seen: Seen) -> None:
        """Add a request's spans, if it is one of the sample; never fails."""
        try:
            self._add(seen)
        except Exception as error:  # noqa: BLE001  no request is worth less for its trace
            _log.error("a trace failed: %s", type(error).__name__)

    def close(self) -> None:
        """Send what is here, within some seconds."""
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(_FLUSH)
        if thread.is_alive():
            self._exporter.say(False)

    def _add(self, seen: Seen) -> None:
        trace = self._trace
        method = seen.method if seen.method in _METHODS else "_OTHER"
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "url.scheme": "http",
            **self._model,
        }
        if seen.path:
            attributes["http.route"] = attributes["url.path"] = seen.path
        if seen.status:
            attributes["http.response.status_code"] = seen.status
        if seen.rows >= 0:
            attributes["sixfold.rows"] = seen.rows
        if seen.error:
            attributes["sixfold.error"] = seen.error
        failed = seen.status >= 500 or not seen.status
        if failed:
            attributes["error.type"] = seen.error or "disconnected"
        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in seen.headers
            if name in _PARENT
        }
        named = "HTTP" if method == "_OTHER" else method
        span = self._tracer.start_span(
            f"{named} {seen.path}".rstrip(),
            self._extract(carrier, self._nowhere),
            trace.SpanKind.SERVER,
            attributes,
            start_time=seen.start,
        )
        if span.is_recording():
            if failed:
                span.set_status(trace.StatusCode.ERROR)
            self._phases(span, seen)
        span.end(seen.end)

    def _phases(self, parent: Any, seen: Seen) -> None:
        within = self._trace.set_span_in_context(parent, self._nowhere)
        ends = seen.written
        for phase, seconds in zip(reversed(PHASES), reversed(seen.times), strict=False):
            starts = ends - int(seconds * 1e9)
            self._tracer.start_span(phase, within, start_time=starts).end(ends)
            ends = starts


class _Exporter:
    """Hands spans on, and says once that the collector does not take them, and that it does again.

    Parameters
    ----------
    exporter : SpanExporter
    """

    def __init__(self, exporter: "SpanExporter") -> None:
        self._exporter = exporter
        self._taken = True

    def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
        """Send spans, in the thread of the batches."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001  such as a URL without a scheme
            result = SpanExportResult.FAILURE
        self.say(result is SpanExportResult.SUCCESS)
        return result

    def say(self, taken: bool) -> None:
        """Say whether spans are taken, if that has changed."""
        if taken == self._taken:
            return
        self._taken = taken
        _log.error(
            "traces reach their collector again"
            if taken
            else "traces are lost: expected a collector of OTLP over HTTP where "
            "OTEL_EXPORTER_OTLP_ENDPOINT says, got no good answer; predictions go on"
        )

    def shutdown(self) -> None:
        """End; a try that waits for the next one gives up."""
        self._exporter.shutdown()
