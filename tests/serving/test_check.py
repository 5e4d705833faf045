"""A command in a container that ends meanwhile: the engine says so in more than one way."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError

from registry.version import Version
from serving import check
from serving.check import run_in
from training.errors import SixfoldError


class Container:
    """Answers a command as the engine does, and says how it is."""

    def __init__(
        self, status: str, refusal: int = 0, printed: tuple[Any, Any] = (None, None), code: int = 0
    ):
        self.status = "created"
        self._now = status
        self._refusal = refusal
        self._printed = printed
        self._code = code

    def exec_run(self, command: list[str], demux: bool) -> tuple[int, tuple[Any, Any]]:
        assert command
        assert demux
        if self._refusal:
            raise APIError("not running", SimpleNamespace(status_code=self._refusal))
        return self._code, self._printed

    def reload(self) -> None:
        self.status = self._now


@pytest.mark.parametrize("refusal", [409, 500])  # before the command was made, or after
def test_one_that_has_ended_prints_nothing(refusal: int) -> None:
    assert run_in(Container("exited", refusal), ["true"]) == ""


def test_the_engines_words_are_not_the_commands() -> None:
    printed = (b"OCI runtime exec failed: exec failed: cannot exec in a stopped state", None)
    assert run_in(Container("exited", printed=printed, code=126), ["true"]) == ""
    assert run_in(Container("running", printed=printed, code=126), ["true"]) == ""  # a moment ago


def test_a_failure_of_the_engine_is_none_of_the_containers() -> None:
    with pytest.raises(APIError):
        run_in(Container("running", 500), ["true"])


@pytest.mark.parametrize(
    ("printed", "found"), [((b"out", b"err"), "out"), ((None, b"err"), "err"), ((None, None), "")]
)
def test_what_is_printed_or_else_its_errors(printed: tuple[Any, Any], found: str) -> None:
    assert run_in(Container("running", printed=printed), ["true"]) == found


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ((None, b"Traceback\n  File x\nKeyError: 'classes'\n"), "KeyError: 'classes'"),
        ((None, None), "the server's last words"),
    ],
)
def test_what_has_failed_is_said(
    monkeypatch: pytest.MonkeyPatch, printed: tuple[Any, Any], said: str
) -> None:
    """Whether that is what tries the image or the server in it."""
    container = Container("running", printed=printed)
    container.logs = lambda tail: b"ready\nthe server's last words\n"  # type: ignore[attr-defined]
    container.remove = lambda force: None  # type: ignore[attr-defined]
    monkeypatch.setattr(check, "run", lambda *_, **__: container)
    image, version = SimpleNamespace(labels={}, id="a"), SimpleNamespace(model="churn", version="1")
    with pytest.raises(SixfoldError, match=f"and is not kept: {said}$"):
        check.check_image(None, image, cast("Version", version), lambda _: None)
