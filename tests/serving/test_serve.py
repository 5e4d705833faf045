"""Which image a version answers from on this machine, and how its container ends."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from registry.version import Version
from serving import serve
from serving.base import own_platform
from serving.labels import BASE, identity
from serving.origin import Origin
from training.errors import SixfoldError

ORIGIN = Origin(
    Version("churn", "7", "run7", "Production", (), {}, "", 0.0, ""), "run7", "c" * 40, "svm", "t"
)


class Engine:
    """An engine as far as it is asked for images.

    Attributes
    ----------
    built : list of (tag, platform)
    """

    def __init__(self, *there: tuple[list[str], str], arch: str = "amd64") -> None:
        self._there = there
        self._arch = arch
        self.images = self
        self.built: list[tuple[str, str]] = []

    def list(self, filters: dict[str, list[str]]) -> list[Any]:
        assert filters == {"label": [f"{k}={v}" for k, v in identity(ORIGIN).items()]}
        return [SimpleNamespace(tags=tags, labels={BASE: base}) for tags, base in self._there]

    def version(self) -> dict[str, str]:
        return {"Os": "linux", "Arch": self._arch}


@pytest.fixture
def _bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bases are called by what they are; an image is built by its name alone."""

    def base_name(_: Engine, platform: str, *, slim: bool) -> str:
        return f"sixfold-serving:{platform}{'-slim' if slim else ''}"

    monkeypatch.setattr(serve, "base_name", base_name)
    monkeypatch.setattr("serving.origin.read_origin", lambda *_: ORIGIN)


def image_of(monkeypatch: pytest.MonkeyPatch, engine: Engine, **asked: bool) -> str:
    def build(_: Any, wanted: Any, _say: Any) -> Any:
        engine.built.append((wanted.tag, wanted.platform))
        return SimpleNamespace(tag=wanted.tag)

    monkeypatch.setattr(serve, "build", build)
    client: Any = None
    return serve.image_of(client, engine, ORIGIN.version, lambda _: None, **asked)


FULL, SLIM, ARM = "linux/amd64", "linux/amd64-slim", "linux/arm64"
TRIED = "sixfold-candidate:0123456789ab"


@pytest.mark.usefixtures("_bases")
@pytest.mark.parametrize(
    ("there", "whole", "expected"),
    [
        ([(["churn:7"], FULL)], False, "churn:7"),
        ([(["churn:7"], SLIM)], False, "churn:7"),
        ([(["a:slim"], SLIM), (["churn:7"], FULL)], False, "churn:7"),
        ([(["a:slim"], SLIM), (["churn:7"], FULL)], True, "churn:7"),
        ([(["z:7", "churn:7"], FULL), (["b:7"], FULL)], False, "b:7"),
        ([([TRIED], FULL), (["churn:7"], SLIM)], False, "churn:7"),
        ([([TRIED, "churn:7"], FULL)], False, "churn:7"),
    ],
)
def test_an_image_of_the_version_that_has_passed_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    there: list[tuple[list[str], str]],
    whole: bool,
    expected: str,
) -> None:
    engine = Engine(*there)
    assert image_of(monkeypatch, engine, whole=whole) == expected
    assert engine.built == []


@pytest.mark.usefixtures("_bases")
@pytest.mark.parametrize(
    ("there", "whole"),
    [
        ([], False),
        ([(["churn:7"], "linux/amd64-of-before")], False),
        ([([], FULL)], False),
        ([([TRIED], FULL), ([f"{TRIED}-mlflow"], SLIM)], False),
        ([(["churn:7"], SLIM)], True),
    ],
)
def test_where_there_is_none_it_is_built(
    monkeypatch: pytest.MonkeyPatch, there: list[tuple[list[str], str]], whole: bool
) -> None:
    engine = Engine(*there)
    assert image_of(monkeypatch, engine, whole=whole) == "churn:7"
    assert engine.built == [("churn:7", "linux/amd64")]


@pytest.mark.usefixtures("_bases")
@pytest.mark.parametrize(
    ("there", "here", "expected", "built"),
    [
        ([(["churn:7"], FULL), (["a:7"], ARM)], True, "a:7", []),
        ([(["churn:7"], FULL)], True, "churn:7-arm64", [("churn:7-arm64", "linux/arm64")]),
        ([(["churn:7"], FULL), (["a:7"], ARM)], False, "churn:7", []),
        ([], False, "churn:7", [("churn:7", "linux/amd64")]),
    ],
)
def test_what_answers_here_is_of_the_engines_own_platform(
    monkeypatch: pytest.MonkeyPatch,
    there: list[tuple[list[str], str]],
    here: bool,
    expected: str,
    built: list[tuple[str, str]],
) -> None:
    engine = Engine(*there, arch="arm64")
    assert own_platform(engine) == "linux/arm64"
    assert image_of(monkeypatch, engine, here=here) == expected
    assert engine.built == built


class Container:
    """One that ends as a test has it."""

    status = "running"

    def __init__(self, *raised: BaseException) -> None:
        self.raised = list(raised)
        self.asked: list[str] = []

    def stop(self, timeout: int) -> None:
        self.asked.append("stop")
        if self.raised:
            raise self.raised.pop(0)

    def wait(self) -> dict[str, int]:
        return {"StatusCode": 3}

    def remove(self, force: bool) -> None:
        self.asked.append("remove")
        if self.raised:
            raise self.raised.pop(0)

    def reload(self) -> None:
        pass

    def logs(self, tail: int) -> bytes:
        return b"one\nno model\n"


def test_a_container_is_removed_however_its_end_is_interrupted() -> None:
    container = Container()
    assert serve.stop(serve.Served(container, "", "", "")) == 3
    assert container.asked == ["stop", "remove"]
    container = Container(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        serve.stop(serve.Served(container, "", "", ""))
    assert container.asked == ["stop", "remove"]


def test_a_container_that_is_gone_hides_no_interrupt() -> None:
    gone = NotFound("No such container", SimpleNamespace(status_code=404))
    container = Container(KeyboardInterrupt(), gone)
    with pytest.raises(KeyboardInterrupt):
        serve.stop(serve.Served(container, "", "", ""))
    assert container.asked == ["stop", "remove"]


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ready() -> Iterator[str]:
    """The address of a server that is ready."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.usefixtures("proxied")
def test_ones_own_container_is_asked_past_a_proxy(
    ready: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_PATIENCE", 5.0)
    serve._wait(Container(), ready)
    container = Container()
    container.status = "exited"
    with pytest.raises(SixfoldError, match="has not become ready: no model"):
        serve._wait(container, "http://127.0.0.1:1")
