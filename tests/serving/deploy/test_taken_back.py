"""A version that does not come up on Kubernetes changes nothing, of whatever was there."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from serving.deploy import routes
from serving.deploy.former import Former, put_back, restore
from serving.deploy.kubectl import Kubectl, KubectlError
from serving.deploy.kubernetes import roll_out
from serving.deploy.wanted import Release, Wanted
from tests.serving.deploy.releases import CHURN
from training.errors import SixfoldError

Objects = Callable[[], dict[str, Any]]

WANTED = Wanted("churn", gateway="edge", replicas=6, cpu=2.0)
NEXT = replace(CHURN, version="4", image="registry.example/churn:4")
WRONG = replace(CHURN, version="5", image="wrong:5")
CANARY = replace(WANTED, canary=10)


def deploy(release: Release, wanted: Wanted) -> str:
    """Roll a version out; the address that it has."""
    return roll_out(Kubectl(), release, wanted, lambda _: None).url


def without_marks(objects: dict[str, Any]) -> dict[str, Any]:
    """What objects ask for, and how they are named: no number of a revision."""
    return {
        key: {**item["spec"], "labels": item["metadata"]["labels"]} for key, item in objects.items()
    }


@pytest.fixture
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_SECONDS", 0.2)
    monkeypatch.setattr(routes, "_SETTLE", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "said"),
    [("wrong:5", "other numbers"), ("gone:5", "its pod sixfold-churn-smoke has gone")],
)
def test_all_objects_are_as_they_were(objects: Objects, image: str, said: str) -> None:
    """Not only the pods, which a rollout is undone of."""
    deploy(CHURN, WANTED)
    before = without_marks(objects())
    smaller = replace(WANTED, replicas=2, cpu=0.5, traces="http://collector:4318")
    with pytest.raises(SixfoldError, match=f"was taken back: .*{said}.*; version 3 answers"):
        deploy(replace(WRONG, image=image), smaller)
    assert without_marks(objects()) == before


@pytest.mark.slow
@pytest.mark.usefixtures("_no_patience")
def test_a_canary_that_fails_leaves_the_one_before(objects: Objects) -> None:
    deploy(CHURN, WANTED)
    deploy(NEXT, CANARY)
    before = without_marks(objects())
    with pytest.raises(SixfoldError, match="other numbers; version 4 answers as the canary"):
        deploy(WRONG, replace(CANARY, canary=50))
    assert without_marks(objects()) == before
    with pytest.raises(SixfoldError, match="; version 4 answers as the canary"):
        deploy(replace(NEXT, version="6"), replace(CANARY, canary=50, gateway="elsewhere"))
    assert without_marks(objects()) == before


@pytest.mark.slow
@pytest.mark.usefixtures("_no_patience")
@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        ("full", "has denied the request"),
        ("infra/elsewhere", "its Gateway has not accepted the route: NotAllowedByListeners: no"),
        ("nobody", "there is none, or nobody who runs it: nobody"),
    ],
)
def test_a_canary_whose_route_nobody_takes_goes(objects: Objects, gateway: str, said: str) -> None:
    deploy(CHURN, WANTED)
    before = objects()
    with pytest.raises(SixfoldError, match=f"was taken back: .*{said}.*; the canary is removed"):
        deploy(NEXT, replace(CANARY, gateway=gateway))
    assert objects() == before


class Busy:
    """A cluster whose controllers write to an object as well, some times."""

    def __init__(self, times: int) -> None:
        self.done: list[dict[str, Any]] = []
        self._times = times

    def get(self, kind: str, name: str) -> dict[str, Any]:
        meta = {"name": name, "resourceVersion": "9"}
        return {"metadata": meta, "spec": {"replicas": 1}}

    def run(self, verb: str, *words: str, given: str = "", timeout: float = 0.0) -> str:
        self._times -= 1
        if self._times >= 0:
            raise KubectlError("Error from server (Conflict): error when replacing STDIN")
        self.done.append({verb: json.loads(given) if given else words})
        return ""


def test_what_a_controller_has_written_to_is_put_back_all_the_same() -> None:
    theirs = {"resourceVersion": "1", "uid": "u", "generation": 1, "managedFields": []}
    meta = {"name": "a", "namespace": "ml", "labels": {"b": "c"}, "finalizers": ["d"]}
    item: Any = {"kind": "Service", "metadata": meta | theirs, "spec": {"e": 1}, "status": {"f": 1}}
    busy: Any = Busy(2)
    assert restore(busy, "service/a", item)
    replaced = {"replace": {"kind": "Service", "metadata": meta, "spec": {"e": 1}}}
    assert busy.done == [replaced]
    name = "kubectl.kubernetes.io/last-applied-configuration"
    applied = {"data": {"token": "czNjcmV0"}}  # which is not to be among the words
    meta["annotations"] = item["metadata"]["annotations"] = {name: json.dumps(applied)}
    busy = Busy(0)
    assert restore(busy, "service/a", item)
    assert busy.done == [replaced, {"apply": applied}]
    busy = Busy(3)
    with pytest.raises(KubectlError, match="Conflict"):
        restore(busy, "service/a", item)
    busy.done.clear()
    put_back(busy, Former("a", {"deployment/a": {**item, "spec": {"replicas": 3}}}), print)
    assert {"apply": applied} in busy.done
    item["metadata"]["resourceVersion"] = "9"
    busy.done.clear()
    assert not restore(busy, "service/a", item), "it is as it was"
    assert busy.done == []
