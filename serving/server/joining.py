"""Predictions that wait in the same turn of the event loop become one call of the model.

Nobody waits for others to come: what is there is predicted in the next turn, be it one request.
Whether that pays depends on what a call costs beyond its rows, which is measured when the model is
loaded: a compiled tree takes 10 microseconds, about what joining takes; others milliseconds.
"""

import asyncio
import time
from typing import Any

import numpy as np

from serving.server.bundle import Predictor

#: Seconds that joining costs a request: two more turns of the loop, a future, a copy.
_COST = 50e-6
_TIMES = 20
_LONGEST = 0.1  # seconds of trying, where a call takes long
_ROWS = 8


def worth_joining(predictor: Predictor, sample: Any) -> bool:
    """Whether one call for eight requests saves each of them more than joining costs.

    Parameters
    ----------
    predictor : Predictor
    sample
        An input as `predictor.read` returns it.
    """
    one = sample[:1]
    many = np.concatenate([one] * _ROWS)
    return _seconds(predictor, one) - _seconds(predictor, many) / _ROWS > _COST


class Joiner:
    """Joins the predictions of one event loop."""

    def __init__(self, predictor: Predictor, joined: Any) -> None:
        self._predictor = predictor
        self._joined = joined
        self._waiting: list[tuple[Any, asyncio.Future[np.ndarray]]] = []

    async def predict(self, rows: Any) -> np.ndarray:
        """As `Predictor.predict`, with whatever else waits."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[np.ndarray] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((rows, future))
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            if len(waiting) == 1:
                parts = [self._predictor.predict(waiting[0][0])]
            else:
                raw = self._predictor.predict(np.concatenate([rows for rows, _ in waiting]))
                ends = np.cumsum([len(rows) for rows, _ in waiting])
                parts = np.split(raw, ends[:-1])
                self._joined(len(waiting))
        except Exception as error:  # noqa: BLE001  each of those who wait shall have it
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), part in zip(waiting, parts, strict=True):
            if not future.done():
                future.set_result(part)


def _seconds(predictor: Predictor, rows: Any) -> float:
    """The least that a call took: neighbours of this process only make it longer."""
    least = float("inf")
    until = time.perf_counter() + _LONGEST
    for _ in range(_TIMES):
        start = time.perf_counter()
        predictor.predict(rows)
        end = time.perf_counter()
        least = min(least, end - start)
        if end > until:
            break
    return least
