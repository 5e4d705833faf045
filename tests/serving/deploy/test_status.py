"""Whether what is in Production is what answers."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from serving.deploy.compose_text import SHARE
from serving.deploy.deployed import Deployed, _share, in_docker
from serving.deploy.names import MODEL
from serving.deploy.recording import FOLDER, PROJECT, SERVICE
from serving.deploy.status import _of_runs, _with_share, compare, images
from serving.labels import RUN, VERSION

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
    assert images(engine, "churn") == [("3", "", "churn:3"), ("2", "", "a:2"), ("2", "", "b:2")]


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


def test_another_registrys_version_of_the_same_number_does_not_agree() -> None:
    runs = {"3": "a", "4": "b"}
    assert compare("churn", "3", [replace(DOCKER, run="a"), replace(CLUSTER, run="")], runs) == []
    (said,) = compare("churn", "3", [replace(DOCKER, run="other")], runs)
    assert "has version 3 of another registry: it comes from run other, this one's from a" in said
    stable = replace(CLUSTER, run="a")
    assert compare("churn", "3", [stable, replace(CANARY, run="b")], runs) == []
    (said,) = compare("churn", "3", [stable, replace(CANARY, run="other")], runs)
    assert "sixfold-churn-canary) has version 4 of another registry" in said
    # One that the registry does not have is told by its number.
    assert compare("churn", "3", [stable, replace(CANARY, run="c", version="9")], runs) == []


def test_what_is_said_to_do_is_done_where_the_version_is() -> None:
    cluster = replace(CLUSTER, name="prod/sixfold-churn")
    folder = replace(DOCKER, where="compose", folder="/home/me/my models/churn")
    said = compare("my churn", "4", [DOCKER, cluster, folder])
    assert [line.rpartition(": ")[2] for line in said] == [
        "`sixfold deploy 'my churn' --to docker`",
        "`sixfold deploy 'my churn' --to kubernetes --namespace prod`",
        "`sixfold deploy 'my churn' --to compose --write '/home/me/my models/churn'`",
    ]


def item(name: str, labels: dict[str, str]) -> Any:
    """A container as the engine's client has it."""
    ports = {"PortBindings": {"8080/tcp": [{"HostPort": "9000"}]}}
    state = {"Status": "running", "Health": {"Status": "healthy"}}
    attrs = {"HostConfig": ports, "State": state, "Config": {"Image": "churn:3"}}
    labels = {MODEL: "churn", VERSION: "3", **labels}
    return SimpleNamespace(name=name, labels=labels, attrs=attrs, status="running")


class Engine:
    """Containers and images."""

    def __init__(self, there: list[Any], images: list[Any]) -> None:
        self.containers = SimpleNamespace(list=lambda **_: there, get=self._nobody)
        self.images = SimpleNamespace(list=lambda **_: images)

    def _nobody(self, name: str) -> None:
        raise NotFound(name)


@pytest.mark.parametrize(
    ("text", "share"),
    [("10", 10), ("10%", 10), (" 5 % ", 5), ("", 0), ("ten", 0), ("-5", 0), ("١٠", 0), ("100", 0)],
)
def test_a_share_that_a_person_has_changed(text: str, share: int) -> None:
    ours = {PROJECT: "sixfold-churn", FOLDER: "/deploy-churn"}
    engine = Engine(
        [
            item("server-1", {**ours, SERVICE: "server", RUN: "a"}),
            item("canary-1", {**ours, SERVICE: "canary", SHARE: text}),
        ],
        [],
    )
    stable, canary = in_docker(engine, "churn")
    assert (stable.beside, stable.run, stable.folder) == ("", "a", "/deploy-churn")
    assert (canary.share, canary.beside) == (share, "server-1")


@pytest.mark.parametrize(
    ("weights", "share"),
    [((90, 10), 10), ((None, None), 50), ((3, 1), 25), ((1, 0), 0), ((None, 0), 0), ((0, 0), 0)],
)
def test_weights_that_a_person_has_changed(weights: tuple[int | None, ...], share: int) -> None:
    backends = [
        {"name": name, "port": 8080, **({} if weight is None else {"weight": weight})}
        for name, weight in zip(("sixfold-churn", "sixfold-churn-canary"), weights, strict=True)
    ]
    route = {"spec": {"rules": [{}, {"backendRefs": backends}]}}
    kubectl: Any = SimpleNamespace(get=lambda *_: route)
    assert _share(kubectl, "default", "sixfold-churn-canary") == share


def test_images_of_another_registrys_version_are_left_out() -> None:
    def image(name: str, version: str, run: str) -> Any:
        return SimpleNamespace(
            tags=[name], labels={VERSION: version, **({RUN: run} if run else {})}
        )

    there = [image("churn:3", "3", "a"), image("theirs:3", "3", "b"), image("plain:3", "3", "")]
    engine = Engine([], [*there, image("churn:10", "10", "c")])
    found = _of_runs(images(engine, "churn"), {"3": "a"})
    assert found == {"3": ["churn:3", "plain:3"], "10": ["churn:10"]}
