"""Predictions that wait together are one call; whether that pays is measured."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from serving.server.cells import Cells
from serving.server.joining import Joiner, worth_joining


class Slow:
    """A predictor with a cost a call and a cost a row."""

    def __init__(self, call: float = 0.0, row: float = 0.0) -> None:
        self._call, self._row = call, row
        self.calls: list[int] = []

    def read(self, cells: Cells) -> np.ndarray:
        return np.array(cells.rows(), np.float64)

    def predict(self, rows: Any) -> np.ndarray:
        self.calls.append(len(rows))
        until = time.perf_counter() + self._call + self._row * len(rows)
        while time.perf_counter() < until:
            pass
        if np.isnan(rows).any():
            raise FloatingPointError("not a number")
        return np.asarray(rows[:, 0] * 2)


def together(predictor: Slow, *inputs: list[float]) -> tuple[list[Any], list[int]]:
    """What requests get that come in one turn of the loop, and how many were joined."""
    joined: list[int] = []

    async def run() -> list[Any]:
        joiner = Joiner(predictor, joined.append)
        waiting = [joiner.predict(np.array(values)[:, None]) for values in inputs]
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(run()), joined


def test_one_call_for_all_that_wait() -> None:
    predictor = Slow()
    found, joined = together(predictor, [1.0, 2.0], [3.0], [4.0, 5.0, 6.0])
    assert [part.tolist() for part in found] == [[2.0, 4.0], [6.0], [8.0, 10.0, 12.0]]
    assert predictor.calls == [6]
    assert joined == [3]


def test_one_alone_is_not_joined() -> None:
    predictor = Slow()
    found, joined = together(predictor, [1.0])
    assert found[0].tolist() == [2.0]
    assert joined == []


def test_a_failure_is_told_to_all_and_the_next_go_on() -> None:
    predictor = Slow()

    async def run() -> None:
        joiner = Joiner(predictor, lambda requests: None)
        bad = [joiner.predict(np.array([[value]])) for value in (1.0, np.nan)]
        for outcome in await asyncio.gather(*bad, return_exceptions=True):
            assert isinstance(outcome, FloatingPointError)
        assert (await joiner.predict(np.array([[1.0]]))).tolist() == [2.0]

    asyncio.run(run())


def test_one_who_gave_up_does_not_harm_the_others() -> None:
    async def run() -> None:
        joiner = Joiner(Slow(), lambda requests: None)
        tasks = [asyncio.create_task(joiner.predict(np.array([[value]]))) for value in (1.0, 2.0)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert (await tasks[1]).tolist() == [4.0]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("call", "row", "worth"), [(5e-3, 0.0, True), (0.0, 1e-3, False), (0.0, 0.0, False)]
)
def test_worth_it_where_a_call_costs_more_than_its_rows(
    call: float, row: float, worth: bool
) -> None:
    assert worth_joining(Slow(call, row), np.ones((2, 1))) is worth
