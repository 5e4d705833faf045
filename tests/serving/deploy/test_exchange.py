"""What can be asked again: a request of which nothing is answered, and that is kept whole."""

import pytest

from serving.deploy import exchange
from serving.deploy.exchange import Exchange, Room

POST = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n[[1]"
GET = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_is_kept_until_its_answer_begins(size: int) -> None:
    found = Exchange(room := Room())
    for request in (POST, GET, POST):
        assert found.idle
        for at in range(0, len(request), size):
            found.asked(request[at : at + size])
            assert b"".join(found.again() or []) == request[: at + size]
            found._tries = 0
        found.answered(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert b"".join(found.again() or []) == request
        for at in range(0, len(ANSWER), size):
            found.answered(ANSWER[at : at + size])
            assert found.again() == (None if at + size < len(ANSWER) else [])
    assert found.idle
    assert room.left == exchange._KEPT


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ([POST, GET], []),
        ([POST + GET], []),
        ([b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n"], []),
        ([b"no HTTP" * 10_000], []),
        ([GET.replace(b"GET", b"HEAD")], [ANSWER[:-2]]),
        ([POST[:-1]], [ANSWER]),
        ([GET], [ANSWER.replace(b"content-length: 2", b"transfer-encoding: chunked")]),
        ([GET], [ANSWER.replace(b"content-length: 2\r\n", b"")]),
        ([GET], [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"]),
        ([GET], [ANSWER, ANSWER]),
    ],
)
def test_what_is_not_plain_is_not_asked_again(asked: list[bytes], answered: list[bytes]) -> None:
    found = Exchange(room := Room())
    for data in asked:
        found.asked(data)
    for data in answered:
        found.answered(data)
    assert found.again() is None
    assert room.left == exchange._KEPT


def test_a_request_is_asked_three_times_in_all() -> None:
    found = Exchange(Room())
    found.asked(POST)
    assert [found.again(), found.again(), found.again()] == [[POST], [POST], None]


def test_what_is_kept_has_a_limit_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "left", len(POST) + 10)
    room = Room()
    one, other = Exchange(room), Exchange(room)
    one.asked(POST)
    other.asked(POST)
    assert other.again() is None
    assert one.again() == [POST]
    one.answered(ANSWER)
    assert room.left == len(POST) + 10
