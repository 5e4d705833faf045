"""The head of an answer is that of its own time, status and headers."""

from serving.server.written import Written


def test_a_head_is_written_anew_where_anything_of_it_is_other() -> None:
    written = Written()
    first, next_second = [(b"date", b"Mon")], [(b"date", b"Tue")]
    kind, closes = (b"content-type", b"a/b"), (b"connection", b"close")

    def head(date: bytes, more: bytes, length: int) -> bytes:
        lines = b"date: %b\r\ncontent-type: a/b\r\n%b" % (date, more)
        return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n" % (lines, length)

    for _ in range(2):
        assert written.answer(200, first, [kind], b"xyz") == head(b"Mon", b"", 3) + b"xyz"
    assert written.answer(200, first, [kind], b"") == head(b"Mon", b"", 0)
    assert written.answer(200, next_second, [kind], b"x") == head(b"Tue", b"", 1) + b"x"
    more = b"connection: close\r\n"
    assert written.answer(200, next_second, [kind, closes], b"x") == head(b"Tue", more, 1) + b"x"
    assert written.answer(200, next_second, [kind], b"x") == head(b"Tue", b"", 1) + b"x"
    assert written.answer(503, next_second, [], b"").startswith(b"HTTP/1.1 503 ")
