"""The short way of small requests: the same answers, whatever comes when."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from serving.server.app import App
from serving.server.bundle import OnnxPredictor, read_bundle
from serving.server.heads import Heads
from serving.server.http import Connection
from serving.server.metrics import Metrics
from serving.server.routes import NAMES
from serving.server.settings import Settings
from tests.serving.server.bundles import NUMBERS, write_bundle


def request(number: float, more: bytes = b"", length: int = 200) -> bytes:
    """One whose answer depends on the number, of the same length whatever it is."""
    row = {f"x{at}": round(number + at, 3) for at in range(6)}
    body = json.dumps({"dataframe_records": [row]}).encode().ljust(length)
    lines = b"POST /invocations HTTP/1.1\nhost: here\ncontent-type: application/json\n"
    return whole(lines + b"content-length: %d\n" % len(body) + (more and more + b"\n"), body)


def whole(lines: bytes, body: bytes = b"") -> bytes:
    return lines.replace(b"\n", b"\r\n") + b"\r\n" + body


#: To go on in another protocol, as Java's client makes it.
OFFER = b"connection: upgrade, http2-settings\nupgrade: h2c\nhttp2-settings: AAEAAEAAAAIAAAAB"

#: Requests that differ in all that a connection must not mix up.
REQUESTS = [
    *(request(number, b"x-from: a") for number in (0.125, -3.5, 7.75)),
    request(1.5, b"x-from: bb"),
    whole(
        b"POST /invocations HTTP/1.1\ncontent-type: text/csv\ncontent-length: 200\n",
        b"x0,x1,x2,x3,x4,x5\n1,2,3,4,5,6.".ljust(200, b"0"),
    ),
    whole(b"GET /version HTTP/1.1\nhost: here\n"),
    whole(b"POST /invocations HTTP/1.1\nhost: here\ncontent-length: 2\n", b"[]"),
    whole(b"POST /nowhere HTTP/1.1\nhost: here\ncontent-length: 2\n", b"{}"),
    whole(
        b"POST /invocations HTTP/1.1\nhost: here\ntransfer-encoding: chunked\n",
        b"c8\r\n%s\r\n0\r\n\r\n" % request(3.25)[-200:],
    ),
]


def app_of(folder: Path, limits: Settings | None = None) -> App:
    write_bundle(folder, NUMBERS)
    bundle = read_bundle(folder)
    metrics = Metrics(bundle, NAMES, 1)
    return App(bundle, OnnxPredictor(bundle), limits or Settings(), metrics)


def connections_of(app: App) -> Callable[[], Connection]:
    """What makes the connections of one worker."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
    config.load()
    return partial(Connection, config, ServerState(), {})


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[Any]:
    """The address of a worker."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connections_of(app), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()


@asynccontextmanager
async def connected(
    app: App,
) -> AsyncIterator[tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is given what to receive, and its client's end."""
    here, there = socket.socketpair()
    made = connections_of(app)()
    await asyncio.get_running_loop().connect_accepted_socket(lambda: made, here)
    reader, writer = await asyncio.open_connection(sock=there)
    try:
        yield made, reader, writer
    finally:
        writer.close()
        await asyncio.sleep(0)


async def whole_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Its first line and its body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    (length,) = [line[15:] for line in head.split(b"\r\n") if line.startswith(b"content-length")]
    return head.split(b"\r\n")[0], await reader.readexactly(int(length))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> App:
    return app_of(tmp_path_factory.mktemp("bundle"))


async def one_by_one(app: App, asked: list[bytes]) -> list[tuple[bytes, bytes]]:
    found = []
    for each in asked:
        async with connected(app) as (connection, reader, _):
            connection.data_received(each)
            found.append(await whole_answer(reader))
    return found


@settings(max_examples=150, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(range(len(REQUESTS))), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 2_000), max_size=12),
    turns=st.booleans(),
)
def test_answers_are_the_same_however_requests_are_cut(
    served: App, chosen: list[int], cuts: list[int], turns: bool
) -> None:
    """Heads that are known, bodies that come later, several requests at once."""
    asked = [REQUESTS[at] for at in chosen]
    stream = b"".join(asked)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})

    async def together() -> list[tuple[bytes, bytes]]:
        async with connected(served) as (connection, reader, _):
            for begin, end in pairwise(places):
                connection.data_received(stream[begin:end])
                if turns:
                    await asyncio.sleep(0)
            return [await whole_answer(reader) for _ in asked]

    expected = asyncio.run(one_by_one(served, asked))
    assert asyncio.run(together()) == expected


def test_a_body_may_come_after_its_head_and_much_later(served: App) -> None:
    asked = request(2.5, b"x-late: yes")
    head, body = asked[:-200], asked[-200:]

    async def ask(pauses: list[float]) -> list[tuple[bytes, bytes]]:
        found = []
        async with connected(served) as (connection, reader, _):
            for pause in pauses:
                connection.data_received(head)
                await asyncio.sleep(pause)
                connection.data_received(body[:100])
                await asyncio.sleep(pause)
                connection.data_received(body[100:])
                found.append(await whole_answer(reader))
        return found

    answers = asyncio.run(ask([0, 0, 0.1, 0, 0.1]))
    assert answers == [answers[0]] * 5
    assert answers[0][0] == b"HTTP/1.1 200 OK"


def test_a_body_that_never_comes_is_given_up(tmp_path: Path) -> None:
    app = app_of(tmp_path, Settings(max_seconds=0.3))
    asked = request(2.5)

    async def ask() -> list[bytes]:
        async with connected(app) as (connection, reader, _):
            connection.data_received(asked)
            first = await whole_answer(reader)
            connection.data_received(asked[:-1])
            return [first[0], (await whole_answer(reader))[0]]

    assert asyncio.run(ask()) == [b"HTTP/1.1 200 OK", b"HTTP/1.1 503 Service Unavailable"]


@pytest.mark.parametrize("more", [b"", OFFER], ids=["plain", "offer"])
def test_the_end_of_the_server_waits_for_a_body_that_is_under_way(served: App, more: bytes) -> None:
    asked = request(2.5, more)

    async def ask() -> bytes:
        async with connected(served) as (connection, reader, _):
            for _ in range(2):
                connection.data_received(asked)
                await whole_answer(reader)
            connection.data_received(asked[:-50])
            connection.shutdown()
            connection.data_received(asked[-50:])
            last, _ = await whole_answer(reader)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            return last

    assert asyncio.run(ask()) == b"HTTP/1.1 200 OK"


def test_a_head_that_ends_otherwise_is_refused(served: App) -> None:
    """What is known of heads depends on it that they end with their first empty line."""
    asked = request(2.5).replace(b"\r\n", b"\n", 20)

    async def ask() -> bytes:
        async with connected(served) as (connection, reader, _):
            connection.data_received(asked)
            return (await whole_answer(reader))[0]

    assert asyncio.run(ask()) == b"HTTP/1.1 400 Bad Request"


def test_who_is_quick_does_not_keep_others_waiting(served: App) -> None:
    """A client that asks without a pause is waited for awake; another one still has its answers."""
    asked = request(2.5)

    async def ask() -> int:
        count, ends = 0, False

        def quick(address: Any) -> None:
            nonlocal count
            with socket.create_connection(address) as connection:
                while not ends:
                    connection.sendall(asked)
                    assert connection.recv(10_000).startswith(b"HTTP/1.1 200 OK")
                    count += 1

        async with listening(served) as address:
            thread = asyncio.create_task(asyncio.to_thread(quick, address))
            while count < 100:
                await asyncio.sleep(0.01)
            for _ in range(20):
                reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), 10)
                writer.write(asked)
                assert (await whole_answer(reader))[0] == b"HTTP/1.1 200 OK"
                writer.close()
            ends = True
            await thread
            return count

    assert asyncio.run(asyncio.wait_for(ask(), 60)) > 100


def infer(number: float, length: int) -> bytes:
    """A request of the other protocol, with a body of that length."""
    data = [round(number + at, 3) for at in range(6)]
    inputs = [
        {"name": f"x{at}", "shape": [1], "datatype": "FP64", "data": [value]}
        for at, value in enumerate(data)
    ]
    body = json.dumps({"inputs": inputs}).encode().ljust(length)
    assert len(body) == length
    lines = b"POST /v2/models/churn/infer HTTP/1.1\nhost: here\ncontent-length: %d\n" % length
    return whole(lines, body)


def test_a_head_is_not_taken_for_that_of_a_later_request(tmp_path: Path) -> None:
    """Whose body is as long as what is left of the first one's bytes."""
    app = app_of(tmp_path)
    first = request(2.5, b"x-from: somebody")
    other = infer(1.5, 700)
    begun = other[: 700 - 200]  # with the first one's body as many bytes as its own has

    async def ask() -> list[tuple[bytes, bytes]]:
        async with connected(app) as (connection, reader, _):
            connection.data_received(first + begun)
            await whole_answer(reader)
        return await one_by_one(app, [first, first])

    clean = asyncio.run(one_by_one(app, [first]))
    app.heads = Heads()
    asyncio.run(ask())
    assert asyncio.run(ask()) == clean * 2
    head, _ = app.heads.find(first)
    assert head is None or head.length == 200


def test_empty_lines_are_no_head(served: App) -> None:
    """They may come before a request, and are skipped."""
    asked = b"\r\n\r\n" + request(2.5)[:-50]
    forged = b"\r\n\r\n" + request(2.5)[-200:]

    async def ask() -> bytes:
        async with connected(served) as (connection, _, _):
            connection.data_received(asked)
        async with connected(served) as (connection, reader, _):
            connection.data_received(forged)
            return (await whole_answer(reader))[0]

    assert served.heads.find(forged)[0] is None
    assert asyncio.run(ask()) == b"HTTP/1.1 400 Bad Request"
    assert served.heads.find(forged)[0] is None


@pytest.mark.parametrize("with_body", [True, False], ids=["whole", "head"])
def test_what_follows_an_offer_is_not_taken_for_it(tmp_path: Path, with_body: bool) -> None:
    """A client that was declined another protocol asks something else at once."""
    app = app_of(tmp_path)
    offered, other = request(2.5, OFFER, 700), infer(1.5, 700)
    first, rest = (offered, b"") if with_body else (offered[:-700], offered[-700:])

    async def ask() -> tuple[bytes, bytes]:
        async with connected(app) as (connection, reader, writer):
            writer.write(rest + other)  # is there when the first one is answered
            connection.data_received(first)
            found = await whole_answer(reader)
            await whole_answer(reader)
            return found

    clean = asyncio.run(one_by_one(app, [offered]))
    app.heads = Heads()
    assert asyncio.run(ask()) == clean[0]
    assert asyncio.run(one_by_one(app, [offered, other]))[0] == clean[0]


def test_offers_one_after_the_other_are_all_answered(served: App) -> None:
    """By a client that is so quick that each is there when the one before has been answered."""
    offers = [request(2.5, OFFER + b"\nx-number: %04d" % number) for number in range(400)]

    def quick(address: Any) -> list[bytes]:
        found = []
        with socket.create_connection(address) as connection:
            for offer in offers:
                connection.sendall(offer)
                found.append(connection.recv(10_000).split(b"\r\n")[0])
        return found

    async def ask() -> list[bytes]:
        async with listening(served) as address:
            return await asyncio.to_thread(quick, address)

    assert set(asyncio.run(asyncio.wait_for(ask(), 60))) == {b"HTTP/1.1 200 OK"}


def test_a_body_that_drips_is_given_up(tmp_path: Path) -> None:
    """Known head or not: a byte now and then does not give it more time."""
    app = app_of(tmp_path, Settings(max_seconds=0.3))
    asked = request(2.5)

    async def ask() -> bytes:
        async with connected(app) as (connection, reader, _):
            connection.data_received(asked)
            await whole_answer(reader)
            connection.data_received(asked[:-200])
            answered = asyncio.create_task(whole_answer(reader))
            for at in range(-200, -50):
                connection.data_received(asked[at : at + 1])
                await asyncio.sleep(0.02)
                if answered.done():
                    break
            assert answered.done(), "after 3 s"
            return (await answered)[0]

    assert asyncio.run(ask()) == b"HTTP/1.1 503 Service Unavailable"


def test_offers_that_come_together_are_all_answered(served: App) -> None:
    offers = [whole(b"GET /version HTTP/1.1\nconnection: upgrade\nupgrade: x\n")] * 1_000

    async def ask() -> list[bytes]:
        async with connected(served) as (connection, reader, _):
            connection.data_received(b"".join(offers))
            return [(await whole_answer(reader))[0] for _ in offers]

    assert set(asyncio.run(ask())) == {b"HTTP/1.1 200 OK"}
