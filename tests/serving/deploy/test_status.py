"""Whether what is in Production is what answers."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from serving.deploy.status import Deployed, _with_share, compare, images
from serving.labels import VERSION

DOCKER = Deployed("docker", "sixfold-churn", "3", "churn:3", "healthy", is_ready=True)
CLUSTER = Deployed("kubernetes", "default/sixfold-churn", "3", "churn:3", "3 of 3", is_ready=True)
CANARY = Deployed(
    *("kubernetes", "default/sixfold-churn-canary", "4", "churn:4", "1 of 1", True, 10),
    beside="default/sixfold-churn",
)


def test_one_version_everywhere_agrees() -> None:
    assert compare("churn", "3", [DOCKER]) == []
    assert compare("churn", "3", [DOCKER, CLUSTER]) == []


def test_a_canary_may_be_another_version() -> None:
    assert compare("churn", "3", [CLUSTER, CANARY]) == []
    assert "has version 3" in compare("churn", "4", [replace(CLUSTER, share=90), CANARY])[0]


def test_a_canary_leaves_the_rest_to_what_it_is_beside() -> None:
    every = [DOCKER, CLUSTER, CANARY]
    assert [_with_share(item, every).share for item in every] == [100, 90, 10]


def test_a_canary_that_is_left_alone() -> None:
    for deployed in ([CANARY], [CANARY, DOCKER]):
        (said,) = compare("churn", "3", deployed)
        assert "kubernetes (default/sixfold-churn-canary) is a canary beside nothing" in said
        assert "sixfold deploy churn --to kubernetes" in said


def test_an_image_that_is_being_tried_is_not_built_yet() -> None:
    tried = "sixfold-candidate:0123456789ab"
    given = [("3", ["churn:3", tried]), ("4", [tried]), ("2", ["b:2", "a:2"]), ("2", [])]
    there = [SimpleNamespace(tags=tags, labels={VERSION: number}) for number, tags in given]
    engine: Any = SimpleNamespace(images=SimpleNamespace(list=lambda filters: there))
    assert images(engine, "churn") == {"2": ["a:2", "b:2"], "3": ["churn:3"]}


def test_nothing_in_production() -> None:
    assert compare("churn", "", []) == ["nothing of churn is in Production"]


def test_deployed_nowhere() -> None:
    (said,) = compare("churn", "3", [])
    assert "deployed nowhere" in said


def test_another_version_is_deployed() -> None:
    (said,) = compare("churn", "4", [CLUSTER])
    assert "has version 3, Production is 4" in said
    assert "sixfold deploy churn --to kubernetes" in said


def test_what_is_not_ready() -> None:
    down = Deployed("kubernetes", "default/x", "3", "churn:3", "1 of 3", is_ready=False)
    assert compare("churn", "3", [DOCKER, down]) == ["kubernetes (default/x) is not ready: 1 of 3"]
