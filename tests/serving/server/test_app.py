"""The application with predictors that are slow or fail, which compiled ones hardly are."""

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.server.app import App
from serving.server.bundle import OnnxPredictor, read_bundle
from serving.server.metrics import Metrics
from serving.server.routes import NAMES
from serving.server.settings import Settings
from tests.serving.server.bundles import NUMBERS, write_bundle
from tests.serving.server.test_metrics import counts

ROW = {f"x{at}": float(at) for at in range(6)}
SECRET = 123456.75


class Moody(OnnxPredictor):
    """A compiled model that sleeps, or fails at a number."""

    seconds = 0.0

    def predict(self, rows: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        if (rows == SECRET).any():
            raise ArithmeticError(f"cannot stand {rows}")
        return super().predict(rows)


@pytest.fixture
def bundle_folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path, NUMBERS)
    return tmp_path


def make(folder: Path, **settings: Any) -> tuple[App, Moody]:
    bundle = read_bundle(folder)
    predictor = Moody(bundle)
    app = App(bundle, predictor, Settings(**settings), Metrics(bundle, NAMES, 1))
    return app, predictor


async def ask(app: App, rows: list[dict[str, float]]) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"dataframe_records": rows}).encode()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": []}
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_failure_says_nothing_of_the_request(
    bundle_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = make(bundle_folder)
    with caplog.at_level(logging.INFO):
        status, record = asyncio.run(ask(app, [ROW | {"x1": SECRET}]))
    assert status == 500
    assert record["error_code"] == "INTERNAL_ERROR"
    assert str(SECRET) not in json.dumps(record) + caplog.text
    assert "ArithmeticError in Moody.predict, line" in caplog.text
    assert asyncio.run(ask(app, [ROW]))[0] == 200


def test_a_large_request_that_takes_too_long(bundle_folder: Path) -> None:
    app, predictor = make(bundle_folder, max_seconds=0.1)
    predictor.seconds = 0.7
    status, record = asyncio.run(ask(app, [ROW] * 3000))
    assert (status, record["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    predictor.seconds = 0.0
    assert asyncio.run(ask(app, [ROW]))[0] == 200


def test_what_comes_together_is_one_call(bundle_folder: Path) -> None:
    app, predictor = make(bundle_folder)
    calls: list[int] = []
    predict = predictor.predict

    def counted(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        return predict(rows)

    predictor.predict = counted  # type: ignore[method-assign]

    async def all_at_once() -> list[tuple[int, dict[str, Any]]]:
        return await asyncio.gather(*(ask(app, [ROW | {"x0": float(at)}]) for at in range(5)))

    answers = asyncio.run(all_at_once())
    assert calls == [5]
    alone = [asyncio.run(ask(app, [ROW | {"x0": float(at)}])) for at in range(5)]
    for (status, record), (_, expected) in zip(answers, alone, strict=True):
        assert status == 200
        np.testing.assert_allclose(record["predictions"], expected["predictions"], rtol=1e-12)


def test_what_comes_together_counts_as_being_under_way(bundle_folder: Path) -> None:
    app, _ = make(bundle_folder, max_concurrency=2)
    route = app.short_ways[b"/invocations"]
    found: list[int] = []

    async def together() -> None:
        for _ in range(4):
            body = json.dumps({"dataframe_records": [ROW]}).encode()
            assert app.ask(route, {}, body, lambda status, *_: found.append(status))
        await asyncio.sleep(0)

    asyncio.run(together())
    assert sorted(found) == [200, 200, 200, 503]


def test_who_is_alone_is_answered_at_once_but_not_before_others(bundle_folder: Path) -> None:
    app, _ = make(bundle_folder)
    route = app.short_ways[b"/invocations"]
    body = json.dumps({"dataframe_records": [ROW]}).encode()
    order: list[str] = []

    async def run() -> None:
        assert app.ask(route, {}, body, lambda *_: order.append("before"))
        for wanted, asked in ((200, body), (400, b"[]")):
            answer = app.answer(route, {}, asked)
            assert answer is not None
            assert answer[0] == wanted
            order.append("alone")
            app.sent()

    asyncio.run(run())
    assert order == ["before", "alone", "alone"]
    assert counts(app._metrics)["sixfold_rows_total",] == 2


def test_who_is_alone_when_the_model_fails_is_not_counted_as_predicted(
    bundle_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = make(bundle_folder)
    body = json.dumps({"dataframe_records": [ROW | {"x0": SECRET}]}).encode()
    answer = app.answer(app.short_ways[b"/invocations"], {}, body)
    assert answer is not None
    assert answer[0] == 500
    app.sent()
    counted = counts(app._metrics)
    assert counted["sixfold_rows_total",] == 0
    assert counted["sixfold_errors_total", "internal"] == 1
    assert str(SECRET) not in caplog.text


def test_many_rows_in_a_small_body_do_not_hold_others_up(bundle_folder: Path) -> None:
    app, _ = make(bundle_folder)
    route = app.short_ways[b"/invocations"]
    body = json.dumps({"inputs": {"x0": [0] * 1_001} | dict.fromkeys(list(ROW)[1:], 0)}).encode()

    async def asked() -> bool:
        return app.ask(route, {}, body, lambda *_: None)

    assert not asyncio.run(asked())
    assert app.answer(route, {}, body) is None
