"""Requests that come together are one call; each has its own answer, in the order of asking."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from serving.server.bundle import read_bundle
from serving.server.cells import Cells
from serving.server.joining import Joiner, Predicted
from serving.server.metrics import Metrics
from tests.serving.server.bundles import NUMBERS, write_bundle
from tests.serving.server.test_metrics import counts


class Doubling:
    """A predictor that writes down how many rows each call has, and fails at NaN."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def read(self, cells: Cells) -> np.ndarray:
        return np.array(cells.rows(), np.float64)

    def predict(self, rows: Any) -> np.ndarray:
        self.calls.append(len(rows))
        if np.isnan(rows).any():
            raise FloatingPointError("not a number")
        return np.asarray(rows[:, 0] * 2)


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    write_bundle(tmp_path, NUMBERS)
    return Metrics(read_bundle(tmp_path), ["here"], 1)


def column(*values: float) -> Cells:
    return Cells(rows=[[value] for value in values])


def write(raw: np.ndarray) -> bytes:
    return orjson.dumps(raw.tolist())


def together(predictor: Doubling, metrics: Metrics, *inputs: Cells) -> list[Any]:
    """What requests get that come in one turn of the loop; a failure is its name."""

    async def run() -> list[Any]:
        joiner = Joiner(predictor, metrics)
        waiting = [joiner.answer(cells, write, 0.0) for cells in inputs]
        return await asyncio.gather(*waiting, return_exceptions=True)

    return [
        type(found).__name__ if isinstance(found, Exception) else orjson.loads(found[1])
        for found in asyncio.run(run())
    ]


def test_one_call_for_all_that_wait(metrics: Metrics) -> None:
    predictor = Doubling()
    by_column = Cells(columns=[[4.0, 5.0, 6.0]])
    found = together(predictor, metrics, column(1.0, 2.0), column(3.0), by_column)
    assert found == [[2.0, 4.0], [6.0], [8.0, 10.0, 12.0]]
    assert predictor.calls == [6]
    counted = counts(metrics)
    assert counted["sixfold_joined_requests_total",] == 3
    assert counted["sixfold_rows_total",] == 6
    for phase in ("read", "predict", "write"):
        assert counted["sixfold_phase_seconds_count", phase] == 3


def test_one_alone_is_not_joined(metrics: Metrics) -> None:
    assert together(Doubling(), metrics, column(1.0)) == [[2.0]]
    assert counts(metrics)["sixfold_joined_requests_total",] == 0


def test_a_call_has_so_many_rows_that_nobody_waits_long(metrics: Metrics) -> None:
    predictor = Doubling()
    many = [column(*map(float, range(count))) for count in (20, 20, 20, 20, 500, 3)]
    found = together(predictor, metrics, *many)
    assert predictor.calls == [60, 20, 500, 3]
    assert [len(part) for part in found] == [20, 20, 20, 20, 500, 3]
    assert found[3] == [2.0 * at for at in range(20)]


def test_a_failure_is_only_its_own(metrics: Metrics) -> None:
    predictor = Doubling()
    found = together(predictor, metrics, column(1.0), column(np.nan), column(2.0, 3.0))
    assert found == [[2.0], "FloatingPointError", [4.0, 6.0]]
    assert together(predictor, metrics, column(np.nan)) == ["FloatingPointError"]


def test_one_who_gave_up_does_not_harm_the_others(metrics: Metrics) -> None:
    async def run() -> None:
        joiner = Joiner(Doubling(), metrics)
        tasks = [
            asyncio.create_task(joiner.answer(column(value), write, 0.0)) for value in (1.0, 2.0)
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
        raw, content, _ = await tasks[1]
        assert raw.tolist() == orjson.loads(content) == [4.0]

    asyncio.run(run())


def test_answers_come_in_the_order_of_asking(metrics: Metrics) -> None:
    async def run() -> list[int]:
        joiner = Joiner(Doubling(), metrics)
        order: list[int] = []

        def answered(number: int, outcome: Predicted | Exception) -> None:
            order.append(number)

        for number in range(600):  # more than may wait
            cells = column(np.nan if number == 3 else float(number))
            joiner.ask(cells, write, 0.0, partial(answered, number))
        assert order[:256] == list(range(256))
        joiner.flush()
        assert len(order) == 600
        joiner.flush()  # nobody waits
        await asyncio.sleep(0)
        return order

    assert asyncio.run(run()) == list(range(600))
