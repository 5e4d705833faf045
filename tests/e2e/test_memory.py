"""The memory of a container as small as `deploy` makes it, against requests that want all of it."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import docker
import pytest
import requests

from serving import serve
from serving.server.settings import Settings
from tests.e2e.released import Released

pytestmark = pytest.mark.docker

_MEMORY = 512 << 20
#: What takes many times its text once it has been read.
_GREEDY = {"lists": b"[],", "objects": b'{"":0},', "nested": b"[[[]]],", "numbers": b"0.1,"}
_BEFORE = {"orjson": b'{"a":[', "json": b'{"a":[NaN,'}  # which parser reads it


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def served(model: Released, request: pytest.FixtureRequest) -> Iterator[tuple[Any, int]]:
    """A container, and the largest body that it takes."""
    engine = docker.from_env()
    workers = request.param
    found = serve.run(engine, model.images["1"], 0, workers, _MEMORY, {"environment": {}})
    try:
        yield found, _MEMORY // 128 // workers
    finally:
        found.container.remove(force=True)


def test_no_worker_ends_for_large_bodies(served: tuple[Any, int], model: Released) -> None:
    server, most = served

    def ask(asked: tuple[str, str, int]) -> int:
        kind, parser, _ = asked
        begin, item = _BEFORE[parser], _GREEDY[kind]
        body = begin + item * ((most - len(begin) - 4) // len(item)) + b"0]}"
        answer = requests.post(f"{server.url}/invocations", body, timeout=100)
        assert answer.json()["error_code"]
        return answer.status_code

    with ThreadPoolExecutor(24) as clients:
        found = Counter(clients.map(ask, product(_GREEDY, _BEFORE, range(6))))
    assert set(found) <= {400, 503}
    assert found[400] >= 8
    body = json.dumps(model.body)
    assert requests.post(f"{server.url}/invocations", body, timeout=30).status_code == 200
    log = server.container.logs().decode()
    assert "is replaced" not in log, log


def test_a_body_beyond_the_memory_is_refused(served: tuple[Any, int]) -> None:
    server, most = served
    answer = requests.post(f"{server.url}/invocations", b" " * (most + 1), timeout=30)
    assert answer.status_code == 413
    assert str(most) in answer.json()["message"]
    assert most < Settings().max_body
