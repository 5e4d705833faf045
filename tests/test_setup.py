"""containers/setup: what it says where something is missing, and the image that it builds."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMAGE = "sixfold-training:latest"
#: What a machine without any container engine or package manager still has.
COMMANDS = [
    "awk", "basename", "bash", "cat", "cut", "date", "df", "dirname", "env", "find",
    "grep", "head", "id", "make", "mkdir", "mktemp", "python3", "rm", "sed", "sha256sum",
    "sleep", "sort", "tail", "tr", "xargs",
]  # fmt: skip


def setup(
    *steps: str, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(folder / "containers" / "setup"), *steps],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A folder for PATH with everyday commands only; a test may add its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in COMMANDS:
        found = shutil.which(name)
        assert found, f"{name} is not here"
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project in a folder of its own, to be changed."""
    folder = tmp_path / "project"
    for name in ("containers", "training", "registry", "serving"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "sixfold.py", "pyproject.toml", "requirements.lock", "requirements-dev.lock",
        ".dockerignore", "README.md", "LICENSE",
    ):  # fmt: skip
        shutil.copy(ROOT / name, folder)
    return folder


def test_help_lists_the_steps() -> None:
    done = setup("--help")
    assert done.returncode == 0
    for step in ("environment", "engine", "base", "image", "test-tools", "clean"):
        assert re.search(rf"^  {step} +\S", done.stdout, re.MULTILINE)


def test_an_unknown_step_is_refused() -> None:
    done = setup("engin")
    assert done.returncode == 2
    assert "got 'engin'" in done.stderr


def test_no_engine_is_one_message(bare_machine: Path) -> None:
    done = setup("engine", environment={"PATH": str(bare_machine)})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "install Docker" in done.stderr
    assert "make train CONTAINER=none" in done.stderr


def test_an_engine_elsewhere_that_does_not_answer_is_one_message() -> None:
    done = setup("engine", environment={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "DOCKER_HOST" in done.stderr
    assert "make train CONTAINER=none" in done.stderr


def test_no_space_for_the_environment_is_one_message(bare_machine: Path, tmp_path: Path) -> None:
    full_disk(bare_machine)
    environment = {
        "PATH": f"{bare_machine}:{os.environ['PATH']}",
        "SIXFOLD_ENVIRONMENTS": str(tmp_path / "environments"),
    }
    done = setup("environment", environment=environment)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "got 12 MB" in done.stderr
    assert not list((tmp_path / "environments").iterdir())


def test_the_environment_of_a_project_that_is_gone_is_removed(
    bare_machine: Path, tmp_path: Path
) -> None:
    environments = tmp_path / "environments"
    for name, project in (("kept", ROOT), ("gone", tmp_path / "no-such-project")):
        (environments / name).mkdir(parents=True)
        (environments / name / "project").write_text(f"{project}\n")
    full_disk(bare_machine)
    environment = {
        "PATH": f"{bare_machine}:{os.environ['PATH']}",
        "SIXFOLD_ENVIRONMENTS": str(environments),
    }
    setup("environment", environment=environment)
    assert [folder.name for folder in environments.iterdir()] == ["kept"]


def test_the_image_depends_on_the_code_and_the_lock_only(copy: Path) -> None:
    def inputs() -> str:
        return setup("inputs", folder=copy).stdout.strip()

    before = inputs()
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert setup("inputs").stdout.strip() == before
    (copy / "README.md").write_text("changed")
    (copy / "training" / "__pycache__").mkdir()
    (copy / "training" / "__pycache__" / "run.pyc").touch()
    assert inputs() == before
    (copy / "training" / "run.py").open("a").write("\n")
    changed = inputs()
    (copy / "requirements.lock").open("a").write("\n")
    assert len({before, changed, inputs()}) == 3


@pytest.mark.parametrize("name", ["PIP_CERT", "SSL_CERT_FILE"])
def test_other_builds_are_told_how_this_machine_reaches_packages(tmp_path: Path, name: str) -> None:
    certificates, others = tmp_path / "ca.crt", tmp_path / "others.crt"
    certificates.write_text("one")
    others.write_text("another")
    given = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CERT": "",
        "SSL_CERT_FILE": str(others),
        name: str(certificates),
        "PIP_INDEX_URL": "https://ada:pass@index.example/simple",
        "PIP_EXTRA_INDEX_URL": "file:///only/here https://extra.example/simple",
        "PIP_TRUSTED_HOST": "index.example",
    }
    done = setup("network", environment=given)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found == {
        "CA_BUNDLE": str(certificates),
        "PIP_INDEX_URL": given["PIP_INDEX_URL"],
        "PIP_EXTRA_INDEX_URL": "https://extra.example/simple ",
        "PIP_TRUSTED_HOST": "index.example",
    }


@pytest.mark.docker
def test_what_is_there_is_used_again() -> None:
    done = setup("engine", "base", "image")
    assert done.returncode == 0, done.stderr
    done = setup("engine", "base", "image")
    assert [line.split(": re-using ")[0] for line in done.stdout.splitlines()] == [
        "engine",
        "base image",
        "training image",
    ]


@pytest.mark.docker
def test_no_space_for_the_image_is_one_message(bare_machine: Path, copy: Path) -> None:
    (copy / "training" / "run.py").open("a").write("\n")
    full_disk(bare_machine)
    done = setup("image", folder=copy, environment={"PATH": f"{bare_machine}:{os.environ['PATH']}"})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no space for the training image" in done.stderr


@pytest.mark.docker
def test_a_failed_build_leaves_nothing_behind(copy: Path) -> None:
    assert setup("image").returncode == 0
    before = engine_holds()
    (copy / "training" / "run.py").write_text("def run(:\n")
    done = setup("image", folder=copy)
    assert done.returncode == 2
    assert "could not build the training image" in done.stderr
    assert "SyntaxError" in done.stderr
    assert engine_holds() == before


@pytest.mark.docker
@pytest.mark.parametrize("last", ["true", "false"])
@pytest.mark.parametrize(
    ("index", "is_kept"),
    [
        ("https://{}.example/team/simple/", True),
        ("https://ada:{}@index.example/simple", False),
        ("https://index.example/{}/simple", False),
    ],
)
def test_a_stage_is_kept_unless_a_secret_is_in_its_history(
    copy: Path, index: str, is_kept: bool, last: str
) -> None:
    """Whether the build succeeds or not."""
    word = secrets.token_hex(8)
    script = copy / "containers" / "setup"
    text = script.read_text().replace("sixfold.stage", f"sixfold.{word}")
    script.write_text(text.replace(IMAGE, f"sixfold-test:{word}"))
    (copy / "containers" / "training.Dockerfile").write_text(
        f"ARG BASE\nFROM ${{BASE}} AS environment\nLABEL sixfold.{word}=build\n"
        "ARG PIP_INDEX_URL\nRUN echo > /made\n"
        f"FROM ${{BASE}}\nCOPY --from=environment /made /\nRUN {last}\n"
    )
    index = index.format(secret := secrets.token_hex(8))
    # BuildKit leaves no images of stages.
    settings = {"DOCKER_BUILDKIT": "0", "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index}
    try:
        done = setup("image", folder=copy, environment=settings)
        assert done.returncode == (0 if last == "true" else 2), done.stderr
        told = [str(docker("history", "--no-trunc", id_)) for id_ in stages_of(word)]
        assert bool(told) == is_kept
        assert any(secret in text for text in told) == is_kept
    finally:
        left = [*stages_of(word), *docker("image", "ls", "--quiet", f"sixfold-test:{word}")]
        if left:
            docker("rmi", "--force", *left)


def stages_of(word: str) -> list[str]:
    """The images of stages, by id."""
    return docker("image", "ls", "--quiet", "--filter", f"label=sixfold.{word}")


def docker(*words: str) -> list[str]:
    """What the command prints, by line."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.docker
def test_the_image_runs_as_anybody_and_holds_no_tools() -> None:
    assert setup("image").returncode == 0
    script = (
        "import lightgbm, os, pathlib, shutil, sixfold, xgboost\n"
        "assert os.getuid() == 4321, os.getuid()\n"
        "assert not [name for name in ('cc', 'gcc', 'make', 'git', 'uv') if shutil.which(name)]\n"
        "assert not [name for name in os.listdir('.') if name not in\n"
        "    ('data', 'sixfold.py', 'training', 'registry', 'serving', 'pyproject.toml',\n"
        "     'requirements.lock', '__pycache__')], os.listdir('.')\n"
        "assert pathlib.Path(sixfold.__cached__).exists()\n"
        "assert pathlib.Path(xgboost.__cached__).exists()\n"
        "pathlib.Path('/mlflow/tmp/journal').touch()\n"
        "(pathlib.Path.home() / 'file').touch()\n"
        "import matplotlib.font_manager\n"
        "print(os.environ['HOME'])\n"
    )
    options = ["--rm", "--network", "none", "--user", "4321:4321", "--cap-drop", "ALL"]
    done = subprocess.run(
        ["docker", "run", *options, IMAGE, "python", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("/tmp\n", "")


@pytest.mark.docker
def test_nobody_is_root_unless_asked_for() -> None:
    assert setup("image").returncode == 0
    assert docker("image", "inspect", "--format", "{{.Config.User}}", IMAGE) == ["1000:1000"]


def full_disk(folder: Path) -> None:
    """Let `df` find 12 MB free: no test may fill a disk for real."""
    (folder / "df").unlink()
    (folder / "df").write_text(
        "#!/bin/sh\necho Filesystem 1M-blocks Used Available Use% Mounted\n"
        "echo disk 1000 988 12 99% /\n"
    )
    (folder / "df").chmod(0o755)


def engine_holds() -> tuple[list[str], list[str]]:
    """All containers and dangling images, by id."""
    containers = docker("ps", "--all", "--quiet")
    images = docker("image", "ls", "--quiet", "--filter", "dangling=true")
    return sorted(containers), sorted(images)  # those of one second are listed in any order
