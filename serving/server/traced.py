"""The application that leaves a trace of each answer: what it sees of a request on its way."""

import asyncio
from contextvars import ContextVar
from time import time_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.server.app import App, Asked, Receive, Reply, Send
from serving.server.bundle import Bundle, Predictor
from serving.server.errors import Headers, Refused
from serving.server.joining import Predicted, Times
from serving.server.metrics import Metrics
from serving.server.routes import Answer, Route
from serving.server.settings import Settings
from serving.server.traces import Seen, Traces

if TYPE_CHECKING:
    from serving.server.record import Recorder

#: The request that this task, or this turn of the event loop, is at.
_NOW: ContextVar[Seen] = ContextVar("seen")


class TracedApp(App):
    """As `App`; a class of its own, so that without traces a request costs nothing more.

    Parameters
    ----------
    bundle, predictor, settings, metrics, recorder
        As `App` has them.
    traces : Traces
    """

    def __init__(
        self,
        bundle: Bundle,
        predictor: Predictor,
        settings: Settings,
        metrics: Metrics,
        recorder: "Recorder | None",
        traces: Traces,
    ) -> None:
        super().__init__(bundle, predictor, settings, metrics, recorder)
        self._traces = traces

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        seen = Seen(scope["method"], scope["headers"], time_ns())
        _NOW.set(seen)
        try:
            await super().__call__(scope, receive, send)
        finally:
            seen.end = seen.end or time_ns()
            self._traces.add(seen)

    def ask(self, route: Route, headers: dict[bytes, bytes], body: bytes, reply: Reply) -> bool:
        """Answer a request for predictions that is whole; its spans are made after the answer."""
        return super().ask(route, headers, body, _Seeing(headers, reply))

    def answer(self, route: Route, headers: dict[bytes, bytes], body: bytes) -> Answer | None:
        """As `ask`, at once."""
        self.flush()  # whose answers are seen by themselves
        seen = Seen("POST", headers.items(), time_ns())
        _NOW.set(seen)
        answer = super().answer(route, headers, body)
        if answer is not None:
            asyncio.get_running_loop().call_soon(self._traces.add, seen)
        return answer

    def _reply(
        self, route: Route, reply: Reply, asked: Asked | None, outcome: Predicted | Exception
    ) -> None:
        assert isinstance(reply, _Seeing)
        _NOW.set(reply.seen)
        super()._reply(route, reply, asked, outcome)
        asyncio.get_running_loop().call_soon(self._traces.add, reply.seen)

    def _answered(
        self, asked: Asked | None, raw: np.ndarray, content: bytes, times: Times
    ) -> Answer:
        seen = _NOW.get()
        seen.rows, seen.times, seen.written = len(raw), times, time_ns()
        return super()._answered(asked, raw, content, times)

    def _refusal(self, error: Exception) -> Answer:
        _NOW.get().error = error.kind if isinstance(error, Refused) else "internal"
        return super()._refusal(error)

    def _finished(self, route: Route, answer: Answer) -> Answer:
        seen = _NOW.get()
        seen.path, seen.status, seen.end = route.path, answer[0], time_ns()
        return super()._finished(route, answer)


class _Seeing:
    """A reply, and what is seen of the request that it is to."""

    def __init__(self, headers: dict[bytes, bytes], reply: Reply) -> None:
        self.seen = Seen("POST", headers.items(), time_ns())
        self._reply = reply

    def __call__(self, status: int, headers: Headers, body: bytes) -> None:
        self._reply(status, headers, body)
