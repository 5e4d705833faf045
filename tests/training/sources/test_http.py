"""Tables from a real web server."""

import gzip
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.errors import UserError
from training.table import read_table

_CSV = b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(20_000))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/t.csv")
            self.end_headers()
            return
        if path.startswith("/status/"):
            self.send_error(int(path.rpartition("/")[2]))
            return
        packed = gzip.compress(_CSV)
        answers = {
            "/t.csv": (_CSV, {}),
            "/t.csv.gz": (packed, {}),
            "/my%20t.csv": (_CSV, {}),
            "/": (_CSV, {}),
            "/encoded.csv": (packed, {"Content-Encoding": "gzip"}),
            "/page.csv": (b"<!DOCTYPE html><html>Please log in</html>", {}),
            "/cut.csv": (_CSV, {"Content-Length": str(2 * len(_CSV))}),
        }
        body, headers = answers[path]
        self.send_response(200)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "path", ["t.csv", "t.csv.gz", "encoded.csv", "moved", "my%20t.csv", "", "t.csv?key=secret"]
)
def test_a_table_is_streamed_and_nothing_is_left(
    site: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    table = read_table(f"http://user:secret@{site}/{path}")
    assert table.frame.shape == (20_000, 2)
    assert "secret" not in table.source
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("status/404", "got the answer 404 Not Found"),
        ("status/403", "403 Forbidden"),
        ("status/500", "500 Internal Server Error"),
        ("page.csv", "got a web page"),
        ("cut.csv", "got a"),
    ],
)
def test_one_line_says_what_came_and_no_secret(site: str, path: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        read_table(f"http://user:secret@{site}/{path}?token=secret")
    assert said in str(error.value)
    assert f"http://{site}/{path}" in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/t.csv", "http://no.such.host.invalid/t.csv"]
)
def test_nobody_answers(address: str) -> None:
    with pytest.raises(UserError, match="got no answer") as error:
        read_table(address)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "address", ["http:///t.csv", "http://", "http://[::1/t.csv", "http://a:b/t"]
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UserError) as error:
        read_table(address)
    assert "\n" not in str(error.value)


def test_the_proxy_of_the_environment_is_used(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{site}/")
    with pytest.raises(UserError, match="got"):
        # The test's server, asked as a proxy, is asked for a path it does not have.
        read_table("http://no.such.host.invalid/status/404")
