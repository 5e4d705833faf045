"""The server as an ASGI application: what is asked where, the limits, and the way of a prediction.

Read `_predict` first. Protocols only translate: bodies into cells and a way to write the answer.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from serving.server.bundle import Bundle, Predictor
from serving.server.cells import Cells
from serving.server.deadlines import Deadlines
from serving.server.errors import Refused, unavailable
from serving.server.joining import Joiner, worth_joining
from serving.server.metrics import Metrics
from serving.server.routes import OTHER, Answer, Route, Routes
from serving.server.scoring_protocol import Write
from serving.server.settings import Settings

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Bodies beyond this are read and predicted beside the event loop, which answers others meanwhile.
_LARGE = 128 << 10
_THREADS = 2

_log = logging.getLogger("sixfold")


class App:
    """An ASGI application that serves one version.

    Parameters
    ----------
    bundle : Bundle
    predictor : Predictor
    settings : Settings
    metrics : Metrics

    Attributes
    ----------
    draining : bool
        Set when the server is about to end: it is not ready, and connections end with an answer.
    """

    def __init__(
        self, bundle: Bundle, predictor: Predictor, settings: Settings, metrics: Metrics
    ) -> None:
        self.draining = False
        self._predictor = predictor
        self._settings = settings
        self._metrics = metrics
        self._routes = Routes(bundle, settings, metrics, lambda: not self.draining)
        self._deadlines = Deadlines(settings.max_seconds)
        self._threads = ThreadPoolExecutor(_THREADS, "large")
        self._under_way = 0
        self._token = b"Bearer " + settings.token.encode() if settings.token else b""
        named = f"{bundle.model}/{bundle.version}"
        named = named if named.isascii() and named.isprintable() else quote(named)
        self._version = (b"sixfold-version", named.encode())
        sample = predictor.read(bundle.sample_cells())
        self._joiner: Joiner | None = None
        if worth_joining(predictor, sample):
            self._joiner = Joiner(predictor, metrics.joined)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        route = self._routes.find(scope["path"])
        try:
            answer = await self._answer(route, scope, receive)
        except Refused as refused:
            answer = self._refusal(refused)
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001  whatever it is, the answer says nothing of it
            _log.error("a request failed: %s", _where(error))
            answer = self._refusal(
                Refused(500, "internal", "expected to answer, but failed; the log says where")
            )
        status, headers, body = answer
        self._metrics.request(route.number, status)
        more = [self._version, (b"content-length", b"%d" % len(body))]
        if self.draining:
            more.append((b"connection", b"close"))
        start = {"type": "http.response.start", "status": status, "headers": headers + more}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, refused: Refused) -> Answer:
        self._metrics.error(refused.kind)
        headers = [(b"content-type", b"application/json"), *refused.headers]
        return refused.status, headers, orjson.dumps(refused.record())

    async def _answer(self, route: Route, scope: dict[str, Any], receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        method = scope["method"]
        if self._token and not route.open:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._token):
                raise Refused(
                    401,
                    "token",
                    "expected the server's token as authorization: Bearer TOKEN",
                    [(b"www-authenticate", b"Bearer")],
                )
        if route is OTHER:
            raise Refused(404, "path", "expected a path of this server; see /docs")
        if method not in route.methods:
            allowed = ", ".join(route.methods)
            raise Refused(
                405, "method", f"expected method {allowed}", [(b"allow", allowed.encode())]
            )
        if route.parse is None:
            assert route.get is not None
            return route.get()
        if self._under_way >= self._settings.max_concurrency:
            raise unavailable("busy", "expected fewer requests at the same time; send it again")
        self._under_way += 1
        self._metrics.begin()
        request = self._deadlines.begin()
        overdue = False
        try:
            return await self._predict(route.parse, headers, receive)
        except asyncio.CancelledError:
            overdue = True
            raise
        finally:
            self._under_way -= 1
            self._metrics.end()
            if self._deadlines.end(request) and overdue:
                raise unavailable(
                    "time", f"expected to answer within {self._settings.max_seconds:g} seconds"
                )

    async def _predict(
        self,
        parse: Callable[[bytes, dict[bytes, bytes]], tuple[Cells, Write]],
        headers: dict[bytes, bytes],
        receive: Receive,
    ) -> Answer:
        body = await self._body(headers, receive)
        if len(body) > _LARGE:
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._threads, self._at_once, parse, body, headers)
            raw, content, times = await work
        elif self._joiner is None:
            raw, content, times = self._at_once(parse, body, headers)
        else:
            start = perf_counter()
            cells, write = parse(body, headers)
            rows = self._predictor.read(cells)
            read = perf_counter()
            raw = await self._joiner.predict(rows)
            predicted = perf_counter()
            content = write(raw)
            times = read - start, predicted - read, perf_counter() - predicted
        metrics = self._metrics
        metrics.phase(0, times[0])
        metrics.phase(1, times[1])
        metrics.phase(2, times[2])
        metrics.predictions(raw)
        return 200, [(b"content-type", b"application/json")], content

    def _at_once(
        self,
        parse: Callable[[bytes, dict[bytes, bytes]], tuple[Cells, Write]],
        body: bytes,
        headers: dict[bytes, bytes],
    ) -> tuple[np.ndarray, bytes, tuple[float, float, float]]:
        start = perf_counter()
        cells, write = parse(body, headers)
        rows = self._predictor.read(cells)
        read = perf_counter()
        raw = self._predictor.predict(rows)
        predicted = perf_counter()
        content = write(raw)
        return raw, content, (read - start, predicted - read, perf_counter() - predicted)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        most = self._settings.max_body
        if b"content-length" in headers and int(headers[b"content-length"]) > most:
            raise _too_large(most)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts, size = [body], len(body)
            while message.get("more_body"):
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise _too_large(most)
            body = b"".join(parts)
        if message["type"] == "http.disconnect":
            raise _Gone
        if len(body) > most:
            raise _too_large(most)
        return body


class _Gone(Exception):
    """The client went away; nobody is there to be answered."""


def _too_large(most: int) -> Refused:
    return Refused(413, "body_size", f"expected a body of at most {most} bytes; send fewer")


def _where(error: Exception) -> str:
    """The kind of an error and the line it comes from, without its message, which may hold data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    code = trace.tb_frame.f_code
    return f"{type(error).__name__} in {code.co_qualname}, line {trace.tb_lineno}"
