"""The server as an ASGI application: what is asked where, and the limits.

The way of a prediction is in `joining.py`. Protocols only translate: bodies into cells and a way to
write the answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from serving.server.bundle import Bundle, Predictor, PyfuncBundle
from serving.server.deadlines import Deadlines
from serving.server.errors import CLOSE, Headers, Refused, unavailable, where
from serving.server.heads import Heads
from serving.server.joining import Joiner, Predicted, Times, Write, predict_one
from serving.server.metrics import Metrics
from serving.server.receiving import LARGE, Body, Gone, Receive, Room
from serving.server.routes import OTHER, Answer, Parse, Route, Routes
from serving.server.settings import Settings
from serving.server.spoken import spoken
from serving.server.tokens import check_token
from serving.server.written import Written, version_header

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
        Routes of `ask` and `answer` by their paths as bytes.
    heads : Heads
        What the connections know of the heads of such requests.
    written : Written
        And of the heads of answers.
    at_once : int
        Bytes of a body that `ask` and `answer` take.
    sent : callable
        Counts what `answer` has returned.
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
        self.heads, self.written = Heads(), Written()
        self.sent = metrics.answered
        self._deadlines = Deadlines(settings.max_seconds)
        self._room = Room(settings.max_body)
        self._threads = ThreadPoolExecutor(_THREADS, "large")
        self._heavy = Lock()
        self._asked = 0
        self._token = settings.token.encode()
        self._version = version_header(bundle)
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
        headers_out.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers_out})
        await send({"type": "http.response.body", "body": body})

    def ask(self, route: Route, headers: dict[bytes, bytes], body: bytes, reply: Reply) -> bool:
        """Answer a request for predictions that is whole, after others that came before it.

        Parameters
        ----------
        route : Route
            One of `short_ways`.
        headers : dict
        body : bytes
        reply : callable
            Given status, headers and body, in this turn of the event loop or the next; all
            headers but the body's length.

        Returns
        -------
        bool
            False if the request is to be answered by `__call__`.
        """
        start = perf_counter()
        try:
            parsed = self._parsed(route, headers, body)
        except Exception as error:  # noqa: BLE001  whatever it is, it has an answer
            self.flush()
            self._reply(route, reply, None, error)
            return True
        if parsed is None:
            return False
        # A body is not kept for longer than it is needed.
        asked = None if self._recorder is None else (route.name, headers, body)
        done = partial(self._reply, route, reply, asked)
        self._joiner.ask(*parsed, perf_counter() - start, done)
        return True

    def answer(self, route: Route, headers: dict[bytes, bytes], body: bytes) -> Answer | None:
        """As `ask`, at once: nobody else is there who might ask.

        It is counted by `sent`, which is to be called when the client has it.

        Returns
        -------
        tuple, or None
            What `ask` gives to `reply`; None if the request is to be answered by `__call__`.
        """
        self.flush()
        start = perf_counter()
        try:
            parsed = self._parsed(route, headers, body)
            if parsed is None:
                return None
            predicted = predict_one(self._predictor, *parsed, start)
            answer = self._answered((route.name, headers, body), *predicted)
            self._metrics.answering(predicted[0], predicted[2])
        except Exception as error:  # noqa: BLE001  as above
            answer = self._refusal(error)
        return self._finished(route, answer)

    def refuse(self, error: Refused) -> Answer:
        """Refuse what is no request that could be asked: counted, not traced."""
        return App._finished(self, OTHER, App._refusal(self, error))

    def flush(self) -> None:
        """Answer now whatever `ask` was given."""
        if self._joiner.waiting:
            self._joiner.flush()

    def _parsed(
        self, route: Route, headers: dict[bytes, bytes], body: bytes
    ) -> tuple[Any, Write] | None:
        """What a request asks for that is whole; None if it is not to be answered in this turn."""
        if len(body) > self.at_once:
            return None
        self._check(route, "POST", headers)
        self._room.check(len(body))
        assert route.parse is not None
        parsed = route.parse(body, headers)
        return None if parsed[0].count > _MANY else parsed

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
            check_token(headers, self._token)
        if route is OTHER:
            raise Refused(404, "path", "expected a path of this server; see /docs")
        if method not in route.methods:
            allowed = ", ".join(route.methods)
            raise Refused(
                405, "method", f"expected method {allowed}", [(b"allow", allowed.encode())]
            )
        if route.parse is not None:
            most = self._settings.max_concurrency
            if self._asked >= most or len(self._joiner.waiting) >= most:
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
            predicted = await self._predict(route.parse, body, headers)
            return self._answered((route.name, headers, body), *predicted)
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
                return predict_one(self._predictor, *parse(body, headers), start)
            except Refused as error:
                refused = error.bare()  # the error itself keeps what has been read of the body
        raise refused

    def _answered(
        self, asked: Asked | None, raw: np.ndarray, content: bytes, times: Times
    ) -> Answer:
        """What was predicted, as an answer; recorded, if that is wanted."""
        if asked is None or self._recorder is None:
            return 200, [_JSON], content
        return 200, [_JSON, self._recorder.keep(*asked, raw, content)], content

    def _refusal(self, error: Exception) -> Answer:
        if not isinstance(error, Refused):
            _log.error("a request failed: %s", where(error))
            error = Refused(500, "internal", "expected to answer, but failed; the log says where")
        self._metrics.error(error.kind)
        return error.status, [_JSON, *error.headers], orjson.dumps(error.record())

    def _finished(self, route: Route, answer: Answer) -> Answer:
        """Count the answer, and add what every answer has but its length."""
        status, headers, body = answer
        self._metrics.request(route.number, status)
        headers = [*headers, self._version]
        if self.draining:
            headers.append(CLOSE)
        return status, headers, body
