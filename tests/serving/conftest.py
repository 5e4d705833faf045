"""What several tests of serving set up."""

import pytest

from tests.serving.predicting import ask, predicting_server

__all__ = ["ask", "predicting_server", "proxied"]


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests go to a proxy that is not there, unless they are told not to."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
