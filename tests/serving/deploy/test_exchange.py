"""What can be asked again: a request that is kept whole, until its answer is there whole."""

import pytest

from serving.deploy import exchange
from serving.deploy.exchange import Exchange, Room, is_prediction

POST = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n[[1]"
GET = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_is_kept_until_its_answer_is_whole(size: int) -> None:
    found = Exchange(room := Room())
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    for request in (POST, GET, POST):
        assert found.idle
        for at in range(0, len(request), size):
            assert found.asked(request[at : at + size]) == []
        assert found.answered(interim) == [interim]
        for end in (len(ANSWER) - 1, 5, len(ANSWER)):  # of another server each time
            assert b"".join(found.again() or []) == request
            found._tries = 0
            parts = [ANSWER[at : min(at + size, end)] for at in range(0, end, size)]
            passed = [part for data in parts for part in found.answered(data)]
            assert b"".join(passed) == (ANSWER if end == len(ANSWER) else b"")
        assert found.again() == []
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
        ([GET], [ANSWER + ANSWER]),
    ],
)
def test_what_is_not_plain_is_not_asked_again(asked: list[bytes], answered: list[bytes]) -> None:
    found = Exchange(room := Room())
    for data in asked:
        assert found.asked(data) == []
    passed = [part for data in answered for part in found.answered(data)]
    assert passed == answered
    assert found.again() is None
    assert room.left == exchange._KEPT


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (POST, True),
        (POST[:-1], True),
        (GET, False),
        (POST + GET, False),
        (POST[:30], False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", False),
    ],
)
def test_a_prediction_says_where_it_ends(data: bytes, expected: bool) -> None:
    assert is_prediction(data) is expected


def test_an_answer_passes_when_the_client_does_not_wait_for_it() -> None:
    found = Exchange(Room())
    found.asked(POST)
    assert found.answered(ANSWER[:-1]) == []
    assert found.asked(GET) == [ANSWER[:-1]]
    assert found.answered(ANSWER[-1:]) == [ANSWER[-1:]]
    assert found.again() is None


def test_a_long_answer_passes_and_the_next_is_held() -> None:
    found = Exchange(room := Room())
    body = bytes(exchange._HELD)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
    found.asked(POST)
    assert found.answered(head[:-1]) == []
    assert found.again() == [POST], "nothing of it has been handed on"
    assert found.answered(head) == [head]
    assert room.left == exchange._KEPT
    assert found.answered(body[:-1]) == [body[:-1]]
    assert found.answered(body[-1:]) == [body[-1:]]
    assert found.idle
    found.asked(POST)
    assert found.answered(ANSWER[:-1]) == []
    assert found.again() == [POST]

    found.answered(head)
    assert found.again() is None
    found.asked(GET)
    assert found.answered(body) == [body]
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
