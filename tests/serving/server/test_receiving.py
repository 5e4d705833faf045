"""Bodies that come in parts, and the room that all of them have together."""

import asyncio
from typing import Any

import pytest

from serving.server.errors import Refused
from serving.server.receiving import LARGE, Body, Gone, Room

_MOST = 4 * LARGE


def parts(*sizes: int) -> Any:
    """What an ASGI server gives for a body of parts of these sizes."""
    left = list(sizes)

    async def receive() -> dict[str, Any]:
        size = left.pop(0)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    return receive


def receive(body: Body, *sizes: int, length: int | None = None) -> bytes:
    headers = {} if length is None else {b"content-length": b"%d" % length}
    return asyncio.run(body.receive(headers, parts(*sizes)))


def refusal(room: Room, *sizes: int, length: int | None = None) -> int:
    body = Body(room)
    with pytest.raises(Refused) as caught:
        receive(body, *sizes, length=length)
    body.release()
    return caught.value.status


def test_a_body_is_its_parts() -> None:
    body = Body(Room(_MOST))
    assert receive(body, 3, 0, LARGE, 5) == b"x" * (LARGE + 8)


@pytest.mark.parametrize("sizes", [(_MOST + 1,), (LARGE, 3 * LARGE, 1)])
def test_a_body_that_is_too_large(sizes: tuple[int, ...]) -> None:
    assert refusal(Room(_MOST), *sizes) == 413


def test_what_says_that_it_is_too_large_is_not_waited_for() -> None:
    assert refusal(Room(_MOST), length=_MOST + 1) == 413


def test_there_is_room_for_eight_of_the_largest() -> None:
    room = Room(_MOST)
    bodies = [Body(room) for _ in range(8)]
    for body in bodies:
        receive(body, LARGE, 3 * LARGE)
    assert refusal(room, LARGE + 1) == 503
    assert refusal(room, 10, LARGE) == 503
    receive(Body(room), LARGE)  # a small one always has
    bodies[0].release()
    receive(Body(room), _MOST)


def test_what_is_refused_or_gone_leaves_its_room() -> None:
    room = Room(_MOST)

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    for _ in range(20):
        assert refusal(room, 3 * LARGE, 3 * LARGE) == 413
        body = Body(room)
        with pytest.raises(Gone):
            asyncio.run(body.receive({}, gone))
        body.release()
    for _ in range(8):
        receive(Body(room), _MOST)
