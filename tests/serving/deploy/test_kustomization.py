"""Objects as files: of a version, of a canary beside it, and of what a person has put there."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.deploy import kustomization, manifests
from serving.deploy.recording import Recording
from serving.deploy.targets import DEPLOY
from serving.deploy.wanted import Release, Wanted
from tests.serving.deploy.releases import CHURN
from training.errors import UserError

WANTED = Wanted("churn", cpu=0.5, memory=256 << 20, replicas=4)
PLAIN, CANARY = Wanted("churn"), Wanted("churn", canary=10, gateway="infra/edge", host="a.example")
NEXT = replace(CHURN, version="4", image="registry.example/churn:4")
CLAIM = "persistentvolumeclaim.yaml"
STABLE = ["deployment.yaml", "service.yaml", "networkpolicy.yaml"]
STABLE += ["horizontalpodautoscaler.yaml", "poddisruptionbudget.yaml"]
BESIDE = ["deployment-canary.yaml", "service-canary.yaml", "httproute-canary.yaml"]


@pytest.fixture(autouse=True)
def _no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def write(folder: Path, release: Release = CHURN, wanted: Wanted = WANTED) -> dict[str, Any]:
    """The kustomization of what is in the folder then."""
    paths = kustomization.write(release, wanted, folder, lambda _: None)
    assert all(path.is_file() for path in paths)
    found = read(folder, "kustomization")
    assert {path.name for path in folder.glob("*.yaml")} >= {*found["resources"]}
    return found


def read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / f"{name}.yaml").read_text())
    return found


def test_what_is_written_is_a_kustomization(tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    found = write(folder)
    assert found["resources"] == STABLE
    assert "namespace" not in found
    objects = [yaml.safe_load((folder / name).read_text()) for name in found["resources"]]
    assert objects == manifests.stable(CHURN, WANTED, [])


def test_the_namespace_is_in_it_and_stays(tmp_path: Path) -> None:
    assert write(tmp_path, wanted=replace(WANTED, namespace="ml"))["namespace"] == "ml"
    assert write(tmp_path)["namespace"] == "ml"
    assert write(tmp_path, wanted=replace(WANTED, namespace="prod"))["namespace"] == "prod"


def test_a_canary_is_beside_the_stable_version_and_ends(tmp_path: Path) -> None:
    """Nothing that is listed goes but the canary: a tool that prunes would delete it."""
    write(tmp_path, wanted=replace(WANTED, record=Recording()))
    stable = {name: (tmp_path / name).read_text() for name in [*STABLE, CLAIM]}
    recorded = replace(CANARY, record=Recording(size=1 << 29))
    assert write(tmp_path, NEXT, recorded)["resources"] == [*STABLE, CLAIM, *BESIDE]
    assert {name: (tmp_path / name).read_text() for name in stable} == stable
    template = read(tmp_path, "deployment-canary")["spec"]["template"]
    assert template["metadata"]["labels"][manifests.VERSION] == "4"
    limits = {"cpu": "500m", "memory": "256Mi"}
    assert template["spec"]["containers"][0]["resources"]["limits"] == limits

    assert write(tmp_path, NEXT, replace(PLAIN, canary=20))["resources"] == [
        *STABLE,
        CLAIM,
        *BESIDE,
    ]
    spec = read(tmp_path, "httproute-canary")["spec"]
    assert spec["parentRefs"] == [{"namespace": "infra", "name": "edge"}]
    assert spec["hostnames"] == ["a.example"]
    assert [item["weight"] for item in spec["rules"][0]["backendRefs"]] == [80, 20]

    # The Gateway's requests go on: they are all the one version's.
    said: list[str] = []
    kustomization.write(NEXT, PLAIN, tmp_path, said.append)
    assert said[-1].endswith("delete deployment/sixfold-churn-canary service/sixfold-churn-canary")
    assert write(tmp_path, NEXT, PLAIN)["resources"] == [*STABLE, CLAIM, BESIDE[2]]
    (backend,) = read(tmp_path, "httproute-canary")["spec"]["rules"][0]["backendRefs"]
    assert backend["name"] == "sixfold-churn"
    assert not (tmp_path / BESIDE[0]).exists()
    spec = read(tmp_path, "deployment")["spec"]
    assert spec["replicas"] == 4
    assert spec["template"]["spec"]["containers"][0]["resources"]["limits"] == limits


def test_recordings_have_room_in_the_claim_that_is_there(tmp_path: Path) -> None:
    write(tmp_path, wanted=replace(WANTED, record=Recording()))
    before = {path: path.read_text() for path in tmp_path.glob("*.yaml")}
    with pytest.raises(UserError, match=r"--record-size of at most 1024Mi, as the claim .* 2048Mi"):
        write(tmp_path, NEXT, replace(WANTED, record=Recording(size=2 << 30)))
    assert {path: path.read_text() for path in tmp_path.glob("*.yaml")} == before


def test_recordings_keep_their_size(tmp_path: Path) -> None:
    write(tmp_path, wanted=replace(WANTED, record=Recording(size=10 << 30)))
    before = limit(tmp_path)
    write(tmp_path, NEXT, replace(PLAIN, record=Recording()))
    assert limit(tmp_path) == before
    assert read(tmp_path, "persistentvolumeclaim")["spec"]["resources"]["requests"] == {
        "storage": "10240Mi"
    }
    write(tmp_path, NEXT, replace(PLAIN, record=Recording(size=1 << 30)))
    assert limit(tmp_path) < before


def limit(folder: Path) -> int:
    """Of the recordings, in bytes."""
    (container,) = read(folder, "deployment")["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    return int(environment["SIXFOLD_RECORD_BYTES"])


def test_the_secret_of_a_token_is_made_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, folder, programs = tmp_path / "my token", tmp_path / "churn", tmp_path / "programs"
    token.write_text("abc\n")
    write(folder, wanted=replace(WANTED, namespace="ml"))
    asked = replace(PLAIN, token_file=token)
    write(folder, wanted=asked)  # which goes to the folder's namespace
    # Each says how it was called, before what it was given.
    programs.mkdir()
    (programs / "kubectl").write_text('#!/bin/sh\necho "$@"\nexec cat\n')
    (programs / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    command = ["sh", "-c", kustomization.secret_command(asked, folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    labels = manifests.secret("churn", "abc")["metadata"]["labels"]
    assert said.splitlines() == [
        "--namespace ml apply --filename -",
        "label --local --filename - --output yaml "
        + " ".join(f"{name}={value}" for name, value in labels.items()),
        "create secret generic sixfold-churn-token --from-file=token=/dev/stdin --dry-run=client "
        "--output yaml",
        "abc",
    ]
    assert not said.endswith("\n")


def test_the_token_stays(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc")
    folder = tmp_path / "churn"
    write(folder, wanted=replace(WANTED, token_file=token))
    write(folder, NEXT, CANARY)
    write(folder, NEXT, PLAIN)
    names = [
        volume["name"]
        for volume in read(folder, "deployment")["spec"]["template"]["spec"]["volumes"]
    ]
    assert "token" in names


def test_what_a_person_has_put_there_stays(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "kustomization.yaml"
    path.write_text(f"# mine\n{path.read_text()}- alert.yaml\ncommonAnnotations: {{team: a}}\n")
    (tmp_path / "alert.yaml").write_text("kind: Alert\n")
    text = path.read_text()
    write(tmp_path, NEXT)
    assert path.read_text() == text
    found = write(tmp_path, NEXT, CANARY)
    assert found["resources"] == [*STABLE, "alert.yaml", *BESIDE]
    assert found["commonAnnotations"] == {"team": "a"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("deployment.yaml", lambda text: text.replace("sixfold/model: churn", "sixfold/model: a")),
        ("service.yaml", lambda _: "kind: Service\nmetadata: {name: mine}\n"),
        ("networkpolicy.yaml", lambda _: "[1, 2"),
        ("httproute-canary.yaml", lambda _: "- 1\n"),
        ("kustomization.yaml", lambda _: "resources: [mine.yaml]\n"),
        ("kustomization.yaml", lambda _: "mine\n"),
        ("Kustomization", lambda _: "resources: [deployment.yaml]\n"),
    ],
)
def test_what_is_not_this_models_is_not_written_over(
    tmp_path: Path, name: str, change: Callable[[str], str]
) -> None:
    write(tmp_path)
    path = tmp_path / name
    path.write_text(change(path.read_text() if path.exists() else ""))
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=rf"expected no .*{name}, or the one of churn, got another"):
        write(tmp_path, NEXT, CANARY)
    nobody: Any = None
    with pytest.raises(UserError, match="got another; name a folder: --write"):
        DEPLOY["kubernetes"](nobody, PLAIN, tmp_path, print)  # before an image is looked for
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


def test_the_command_names_the_folder_as_a_shell_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.deploy.wanted.release", lambda *_: CHURN)
    nobody: Any = None
    done = DEPLOY["kubernetes"](nobody, WANTED, tmp_path / "my files", print)
    assert done["said"][1] == f"kubectl apply --kustomize '{tmp_path}/my files'"


def test_a_file_that_was_changed_beyond_reading_sizes_is_written_anew(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "deployment.yaml"
    whole = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**whole, "spec": {"replicas": "many"}}))
    write(tmp_path, NEXT, PLAIN)
    assert read(tmp_path, "deployment")["spec"]["replicas"] == 4, "as its autoscaler says"
