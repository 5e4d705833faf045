"""Requests that come in the same turn of the event loop become one call of the model.

Nobody waits for others to come: what is there when all that was received has been read is predicted
then, be it one request. A call costs more than a row of it, even of a compiled tree; and answers
that are written one after the other wake their client once, not each time.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

import numpy as np

from serving.server.bundle import Predictor
from serving.server.cells import Cells
from serving.server.metrics import Metrics
from serving.server.scoring_protocol import Write

#: Rows of one call, unless a single request has more: the first in it wait for the last.
_MOST_ROWS = 64
#: Rows that wait before they are predicted without more ado: what waits takes memory.
_MOST_WAITING = 256

Times = tuple[float, float, float]  # seconds that reading, predicting and writing took
#: What a request comes to: predictions, the answer, and the times, of its call as a whole.
Predicted = tuple[np.ndarray, bytes, Times]
Done = Callable[[Predicted | Exception], None]
_Waiting = tuple[Cells, Write, float, Done]


def predict_one(predictor: Predictor, cells: Cells, write: Write, begun: float) -> Predicted:
    """The way of a prediction: cells become a matrix, predictions, an answer.

    Parameters
    ----------
    predictor : Predictor
    cells : Cells
    write : callable
        Makes the answer of the predictions.
    begun : float
        When the request's reading was begun, in seconds of `perf_counter`.

    Returns
    -------
    raw : ndarray
        What is predicted.
    answer : bytes
    times : tuple of float
    """
    rows = predictor.read(cells)
    read = perf_counter()
    raw = predictor.predict(rows)
    predicted = perf_counter()
    answer = write(raw)
    return raw, answer, (read - begun, predicted - read, perf_counter() - predicted)


def predict(
    predictor: Predictor, asked: Sequence[tuple[Cells, Write]]
) -> tuple[np.ndarray, list[tuple[np.ndarray, bytes]], Times]:
    """The same of several requests together.

    Returns
    -------
    raw : ndarray
        What is predicted for all of them.
    answers : list of (ndarray, bytes)
        Each request's part of it, and its answer.
    times : tuple of float
    """
    start = perf_counter()
    rows = predictor.read(Cells(rows=[row for cells, _ in asked for row in cells.rows()]))
    read = perf_counter()
    raw = predictor.predict(rows)
    predicted = perf_counter()
    answers, begin = [], 0
    for cells, write in asked:
        part = raw[begin : begin + cells.count]
        begin += cells.count
        answers.append((part, write(part)))
    return raw, answers, (read - start, predicted - read, perf_counter() - predicted)


class Joiner:
    """Joins the predictions of one event loop, and counts them.

    Parameters
    ----------
    predictor : Predictor
    metrics : Metrics

    Attributes
    ----------
    waiting : list
        Who is answered at the next `flush`.
    """

    def __init__(self, predictor: Predictor, metrics: Metrics) -> None:
        self._predictor = predictor
        self._metrics = metrics
        self.waiting: list[_Waiting] = []
        self._rows = 0

    def ask(self, cells: Cells, write: Write, seconds: float, done: Done) -> None:
        """Ask for predictions.

        Parameters
        ----------
        cells : Cells
        write : callable
            Makes the answer of the predictions.
        seconds : float
            That the request's reading has taken so far.
        done : callable
            Given what it came to, or what went wrong; called in the order of asking.
        """
        if not self.waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self.waiting.append((cells, write, seconds, done))
        self._rows += cells.count
        if self._rows >= _MOST_WAITING:
            self.flush()

    async def answer(self, cells: Cells, write: Write, seconds: float) -> Predicted:
        """As `ask`, for who can wait."""
        future: asyncio.Future[Predicted] = asyncio.get_running_loop().create_future()
        self.ask(cells, write, seconds, partial(_settle, future))
        return await future

    def flush(self) -> None:
        """Answer all that wait."""
        waiting, self.waiting, self._rows = self.waiting, [], 0
        group: list[_Waiting] = []
        rows = 0
        for one in waiting:
            count = one[0].count
            if group and rows + count > _MOST_ROWS:
                self._answer(group)
                group, rows = [], 0
            group.append(one)
            rows += count
        if group:
            self._answer(group)

    def _answer(self, group: list[_Waiting]) -> None:
        if len(group) == 1:
            self._answer_one(*group[0])
            return
        try:
            asked = [(cells, write) for cells, write, _, _ in group]
            raw, answers, (read, predicted, written) = predict(self._predictor, asked)
        except Exception:  # noqa: BLE001  whose request it was shall have it
            for one in group:
                self._answer_one(*one)
            return
        parsed = sum([seconds for _, _, seconds, _ in group])
        self._metrics.phases((parsed + read, predicted, written), len(group))
        self._metrics.predictions(raw)
        self._metrics.joined(len(group))
        for (_, _, seconds, done), (part, content) in zip(group, answers, strict=True):
            done((part, content, (seconds + read, predicted, written)))

    def _answer_one(self, cells: Cells, write: Write, seconds: float, done: Done) -> None:
        try:
            predicted = predict_one(self._predictor, cells, write, perf_counter() - seconds)
        except Exception as error:  # noqa: BLE001
            done(error)
            return
        self._metrics.answering(predicted[0], predicted[2])
        try:
            done(predicted)
        finally:
            self._metrics.answered()


def _settle(future: asyncio.Future[Predicted], outcome: Predicted | Exception) -> None:
    """Tell who waits, unless it has given up."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
