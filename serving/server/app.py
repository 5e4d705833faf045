"""The server as an ASGI application: what is asked where, and the limits.

The way of a prediction is in `joining.py`. Protocols only translate: bodies into cells and a way to
write the answer.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import orjson

from serving.server.bundle import Bundle, Predictor, PyfuncBundle
from serving.server.deadlines import Deadlines
from serving.server.errors import CLOSE, Headers, Refused, unavailable, where
from serving.server.heads import Heads
from serving.server.joining import Joiner, Predicted, Times, predict_one
from serving.server.metrics import Metrics
from serving.server.receiving import LARGE, Body, Gone, Receive, Room
from serving.server.routes import OTHER, Answer, Parse, Route, Routes
from serving.server.settings import Settings
from serving.server.spoken import spoken

if TYPE_CHECKING:
    from serving.server.record import Recorder

Send = Callable[[dict[str, Any]], Awaitable[None]]
Reply = Callable[[int, Headers, bytes], None]
Asked = tuple[str, dict[bytes, bytes], bytes]  # what is recorded of a request

#: More rows, and large bodies, are read and predicted beside the event loop, which answers others
#: meanwhile; of those that take much memory one at a time.
_MANY = 1_000
_THREADS, _HEAVY = 2, 1 << 20

_JSON = (b"content-type", b"application/json")

_log = logging.getLogger("sixfold")


class App:
    """An ASGI application that serves one version.

    Parameters
    ----------
    bundle : Bundle
    predictor : Predictor
    settings : Settings
    metrics : Metrics
    recorder : Recorder, optional
        Is given what was answered.

    Attributes
    ----------
    draining : bool
        Set when the server is about to end: it is not ready, and connections end with an answer.
    short_ways : dict
        Routes of `ask` by their paths as bytes.
    heads : Heads
        What the connections know of the heads of such requests.
    at_once : int
        Bytes of a body that `ask` may answer.
    """

    def __init__(
        self,
        bundle: Bundle,
        predictor: Predictor,
        settings: Settings,
        metrics: Metrics,
        recorder: "Recorder | None" = None,
    ) -> None:
        self.draining = False
        self._recorder = recorder
        self._predictor = predictor
        self._settings = settings
        self._metrics = metrics
        asked = spoken(bundle, predictor, settings)
        self._routes = Routes(bundle, asked, metrics, lambda: not self.draining)
        self.short_ways = self._routes.predicting()
        self.heads = Heads()
        self._deadlines = Deadlines(settings.max_seconds)
        self._room = Room(settings.max_body)
        self._threads = ThreadPoolExecutor(_THREADS, "large")
        self._heavy = Lock()
        self._asked = 0
        self._token = settings.token.encode()
        named = f"{bundle.model}/{bundle.version}"
        named = named if named.isascii() and named.isprintable() else quote(named)
        self._version = (b"sixfold-version", named.encode())
        # A model of others takes its time, and may take a row among others for something else.
        self.at_once = -1 if isinstance(bundle, PyfuncBundle) else LARGE
        self._joiner = Joiner(predictor, metrics)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        route = self._routes.find(scope["path"])
        try:
            headers = dict(scope["headers"])
            self._check(route, scope["method"], headers)
            if route.parse is not None:
                answer = await self._under_way(route, headers, receive)
            else:
                assert route.get is not None
                answer = route.get()
        except Gone:
            return
        except Exception as error:  # noqa: BLE001  whatever it is, it has an answer
            answer = self._refusal(error)
        status, headers_out, body = self._finished(route, answer)
        await send({"type": "http.response.start", "status": status, "headers": headers_out})
        await send({"type": "http.response.body", "body": body})

    def ask(
        self,
        route: Route,
        headers: dict[bytes, bytes],
        body: bytes,
        reply: Reply,
        alone: bool = False,
    ) -> bool:
        """Answer a request for predictions that is whole, after others that came before it.

        Parameters
        ----------
        route : Route
            One of `short_ways`.
        headers : dict
        body : bytes
        reply : callable
            Given status, headers and body, in this turn of the event loop or the next.
        alone : bool, default False
            Nobody else is there who might ask: the answer is given at once.

        Returns
        -------
        bool
            False if the request is to be answered by `__call__`.
        """
        if len(body) > self.at_once:
            return False
        start = perf_counter()
        try:
            self._check(route, "POST", headers)
            self._room.check(len(body))
            assert route.parse is not None
            cells, write = route.parse(body, headers)
            if cells.count > _MANY:
                return False
        except Exception as error:  # noqa: BLE001  whatever it is, it has an answer
            self.flush()
            self._reply(route, reply, None, error)
        else:
            asked = None if self._recorder is None else (route.name, headers, body)
            done = partial(self._reply, route, reply, asked)
            self._joiner.ask(cells, write, perf_counter() - start, done, alone)
        return True

    def refuse(self, error: Refused) -> Answer:
        """Refuse what is no request that could be asked: counted, not traced."""
        return App._finished(self, OTHER, App._refusal(self, error))

    def flush(self) -> None:
        """Answer now whatever `ask` was given."""
        self._joiner.flush()

    def _reply(
        self, route: Route, reply: Reply, asked: Asked | None, outcome: Predicted | Exception
    ) -> None:
        if isinstance(outcome, Exception):
            answer = self._refusal(outcome)
        else:
            answer = self._answered(asked, *outcome)
        reply(*self._finished(route, answer))

    def _check(self, route: Route, method: str, headers: dict[bytes, bytes]) -> None:
        """Refuse what is not to be answered, whatever its body is."""
        if self._token and not route.open:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
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
        asked = max(self._asked, len(self._joiner))
        if route.parse is not None and asked >= self._settings.max_concurrency:
            raise unavailable("busy", "expected fewer requests at the same time; send it again")

    async def _under_way(
        self, route: Route, headers: dict[bytes, bytes], receive: Receive
    ) -> Answer:
        """Predict, within the time that a request has."""
        assert route.parse is not None
        self._asked += 1
        self._metrics.begin()
        request = self._deadlines.begin()
        held = Body(self._room)
        cancelled = False
        try:
            body = await held.receive(headers, receive)
            asked = None if self._recorder is None else (route.name, headers, body)
            return self._answered(asked, *await self._predict(route.parse, body, headers))
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            held.release()
            self._asked -= 1
            self._metrics.end()
            if self._deadlines.end(request) and cancelled:
                raise unavailable(
                    "time", f"expected to answer within {self._settings.max_seconds:g} seconds"
                )

    async def _predict(self, parse: Parse, body: bytes, headers: dict[bytes, bytes]) -> Predicted:
        if len(body) <= self.at_once:
            start = perf_counter()
            cells, write = parse(body, headers)
            if cells.count <= _MANY:
                return await self._joiner.answer(cells, write, perf_counter() - start)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._predicted, parse, body, headers)
        raw, _, times = found
        self._metrics.phases(times)
        self._metrics.predictions(raw)
        return found

    def _predicted(self, parse: Parse, body: bytes, headers: dict[bytes, bytes]) -> Predicted:
        """A large body's predictions."""
        with self._heavy if len(body) > _HEAVY else nullcontext():
            try:
                start = perf_counter()
                cells, write = parse(body, headers)
                parsed = perf_counter() - start
                raw, content, (read, predicted, written) = predict_one(
                    self._predictor, cells, write
                )
                return raw, content, (parsed + read, predicted, written)
            except Refused as error:
                refused = error.bare()  # the error itself keeps what has been read of the body
        raise refused

    def _answered(
        self, asked: Asked | None, raw: np.ndarray, content: bytes, times: Times
    ) -> Answer:
        """What was predicted, as an answer; recorded, if it is said what was asked."""
        if asked is None:
            return 200, [_JSON], content
        assert self._recorder is not None
        return 200, [_JSON, self._recorder.keep(*asked, raw, content)], content

    def _refusal(self, error: Exception) -> Answer:
        if not isinstance(error, Refused):
            _log.error("a request failed: %s", where(error))
            error = Refused(500, "internal", "expected to answer, but failed; the log says where")
        self._metrics.error(error.kind)
        return error.status, [_JSON, *error.headers], orjson.dumps(error.record())

    def _finished(self, route: Route, answer: Answer) -> Answer:
        """Count the answer, and add what every answer has."""
        status, headers, body = answer
        self._metrics.request(route.number, status)
        headers = [*headers, self._version, (b"content-length", b"%d" % len(body))]
        if self.draining:
            headers.append(CLOSE)
        return status, headers, body
