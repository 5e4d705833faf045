"""Where predictions go: never over the table, nor lost at the end, and what is said meanwhile."""

import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from docker.errors import APIError

from serving.predict import _Bar
from tests.serving.predicting import Asking
from tests.waiting import wait_until


class Store(ThreadingHTTPServer):
    """An S3 store that refuses what a test wants it to.

    Attributes
    ----------
    asked : list of str
        Method and what follows the key, of each request.
    refused : str
        Of these; '' for none.
    status : int
        That it is refused with.
    body : bytes
        What was written.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.asked: list[str] = []
        self.refused = ""
        self.status = 403
        self.body = b""


class _Requests(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = f"{self.command} {self.path.partition('?')[2].partition('=')[0]}".strip()
        self.server.asked.append(asked)
        is_refused = asked == self.server.refused
        if asked == "PUT" and not is_refused:
            self.server.body = body
        said = b"<Error><Code>AccessDenied</Code></Error>" if is_refused else b""
        if asked == "POST uploads" and not is_refused:
            said = (
                b"<InitiateMultipartUploadResult><UploadId>one</UploadId>"
                b"</InitiateMultipartUploadResult>"
            )
        self.send_response(
            self.server.status if is_refused else 204 if self.command == "DELETE" else 200
        )
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with Store() as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ada")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()


@pytest.mark.parametrize(
    ("table", "out"),
    [("new.csv", "new.csv"), ("new.csv", "link.csv"), ("link.csv", "./new.csv")],
)
def test_a_table_is_not_written_over(ask: Asking, table: str, out: str) -> None:
    ask.rows().head(3).to_csv("new.csv", index=False)
    Path("link.csv").symlink_to("new.csv")
    before = Path("new.csv").read_bytes()
    assert "expected another file than the table" in ask.refusal(table, out)
    assert Path("new.csv").read_bytes() == before
    assert ask.started == []


def test_an_object_is_not_written_over(
    ask: Asking, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask.rows().head(3).to_csv("new.csv", index=False)
    monkeypatch.setattr("training.sources.s3.fetch", lambda *_: Path("new.csv"))
    said = ask.refusal("s3://ada:pa55@bucket/a/new.csv", "S3://bucket/a/new.csv")
    assert "expected another file than the table" in said
    assert "pa55" not in said
    assert ask.started == []
    assert store.asked == []


def test_what_goes_to_s3_is_there_once(ask: Asking, store: Store) -> None:
    ask.rows().head(3).to_csv("new.csv", index=False)
    found = ask("new.csv", "s3://bucket/p.csv")
    assert found.exit_code == 0, found.output
    assert store.asked == ["POST uploads", "DELETE uploadId", "PUT"]
    assert store.body.count(b"\n") >= 4


@pytest.mark.parametrize(
    ("status", "expected"), [(403, "may not write it"), (404, "got none called 'bucket'")]
)
def test_a_bucket_that_may_not_be_written_to_is_one_line_before_the_work(
    ask: Asking, store: Store, status: int, expected: str
) -> None:
    store.refused, store.status = "POST uploads", status
    ask.rows().head(3).to_csv("new.csv", index=False)
    said = ask.refusal("new.csv", "s3://bucket/p.csv")
    assert expected in said
    assert ask.started == []
    assert "expected s3://BUCKET/KEY" in ask.refusal("new.csv", "s3://bucket")
    assert ask.started == []


def test_who_may_not_abort_an_upload_may_still_write(ask: Asking, store: Store) -> None:
    store.refused = "DELETE uploadId"
    ask.rows().head(3).to_csv("new.csv", index=False)
    assert ask("new.csv", "s3://bucket/p.csv").exit_code == 0


def test_predictions_that_cannot_be_sent_are_kept(
    ask: Asking, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store.refused = "PUT"
    ask.rows().head(3).to_csv("new.csv", index=False)
    said = ask.refusal("new.csv", "s3://bucket/p.csv")
    assert "expected to write s3://bucket/p.csv" in said
    kept = Path(said.partition("the predictions are kept in ")[2].split(";")[0])
    assert kept.is_relative_to(tmp_path)
    assert len(pd.read_csv(kept)) == 3
    assert ask.container.ended == ["stopped"]


def test_predictions_whose_upload_is_interrupted_are_kept(
    ask: Asking, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def send(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("training.sources.s3.send", send)
    ask.rows().head(3).to_csv("new.csv", index=False)
    found = ask("new.csv", "s3://bucket/p.csv")
    assert found.exit_code == 130
    kept = Path(found.stderr.partition("the predictions are kept in ")[2].split(";")[0])
    assert kept.is_relative_to(tmp_path)
    assert len(pd.read_csv(kept)) == 3


def test_an_interrupt_at_the_servers_end_leaves_no_container(
    ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("serving.serve.stop", stop)
    ask.rows().head(3).to_csv("new.csv", index=False)
    assert ask("new.csv", "p.csv").exit_code == 130
    assert ask.container.ended == ["removed"]


def test_an_engine_that_fails_is_called_so(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def image_of(*_: Any, **__: Any) -> str:
        raise APIError("no space left")

    monkeypatch.setattr("serving.serve.image_of", image_of)
    ask.rows().head(3).to_csv("new.csv", index=False)
    found = ask("new.csv", "p.csv")
    assert found.exit_code == 1
    said = found.stderr.strip().splitlines()[-1]
    assert said.startswith("sixfold: the Docker engine failed while predicting: no space left")


def test_how_far_it_is_is_a_line_now_and_then_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with _Bar() as bar:
        bar.say("predicting [new].csv")
        for now in range(0, 25, 4):
            bar.advance(2_000 * (now + 1), 60_000)
        now = 40
        bar.advance(60_000, None)
    assert capsys.readouterr().err.splitlines() == [
        "predicting [new].csv",
        "26,000 of 60,000 rows",
        "50,000 of 60,000 rows",
        "60,000 rows",
    ]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_a_terminals_bar_is_ended(
    error: BaseException | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    before = threading.active_count()
    try:
        with _Bar() as bar:
            bar.advance(2_000, 60_000)
            assert threading.active_count() > before
            if error:
                raise error
            bar.advance(60_000, 60_000)
    except KeyboardInterrupt:
        assert error
    wait_until(lambda: threading.active_count() == before)
    said = terminal.getvalue()
    assert ("2,000 rows" if error else "60,000 rows") in said
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert said.rindex(shown) > said.rindex(hidden)
