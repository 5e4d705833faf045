"""Connections and how they end, where the moment matters."""

import asyncio
import json
from pathlib import Path

import pytest
import uvicorn
from uvicorn.server import ServerState

from serving.server.app import App
from serving.server.bundle import OnnxPredictor, read_bundle
from serving.server.http import Connection
from serving.server.metrics import Metrics
from serving.server.routes import NAMES, Answer, Route
from serving.server.settings import Settings
from tests.serving.server.bundles import NUMBERS, write_bundle

BODY = json.dumps({"dataframe_records": [{f"x{at}": float(at) for at in range(6)}]}).encode()
HEAD = (
    b"POST /invocations HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n" % len(BODY)
)


class ToldToEnd(App):
    """An application that SIGTERM reaches when it has made an answer and not yet sent it."""

    def _finished(self, route: Route, answer: Answer) -> Answer:
        found = super()._finished(route, answer)
        self.draining = True
        return found


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The head of the next answer, whose body is read as well."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [line[15:] for line in head.split(b"\r\n") if line.startswith(b"content-length")]
    await reader.readexactly(int(length))
    return head


@pytest.mark.parametrize("pieces", [[HEAD + BODY], [HEAD, BODY]], ids=["short way", "long way"])
def test_no_connection_ends_that_was_not_told(tmp_path: Path, pieces: list[bytes]) -> None:
    """A client that keeps its connection may be sending again while the last answer comes."""
    write_bundle(tmp_path, NUMBERS)
    bundle = read_bundle(tmp_path)
    app = ToldToEnd(bundle, OnnxPredictor(bundle), Settings(), Metrics(bundle, NAMES, 1))

    async def two_answers() -> list[bytes]:
        config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
        state = ServerState()
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        found = []
        for _ in range(2):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.05)
            found.append(await asyncio.wait_for(answer(reader), 10))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        server.close()
        return found

    first, second = asyncio.run(two_answers())
    assert b"connection: close" not in first
    assert b"\r\nconnection: close\r\n" in second
