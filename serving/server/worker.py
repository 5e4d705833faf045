"""One worker: loads the model, answers until it is told to end, then finishes what it has begun."""

import asyncio
import logging
import os
import signal
import socket
import time
from types import FrameType
from typing import Any

import uvicorn

from serving.server.accepting import Accepting
from serving.server.app import App
from serving.server.bundle import Bundle, load_predictor
from serving.server.heap import give_back
from serving.server.http import Connection
from serving.server.metrics import Metrics
from serving.server.settings import Settings
from serving.server.traced import TracedApp
from serving.server.traces import begin

#: Longer than load balancers keep idle connections, so that it is they who close them.
_KEEP_ALIVE = 75
#: Seconds: signals that come together count as one; and who was accepted last has as long to ask.
_TOGETHER, _LAST = 1.0, 0.1


def work(
    worker: int,
    listening: socket.socket,
    bundle: Bundle,
    settings: Settings,
    metrics: Metrics,
    traced: bool,
) -> None:
    """Serve until SIGTERM.

    It accepts connections only when the model has answered its sample; until then, and if this
    worker dies, they go to the others or wait. With `traced`, each answer leaves a trace.

    Raises
    ------
    Unservable
        The model cannot be loaded or is not the one that was recorded.
    """
    recorder = None
    if settings.record:
        from serving.server.record import start_recording

        recorder = start_recording(worker, bundle, settings, metrics, listening.close)
    predictor = load_predictor(bundle)
    traces = begin(bundle) if traced else None
    app = (
        TracedApp(bundle, predictor, settings, metrics, recorder, traces)
        if traces
        else App(bundle, predictor, settings, metrics, recorder)
    )
    give_back()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.max_seconds) + 1,
    )
    _Server(config, app, settings, metrics).run(sockets=[listening])
    if traces:
        traces.close()
    if recorder is not None:
        recorder.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which after SIGTERM goes on for a while, and says that it is not ready."""

    def __init__(
        self, config: uvicorn.Config, app: App, settings: Settings, metrics: Metrics
    ) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._told = self._ends = float("inf")
        self._parent = os.getppid()

    async def startup(self, sockets: Any = None) -> None:
        """Begin to accept: where there are other workers, no more than they do."""
        await super().startup([])
        self._metrics.ready(True)
        self.servers: list[Any] = [
            Accepting(each, self._protocol, self._has_most) for each in sockets
        ]

    def _protocol(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)

    def _has_most(self, opening: int) -> bool:
        return self._metrics.connections(len(self.server_state.connections) + opening)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second.

        A signal to a whole group of processes comes twice: its parent hands it on as well.
        """
        now = time.monotonic()
        if self._app.draining:
            self.should_exit = self.should_exit or now > self._told + _TOGETHER
            return
        self._app.draining = True
        self._metrics.ready(False)
        self._told, self._ends = now, now + self._settings.drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop accepting; asked ten times a second."""
        if os.getppid() != self._parent and not self._app.draining:
            self.handle_exit(signal.SIGTERM, None)  # nobody is left who would
        self._metrics.connections(len(self.server_state.connections))
        if time.monotonic() >= self._ends:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: Any = None) -> None:
        """Accept no more, and answer whoever has been accepted until now."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        self.servers = []
        await asyncio.sleep(_LAST)
        await super().shutdown([])
