"""A canary has its share of the predictions, and what it does not answer the stable one does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
import uvloop

from serving.deploy import servers as module
from serving.deploy.forward import Client, Front
from serving.deploy.servers import Canary, Stable, canary_of, share_of
from tests.services.process import free_ports

STABLE, CANARY = "127.0.0.1", "127.0.0.2"
POST = b"POST /invocations HTTP/1.1\r\ncontent-length: 3\r\n\r\n[1]"
CHUNKED = b"POST /invocations HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n"
GET = b"GET /metrics HTTP/1.1\r\ncontent-length: 3\r\n\r\n[1]"

Run = Callable[[Coroutine[Any, Any, None]], None]


@dataclass
class Servers:
    """A front before two servers.

    Attributes
    ----------
    front : Front
    port : int
        Of the front.
    connections, requests : Counter
        What came to whom.
    open : int
        Connections that are.
    """

    front: Front
    port: int
    connections: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    open: int = 0

    async def ask(self, *requests: bytes, keeps: bool = True) -> Counter[str]:
        """Whose answers came, over one connection or one a request."""
        answers: Counter[str] = Counter()
        reader, writer = await asyncio.open_connection(STABLE, self.port)
        for request in requests:
            writer.write(request)
            await reader.readuntil(b"version: ")
            answers[(await reader.readuntil(b"\r\n\r\n")).decode().split()[0]] += 1
            if not keeps:
                writer.close()
                reader, writer = await asyncio.open_connection(STABLE, self.port)
        writer.close()
        return answers


@asynccontextmanager
async def servers(share: int, there: tuple[str, ...] = (STABLE, CANARY)) -> AsyncIterator[Servers]:
    """Those that listen; the front knows of a canary in any case."""
    (port,) = free_ports(1)
    front = Front(STABLE, port)
    front.canary.address, front.canary.share = CANARY, share

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        found.connections[address] += 1
        found.open += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"[1]")
                found.requests[address] += 1
                if request.startswith(b"POST /ends") and address == CANARY:
                    writer.write(b"HTTP/1.1 200")
                    break
                head = f"HTTP/1.1 200 OK\r\nversion: {address}\r\ncontent-length: 0\r\n\r\n"
                writer.write(head.encode())
        found.open -= 1
        writer.close()

    listening = [await asyncio.start_server(answer, address, port) for address in there]
    loop = asyncio.get_running_loop()
    at = await loop.create_server(lambda: Client(front), STABLE, 0)
    found = Servers(front, at.sockets[0].getsockname()[1])
    try:
        yield found
    finally:
        while front.clients or found.open:
            await asyncio.sleep(0.01)
        for server in (at, *listening):
            server.close()


@pytest.fixture(params=[asyncio, uvloop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    loops: ModuleType = request.param

    def run_it(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
            runner.run(asyncio.wait_for(test, 60))

    return run_it


@pytest.mark.parametrize("share", [1, 10, 33, 50, 99])
def test_its_part_is_its_share_in_any_stretch(share: int) -> None:
    canary = Canary("sixfold-churn", 8080)
    canary.address, canary.share = CANARY, share
    turns = [bool(canary.turn()) for _ in range(3_000)]
    for start in range(0, 2_000, 7):
        assert abs(sum(turns[start : start + 1_000]) - 10 * share) <= 1
        assert abs(sum(turns[start : start + 100]) - share) <= 1


def test_who_asks_in_a_pattern_meets_both() -> None:
    canary = Canary("sixfold-churn", 8080)
    canary.address, canary.share = CANARY, 50
    turns = [bool(canary.turn()) for _ in range(1_000)]
    assert 0 < sum(turns[::2]) < 500
    assert 0 < sum(turns[1::2]) < 500


@pytest.mark.parametrize("keeps", [True, False])
def test_predictions_are_shared_and_all_else_is_the_stable_ones(run: Run, keeps: bool) -> None:
    async def test() -> None:
        async with servers(25) as found:
            assert await found.ask(*[GET] * 10, keeps=keeps) == {STABLE: 10}
            answers = await found.ask(*[POST, GET] * 100, keeps=keeps)
            assert abs(answers[CANARY] - 25) <= 1
            assert answers.total() == 200
            assert answers[CANARY] == found.requests[CANARY]
            if keeps:  # a connection to each waits while the other answers
                assert found.connections[CANARY] == 1
                assert found.connections[STABLE] <= 3, "one may be ahead of the first request"

    run(test())


def test_what_has_no_length_is_the_stable_ones(run: Run) -> None:
    """And all that follows it over the connection, as it cannot be seen where that begins."""

    async def test() -> None:
        async with servers(99) as found:
            assert await found.ask(*[CHUNKED] * 10, keeps=False) == {STABLE: 10}
            assert await found.ask(CHUNKED, *[POST] * 10) == {STABLE: 11}

    run(test())


def test_half_an_answer_of_a_canary_is_answered_by_the_stable_one(run: Run) -> None:
    async def test() -> None:
        async with servers(50) as found:
            ends = POST.replace(b"invocations", b"ends")
            assert await found.ask(*[ends] * 20) == {STABLE: 20}
            assert abs(found.requests[CANARY] - 10) <= 1
            assert (await found.ask(*[POST] * 20)).keys() == {STABLE, CANARY}

    run(test())


def test_a_canary_that_does_not_listen_has_no_turn(run: Run) -> None:
    async def test() -> None:
        async with servers(50, there=(STABLE,)) as found:
            assert await found.ask(*[POST] * 20) == {STABLE: 20}
            assert found.front.canary.address == ""
            # The next one may have come while this one was tried.
            found.front.canary.address = "127.0.0.3"
            assert await found.front.canary.connect(CANARY, asyncio.Protocol) is None
            assert found.front.canary.address == "127.0.0.3"

    run(test())


def test_a_canary_that_has_lost_its_name_has_no_turn_whatever_it_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as nothing, when it is asked whether it is ready."""
    monkeypatch.setattr(module, "_LOOK", 0.01)
    monkeypatch.setattr(module, "_READY_PATIENCE", 3_600.0)
    named, looks = [CANARY], [0]

    async def find() -> tuple[str, int]:
        return named[0], 10

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        looks[0] += 1
        if looks[0] == 1:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            writer.close()
        await reader.read()
        writer.close()

    async def test() -> None:
        (port,) = free_ports(1)
        slow = await asyncio.start_server(answer, CANARY, port)
        canary = Canary("sixfold-churn", port)
        monkeypatch.setattr(canary, "_find", find)
        watch = asyncio.create_task(canary.watch())
        while looks[0] < 2:
            await asyncio.sleep(0.01)
        assert canary.address == CANARY, "it may take its time"
        named[0] = ""
        while canary.address:
            await asyncio.sleep(0.01)
        named[0] = CANARY
        while looks[0] < 3:
            await asyncio.sleep(0.01)
        assert canary.address == ""
        watch.cancel()
        slow.close()

    run(test())


def test_the_next_canary_gets_what_the_one_before_had(run: Run) -> None:
    """Over a connection that is open, too; and the stable one all when there is none any more."""

    async def test() -> None:
        async with servers(99, there=(STABLE, CANARY, "127.0.0.3")) as found:
            reader, writer = await asyncio.open_connection(STABLE, found.port)
            for address, who in ((CANARY, CANARY), ("127.0.0.3", "127.0.0.3"), ("", STABLE)):
                found.front.canary.address = address
                before = found.requests[who]
                for _ in range(10):
                    writer.write(POST)
                    await reader.readuntil(b"\r\n\r\n")
                assert found.requests[who] - before >= 9
            writer.close()

    run(test())


@pytest.mark.parametrize(
    ("container", "share"),
    [
        (canary_of("sixfold-churn", 10), 10),
        (canary_of("sixfold-churn", 1), 1),
        ("sixfold-churn", 0),
        ("sixfold-churn-next", 0),
        (f"{canary_of('sixfold-churn', 10)}-old", 0),
        (canary_of("sixfold-churn-eu", 10), 0),
    ],
)
def test_a_canary_is_known_by_its_containers_name(container: str, share: int) -> None:
    assert share_of("sixfold-churn", container) == share


def test_who_waits_for_the_same_name_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server is slow, and then does not know it: its last address is everybody's."""
    asked: list[str] = []

    async def nobody(name: str) -> list[str]:
        asked.append(name)
        await asyncio.sleep(0.3)
        raise OSError

    async def run() -> list[str]:
        stable = Stable("name", 1)
        stable._address = STABLE
        return await asyncio.gather(*(stable._find() for _ in range(6)))

    monkeypatch.setattr(module, "_addresses", nobody)
    assert asyncio.run(run()) == [STABLE] * 6
    assert asked == ["name"]
