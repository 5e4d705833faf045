"""A canary comes, goes and becomes all; a first version that fails leaves nothing."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.deploy import manifests
from serving.deploy.kubectl import Kubectl, KubectlError
from serving.deploy.kubernetes import RolledOut, kept, remove, roll_out
from serving.deploy.recording import Recording
from serving.deploy.targets import DEPLOY
from serving.deploy.wanted import Wanted
from tests.serving.deploy.releases import CHURN
from training.errors import SixfoldError, UserError

WANTED = Wanted("churn", gateway="edge")
NEXT = replace(CHURN, version="4", image="registry.example/churn:4")
WRONG = replace(CHURN, version="4", image="wrong:4")


def quiet(_: str) -> None:
    """Say nothing."""


def with_token(folder: Path, token: str) -> Wanted:
    """What is wanted, with this token."""
    file = folder / "token"
    file.write_text(token)
    return replace(WANTED, token_file=file)


def weights(objects: dict[str, Any]) -> dict[str, int]:
    (rule,) = objects["httproute/sixfold-churn"]["spec"]["rules"]
    return {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}


def test_what_the_cluster_would_refuse_is_not_begun(
    objects: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    roll_out(Kubectl(), CHURN, with_token(tmp_path, "first"), quiet)
    before = objects()
    wanted = replace(with_token(tmp_path, "second"), canary=10, gateway="refused")
    with pytest.raises(KubectlError, match="has denied the request"):
        roll_out(Kubectl(), NEXT, wanted, quiet)
    assert objects() == before


def test_a_canary_of_nothing_is_refused_before_an_image_is_looked_for(
    objects: Callable[[], dict[str, Any]],
) -> None:
    nobody: Any = None
    with pytest.raises(UserError, match="that a canary can be beside, got none in this namespace"):
        DEPLOY["kubernetes"](nobody, replace(WANTED, canary=10), None, quiet)
    assert objects() == {}


@pytest.mark.parametrize("name", ["sixfold-churn", "sixfold-churn-canary"])
def test_what_is_another_models_stays_as_it_is(
    objects: Callable[[], dict[str, Any]], name: str
) -> None:
    labels = {manifests.MODEL: "another"}
    there = {f"deployment/{name}": {"metadata": {"name": name, "labels": labels}}}
    Path(os.environ["STAND_IN_STORE"]).write_text(json.dumps(there))
    with pytest.raises(UserError, match=f"Deployment {name}, or one of churn, got another's"):
        roll_out(Kubectl(), CHURN, WANTED, quiet)
    assert objects() == there


def test_what_is_said_of_a_canary_is_which_requests_it_has(
    objects: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://sixfold-churn-canary.ml:8080"
    done = RolledOut("sixfold-churn-canary", "ml", url, 1, 10, 10, "infra/edge (host a.example)")
    monkeypatch.setattr("serving.deploy.kubernetes.check", lambda *_: None)
    monkeypatch.setattr("serving.deploy.kubernetes.roll_out", lambda *_: done)
    monkeypatch.setattr("serving.deploy.wanted.release", lambda *_: NEXT)
    nobody: Any = None
    said = DEPLOY["kubernetes"](nobody, replace(WANTED, canary=10), None, quiet)["said"][0]
    assert said.startswith(
        "churn version 4 answers 10 % of the requests that come by Gateway infra/edge (host "
        f"a.example), and all of those that are sent to {url} itself: 1 replicas ready"
    )


def test_what_is_not_valid_is_not_shown_to_the_cluster(
    objects: Callable[[], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "deploy"
    shutil.copytree(manifests.FOLDER, files)
    monkeypatch.setattr(manifests, "FOLDER", files)
    path = files / "base" / "deployment.yaml"
    path.write_text(path.read_text().replace("securityContext:", "securityContent:", 1))
    with pytest.raises(UserError, match=r"Kubernetes 1\.31 takes, got Deployment sixfold-churn"):
        roll_out(Kubectl(), CHURN, with_token(tmp_path, "first"), quiet)
    assert objects() == {}


@pytest.mark.slow
def test_a_token_that_changes_changes_the_pods(
    objects: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    marks = []
    for token in ("first", "first", "second"):
        roll_out(Kubectl(), CHURN, with_token(tmp_path, token), quiet)
        pods = objects()["deployment/sixfold-churn"]["spec"]["template"]
        marks.append(pods["metadata"]["annotations"][manifests.TOKEN])
        assert objects()["secret/sixfold-churn-token"]["stringData"] == {"token": token}
    roll_out(Kubectl(), NEXT, WANTED, quiet)
    pods = objects()["deployment/sixfold-churn"]["spec"]["template"]
    assert marks[0] == marks[1] != marks[2] == pods["metadata"]["annotations"][manifests.TOKEN]


@pytest.mark.slow
@pytest.mark.parametrize("before", ["first", ""])
def test_what_is_taken_back_has_its_token_again(
    objects: Callable[[], dict[str, Any]], tmp_path: Path, before: str
) -> None:
    roll_out(Kubectl(), CHURN, with_token(tmp_path, before) if before else WANTED, quiet)
    secret = objects().get("secret/sixfold-churn-token")
    with pytest.raises(SixfoldError, match="was taken back"):
        roll_out(Kubectl(), WRONG, with_token(tmp_path, "second"), quiet)
    assert objects().get("secret/sixfold-churn-token") == secret


@pytest.mark.slow
def test_a_canary_becomes_all(objects: Callable[[], dict[str, Any]]) -> None:
    with pytest.raises(UserError, match="that a canary can be beside"):
        roll_out(Kubectl(), NEXT, replace(WANTED, canary=10), quiet)
    roll_out(Kubectl(), CHURN, WANTED, quiet)
    done = roll_out(Kubectl(), NEXT, replace(WANTED, canary=10), quiet)
    assert (done.name, done.share) == ("sixfold-churn-canary", 10)
    there = objects()
    assert weights(there) == {"sixfold-churn": 90, "sixfold-churn-canary": 10}
    assert there["httproute/sixfold-churn"]["spec"]["parentRefs"] == [{"name": "edge"}]
    images = {
        name: there[f"deployment/{name}"]["spec"]["template"]["spec"]["containers"][0]["image"]
        for name in ("sixfold-churn", "sixfold-churn-canary")
    }
    assert images == {"sixfold-churn": CHURN.image, "sixfold-churn-canary": NEXT.image}

    roll_out(Kubectl(), NEXT, replace(WANTED, gateway="another"), quiet)
    there = objects()
    assert weights(there) == {"sixfold-churn": 100}
    assert there["httproute/sixfold-churn"]["spec"]["parentRefs"] == [{"name": "edge"}]
    assert not [name for name in there if name.endswith(("-canary", "-smoke"))]


def test_a_canary_that_answers_wrongly_goes(objects: Callable[[], dict[str, Any]]) -> None:
    roll_out(Kubectl(), CHURN, WANTED, quiet)
    before = objects()
    with pytest.raises(SixfoldError, match="other numbers; the canary is removed"):
        roll_out(Kubectl(), WRONG, replace(WANTED, canary=10), quiet)
    assert objects() == before


def test_a_first_version_that_answers_wrongly_leaves_nothing(
    objects: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("abc")
    with pytest.raises(SixfoldError, match="nothing of it is left"):
        roll_out(Kubectl(), WRONG, replace(WANTED, token_file=token), quiet)
    assert objects() == {}


@pytest.mark.slow
def test_removing_takes_all_of_it(objects: Callable[[], dict[str, Any]]) -> None:
    roll_out(Kubectl(), CHURN, WANTED, quiet)
    roll_out(Kubectl(), NEXT, replace(WANTED, canary=10), quiet)
    assert "deployment/sixfold-churn-canary" in remove(Kubectl(), "churn")
    assert objects() == {}
    assert remove(Kubectl(), "churn") == []


@pytest.mark.slow
def test_recordings_outlive_what_has_made_them(objects: Callable[[], dict[str, Any]]) -> None:
    claim = "persistentvolumeclaim/sixfold-churn-recordings"
    records = replace(WANTED, record=Recording(size=2 << 30))
    with pytest.raises(SixfoldError, match="nothing of it is left"):
        roll_out(Kubectl(), WRONG, records, quiet)
    assert objects() == {}
    roll_out(Kubectl(), CHURN, records, quiet)
    asked = objects()[claim]["spec"]["resources"]["requests"]["storage"]
    assert asked == "2048Mi"
    # A claim cannot be changed: it stays as it is.
    roll_out(Kubectl(), NEXT, replace(WANTED, record=Recording(access="ReadWriteOnce")), quiet)
    before = objects()
    with pytest.raises(UserError, match="at most 2048Mi, as the claim sixfold-churn-recordings"):
        roll_out(Kubectl(), NEXT, replace(WANTED, record=Recording(size=3 << 30)), quiet)
    assert objects() == before
    roll_out(Kubectl(), NEXT, WANTED, quiet)
    with pytest.raises(SixfoldError, match="was taken back"):
        roll_out(Kubectl(), WRONG, records, quiet)
    assert objects()[claim]["spec"]["resources"]["requests"]["storage"] == asked
    assert claim not in remove(Kubectl(), "churn")
    assert list(objects()) == [claim]
    assert kept(Kubectl(), "churn") == ["sixfold-churn-recordings"]
    assert remove(Kubectl(), "churn", recordings=True) == [claim]
    assert objects() == {}


@pytest.mark.slow
def test_what_is_there_keeps_the_autoscalers_number(objects: Callable[[], dict[str, Any]]) -> None:
    roll_out(Kubectl(), CHURN, WANTED, quiet)
    store = objects()
    store["deployment/sixfold-churn"]["spec"]["replicas"] = 7
    Path(os.environ["STAND_IN_STORE"]).write_text(json.dumps(store))
    assert roll_out(Kubectl(), NEXT, WANTED, quiet).replicas == 7
    assert roll_out(Kubectl(), NEXT, replace(WANTED, replicas=1), quiet).replicas == 4


@pytest.mark.slow
def test_sizes_stay_where_no_others_are_given(objects: Callable[[], dict[str, Any]]) -> None:
    """Those that were asked for: what the autoscaler has made of them is its own."""
    roll_out(Kubectl(), CHURN, replace(WANTED, replicas=6, cpu=2.0, memory=1 << 30), quiet)
    assert roll_out(Kubectl(), NEXT, replace(WANTED, cpu=0.5), quiet).replicas == 6
    there = objects()
    spec = there["deployment/sixfold-churn"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 6
    assert container["image"] == NEXT.image
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "1024Mi"}
    assert there["horizontalpodautoscaler/sixfold-churn"]["spec"]["minReplicas"] == 6
    assert roll_out(Kubectl(), NEXT, replace(WANTED, canary=50), quiet).replicas == 3
    canary = objects()["deployment/sixfold-churn-canary"]["spec"]["template"]["spec"]
    assert canary["containers"][0]["resources"] == container["resources"]
