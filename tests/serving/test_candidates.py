"""What a build that was killed has left goes with the next one, and nothing else."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from serving.candidates import REPOSITORY, new_name, own_names, remove_left
from serving.labels import MODEL, VERSION

_NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
_OLD, _NEW = "2027-01-15T06:59:59.123456789Z", "2027-01-15T07:00:01.5+00:00"
_NEVER = "0001-01-01T00:00:00Z"
_OWN = {MODEL: "churn", VERSION: "7"}


class Engine:
    """An engine with one image."""

    def __init__(self, name: str, labels: Any, created: str, tagged: str, refusal: int) -> None:
        self.removed: list[str] = []
        self.api = SimpleNamespace(images=self._listed, inspect_image=self._inspect)
        self.images = SimpleNamespace(remove=self._remove)
        self._image = {"RepoTags": [name, "other:1"], "Labels": labels}
        self._found = {"Created": created, "Metadata": {"LastTagTime": tagged}}
        self._refusal = refusal

    def _listed(self, name: str) -> list[Any]:
        assert name == "sixfold-candidate"
        return [self._image]

    def _inspect(self, name: str) -> Any:
        if self._refusal == 404:
            raise APIError("gone", SimpleNamespace(status_code=404))
        return self._found

    def _remove(self, name: str) -> None:
        if self._refusal:
            raise APIError("refused", SimpleNamespace(status_code=self._refusal))
        self.removed.append(name)


@pytest.fixture
def removed_of() -> Callable[..., list[str]]:
    def removed(
        name: str = "",
        labels: Any = _OWN,
        created: str = _OLD,
        tagged: str = _NEVER,
        refusal: int = 0,
    ) -> list[str]:
        engine = Engine(name or new_name(), labels, created, tagged, refusal)
        told: list[str] = []
        remove_left(engine, "churn", "7", told.append, now=_NOW)
        assert len(told) == len(engine.removed)
        return engine.removed

    return removed


@pytest.mark.parametrize(
    "left",
    [
        {},
        {"tagged": _OLD},
        {"name": "sixfold-candidate:0123456789ab-mlflow", "labels": None},
    ],
)
def test_what_is_left_goes(removed_of: Callable[..., list[str]], left: dict[str, Any]) -> None:
    assert len(removed_of(**left)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"created": _NEW},
        {"tagged": _NEW},  # made by a build before, and taken up by one that goes on
        {"labels": {MODEL: "churn", VERSION: "8"}},
        {"labels": {MODEL: "other", VERSION: "7"}},
        {"name": "sixfold-candidate:7"},  # of a model of that name
        {"refusal": 409},  # a container has it
        {"refusal": 404},  # somebody else was quicker
    ],
)
def test_what_is_not_left_stays(
    removed_of: Callable[..., list[str]], other: dict[str, Any]
) -> None:
    assert removed_of(**other) == []


def test_a_failure_of_the_engine_is_told(removed_of: Callable[..., list[str]]) -> None:
    with pytest.raises(APIError):
        removed_of(refusal=500)


def test_an_image_that_is_being_tried_has_no_name_yet() -> None:
    assert own_names([new_name(), f"{new_name()}-mlflow"]) == []
    assert own_names(["churn:7", new_name(), "a:7"]) == ["a:7", "churn:7"]
    assert own_names([f"registry.example/{REPOSITORY}:7"]) == [f"registry.example/{REPOSITORY}:7"]
