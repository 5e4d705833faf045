"""`mlflow run` in containers: the embedded store, other ways to name the project, and isolation."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.e2e.command import ROOT, call, json_of, mlflow_run, runs, start
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

QUICK = {"algorithms": "decision_tree,linear_regression", "search": "none", "budget": 60}
BEANS = ("arabica", "robusta", "")
TABLE = "bean,size [mm],notes,ripe\n" + "".join(
    f"{BEANS[i % 3]},{size / 10},n{i},{'yes' if size > 48 else 'no'}\n"
    for i, size in enumerate((i * 7919) % 97 for i in range(120))
)


@pytest.fixture(autouse=True)
def _no_container_is_left(engine: docker.DockerClient) -> Iterator[None]:
    before = {container.id for container in ours(engine)}
    yield
    left = [container.name for container in ours(engine) if container.id not in before]
    assert not left, f"containers are left: {left}"


def ours(engine: docker.DockerClient) -> list[Container]:
    """The containers of this project's images, ended ones included."""
    every = engine.containers.list(all=True, ignore_removed=True)
    return [c for c in every if c.attrs["Config"]["Image"].startswith("sixfold")]


def parent_of(found: list[Run]) -> Run:
    return next(run for run in found if run.data.tags.get("sixfold.kind") == "training")


def test_own_table_into_the_embedded_store(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "beans.csv").write_text(TABLE)
    wanted = QUICK | {"data": "data/beans.csv", "target": "ripe", "register": "beans"}
    mlflow_run(tmp_path, ROOT, wanted)

    found = runs(tmp_path)
    parent = parent_of(found)
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId")]
    assert {run.info.status for run in found} == {"FINISHED"}
    names = {"decision_tree", "linear_regression", "ensemble"}
    assert {run.info.run_name for run in children} == names
    assert all(
        run.data.tags["mlflow.parentRunId"] == parent.info.run_id and run.data.tags["image"]
        for run in children
    )
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert client.get_model_version("beans", "1").status == "READY"
    artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert {"leaderboard.json", "schema.json", "model_card.md", "leaderboard.png"} <= artifacts
    owners = {path.stat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {os.getuid()}, "the container's files are not the caller's"


def test_one_candidate_by_the_train_entry_point(tmp_path: Path) -> None:
    wanted = {"algorithm": "gradient_boosting", "engine": "lightgbm", "search": "none"}
    mlflow_run(tmp_path, ROOT, wanted | {"data": "sklearn:iris", "budget": 60}, ["-e", "train"])
    names = [run.info.run_name for run in runs(tmp_path) if "candidate" in run.data.tags]
    assert names == ["gradient_boosting:lightgbm"]


@pytest.fixture(scope="module")
def bare_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare clone of the project with its uncommitted changes, as one commit more."""
    folder = tmp_path_factory.mktemp("project")
    work, bare = folder / "work", folder / "sixfold.git"

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)

    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(source.read_bytes())
            (work / name).chmod(source.stat().st_mode)
    git("init", "--quiet", "--initial-branch=main", str(work))
    git("-C", str(work), "add", "--all")
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    git("-C", str(work), *who, "commit", "--quiet", "-m", "as it is")
    git("clone", "--quiet", "--bare", str(work), str(bare))
    return bare


def test_project_from_a_git_address(tmp_path: Path, bare_clone: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "beans.csv").write_text(TABLE)
    wanted = QUICK | {"data": "data/beans.csv", "target": "ripe"}
    # MLflow takes an address of a folder that is there for a project; git adds the `.git` itself.
    address = f"file://{bare_clone.with_suffix('')}"
    mlflow_run(tmp_path, address, wanted, ["--version", "main"])
    parent = parent_of(runs(tmp_path))
    assert parent.info.status == "FINISHED"
    head = subprocess.run(
        ["git", "-C", str(bare_clone), "rev-parse", "main"], capture_output=True, text=True
    ).stdout.strip()
    assert parent.data.tags["mlflow.source.git.commit"] == head


def test_build_image_runs_the_folders_own_code(
    tmp_path: Path, bare_clone: Path, engine: docker.DockerClient
) -> None:
    project = tmp_path / "project"
    subprocess.run(["git", "clone", "--quiet", str(bare_clone), str(project)], check=True)
    changed = project / "training" / "progress.py"
    changed.write_text(changed.read_text().replace("reading {request", "READING {request"))
    run = project / "training" / "run.py"
    run.write_text(
        run.read_text().replace(
            'f"reading {without_credentials(request.data)}"', '"changed code reads"'
        )
    )
    printed = mlflow_run(tmp_path, project, QUICK, ["--build-image"])
    assert "changed code reads" in printed
    assert parent_of(runs(tmp_path)).info.status == "FINISHED"
    for image in engine.images.list("sixfold"):
        engine.images.remove(image.id, force=True)


def test_isolated_candidates_have_the_same_results(tmp_path: Path) -> None:
    here, apart = tmp_path / "here", tmp_path / "apart"
    asked = ["train", "sklearn:wine", "--search", "none", "--budget", "60", "--json", "--quiet"]
    asked += ["--algorithms", "decision_tree,svm"]
    boards = []
    for folder, options in ((here, []), (apart, ["--isolate", "--memory", "1g"])):
        folder.mkdir()
        printed = call(folder, "sixfold", [*asked, *options])
        boards.append(json_of(printed))
    for one, other in zip(*(board["candidates"] for board in boards), strict=True):
        assert one["name"] == other["name"]
        assert one["status"] == other["status"] == "finished"
        for figure in ("cv_mean", "cv_std", "test", "test_low", "test_high"):
            assert one[figure] == pytest.approx(other[figure], rel=1e-6), one["name"]
    parent = parent_of(runs(apart))
    children = [r for r in runs(apart) if r.data.tags.get("mlflow.parentRunId")]
    assert {r.data.tags["mlflow.parentRunId"] for r in children} == {parent.info.run_id}
    assert {r.info.status for r in children} == {"FINISHED"}


def test_a_container_killed_for_memory_is_a_failed_candidate(tmp_path: Path) -> None:
    asked = ["train", "sklearn:iris", "--search", "none", "--algorithms", "decision_tree"]
    printed = call(tmp_path, "sixfold", [*asked, "--isolate", "--memory", "256m"], code=1)
    assert "killed" in printed
    assert "memory ran out" in printed or "for memory" in printed
    statuses = {run.info.run_name: run.info.status for run in runs(tmp_path)}
    assert set(statuses.values()) == {"FAILED"}


def test_interrupt_ends_the_container_and_the_run(tmp_path: Path) -> None:
    process = start(tmp_path, "mlflow", ["run", str(ROOT), "-P", "budget=300"])
    _interrupt_once(process, "searching")
    # The container marks it, MLflow writes FAILED over it, and its watcher marks it again.
    wait_until(lambda: {run.info.status for run in runs(tmp_path)} == {"KILLED"})
    assert {run.data.tags["reason"] for run in runs(tmp_path)} == {"interrupted"}


def test_interrupt_ends_isolated_containers_and_marks_the_runs_killed(tmp_path: Path) -> None:
    asked = ["train", "sklearn:wine", "--isolate", "--budget", "300", "--algorithms", "svm"]
    process = start(tmp_path, "sixfold", asked)
    _interrupt_once(process, "containers of their own", after=15)
    assert process.returncode == 130
    assert {run.info.status for run in runs(tmp_path)} == {"KILLED"}


def _interrupt_once(process: subprocess.Popen[str], says: str, after: float = 2) -> None:
    """Do as a terminal does on Ctrl-C, some seconds after the program has said something."""
    assert process.stdout is not None
    for line in process.stdout:
        if says in line:
            break
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0


def test_a_killed_container_leaves_no_run_running(
    tmp_path: Path, engine: docker.DockerClient
) -> None:
    before = {container.id for container in ours(engine)}
    process = start(tmp_path, "mlflow", ["run", str(ROOT), "-P", "budget=300"])
    assert process.stdout is not None
    for line in process.stdout:
        if "searching" in line:
            break
    for container in ours(engine):
        if container.id not in before:
            container.kill()
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert {run.info.status for run in runs(tmp_path)} == {"FAILED"}
