"""Every object that is rendered, against the schemas of Kubernetes, strictly: no field too many."""

import copy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from serving.deploy import kustomization, manifests, valid
from serving.deploy.manifests import Object
from serving.deploy.wanted import Release, Wanted
from tests.serving.deploy.custom_objects import SCHEMAS
from tests.serving.deploy.releases import CHURN
from tests.serving.deploy.test_manifests import NEW, OLD, WANTED, everything
from training.errors import UserError

#: The oldest and the newest that there are schemas of. What is older is tried on a cluster.
VERSIONS = ("1.25", "1.37")
#: What has keys of one's own.
FREE = {"labels", "annotations", "matchLabels", "requests", "limits", "stringData"}
_ANY_NAME = Release("Kündigung (EU) " + "x" * 200, "12", "run", "kuendigung:12")


def check(item: Object, version: str) -> None:
    """Fail for an object that a cluster of the version would not take as it is."""
    if item["kind"] in SCHEMAS:
        jsonschema.validate(item, SCHEMAS[item["kind"]])
    else:
        kubernetes_validate.validate(item, version, strict=True)


def rendered() -> list[Object]:
    older = [
        # Gone with 1.25; what it says is what `policy/v1` says.
        {**item, "apiVersion": item["apiVersion"].replace("policy/v1beta1", "policy/v1")}
        for item in manifests.stable(CHURN, WANTED, OLD)
    ]
    return [
        *everything(),
        *older,
        *manifests.stable(_ANY_NAME, Wanted(_ANY_NAME.model, monitor=True), []),
        manifests.route("churn", 0, ["gateway.networking.k8s.io/v1beta1"], "edge"),
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_takes_what_is_rendered(version: str) -> None:
    objects = rendered()
    for item in objects:
        check(item, version)
    assert {"HTTPRoute", "ServiceMonitor", "Deployment", "Pod"} <= {o["kind"] for o in objects}


@pytest.mark.parametrize("item", everything(), ids=lambda item: item["kind"])
def test_a_field_that_is_misspelt_is_found(item: Object) -> None:
    changed = copy.deepcopy(item)
    *way, last = max(fields(item), key=len)
    inner: Any = changed
    for step in way:
        inner = inner[step]
    inner[f"{last}x"] = inner.pop(last)
    with pytest.raises(jsonschema.ValidationError):
        check(changed, VERSIONS[-1])


def fields(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of an object by the way to it, but those that are the user's own words."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from fields(item, (*way, at))
    elif isinstance(value, dict) and not (way and way[-1] in FREE):
        for key, item in value.items():
            yield (*way, key)
            yield from fields(item, (*way, key))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of `deploy/`, to be changed."""
    folder = tmp_path / "deploy"
    shutil.copytree(manifests.FOLDER, folder)
    monkeypatch.setattr(manifests, "FOLDER", folder)
    return folder


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        (
            "base/deployment.yaml",
            "readinessProbe:",
            "readynessProbe:",
            r"Deployment sixfold-churn, spec\.template\.spec\.containers\[0\]: .*'readynessProbe'",
        ),
        (
            "base/service.yaml",
            "port: 8080",
            "port: http",
            r"Service sixfold-churn, spec\.ports\[0\]\.port: .*not of type 'integer'",
        ),
    ],
)
def test_a_file_that_somebody_has_broken_is_refused(
    files: Path, tmp_path: Path, file: str, before: str, after: str, said: str
) -> None:
    path = files / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UserError, match=said) as refused:
        kustomization.write(CHURN, WANTED, tmp_path / "written", print)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    ("version", "chosen"),
    [("1.20", "1.25"), ("1.31", "1.31"), ("1.99", "1.37"), ("", "1.37")],
)
def test_the_schemas_are_those_nearest_to_the_cluster(version: str, chosen: str) -> None:
    wrong = [{**everything()[0], "specs": {}}]
    with pytest.raises(UserError, match=rf"Kubernetes {chosen} takes.*at the top: .*'specs'"):
        valid.check(wrong, lambda: version, print)


def test_what_has_no_schema_is_left_to_the_cluster() -> None:
    said: list[str] = []
    apis = [*NEW, "policy/v1beta1"]
    route = manifests.route("churn", 10, apis, "edge")
    valid.check([route, *manifests.stable(CHURN, WANTED, OLD)], lambda: "1.20", said.append)
    assert said == []


def test_without_the_schemas_it_is_said_that_nothing_is_checked() -> None:
    """And nobody is asked which they would be."""
    script = (
        "import sys\n"
        "sys.modules['kubernetes_validate'] = None\n"
        "from serving.deploy import valid\n"
        "valid.check([{'kind': 'Nonsense'}], None, print)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "sixfold[kubernetes]" in done.stdout, done.stderr
