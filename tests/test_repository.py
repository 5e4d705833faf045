"""The files at the top agree with each other, and hold nothing that is this machine's."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sqlalchemy import make_url

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
MLPROJECT: dict[str, Any] = yaml.safe_load((ROOT / "MLproject").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
DEVELOPMENT: list[str] = PROJECT["project"]["optional-dependencies"]["dev"]
COMPILE: list[str] = PROJECT["project"]["optional-dependencies"]["serving"]
KUBERNETES: list[str] = PROJECT["project"]["optional-dependencies"]["kubernetes"]
SERVER: list[str] = PROJECT["dependency-groups"]["server"]
TRACES: list[str] = PROJECT["dependency-groups"]["traces"]
RECORDING: list[str] = PROJECT["dependency-groups"]["recording"]
LOCKS = {
    "requirements.lock": RUNTIME,
    "requirements-server.lock": SERVER,
    "requirements-traces.lock": TRACES,
    "requirements-recording.lock": RECORDING,
    "requirements-dev.lock": RUNTIME
    + DEVELOPMENT
    + COMPILE
    + KUBERNETES
    + SERVER
    + TRACES
    + RECORDING,
}
PACKAGES = [name for name in ("training", "registry", "serving") if (ROOT / name).is_dir()]
#: Of `sixfold train`, but not of `mlflow run`: how to start containers, and how to print.
ONLY_ON_THE_COMMAND_LINE = {"isolate", "cpus", "memory", "as_json", "quiet"}
#: One project in two packages.
COMES_WITH = {"botocore": "boto3", "packageurl": "cyclonedx"}


def tracked() -> list[Path]:
    """Every file that is in the repository, or would be with `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / line for line in listed.stdout.splitlines()]
    return [file for file in files if file.is_file()]


def pins(lock: str) -> dict[str, str]:
    """Package -> version of a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def train_options() -> dict[str, Any]:
    """Name -> default of what `sixfold train --help` lists."""
    from training.cli import train

    with train.make_context("train", []) as context:
        return {
            param.name: context.params[param.name]
            for param in train.params
            if param.name in context.params and param.name not in ONLY_ON_THE_COMMAND_LINE
        }


def test_conda_has_the_same_environment() -> None:
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    assert pip == RUNTIME
    (python,) = [entry for entry in conda if isinstance(entry, str) and entry.startswith("python=")]
    assert python.removeprefix("python=") in PROJECT["project"]["requires-python"]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_covers_what_is_declared(lock: str) -> None:
    versions = pins(lock)
    for text in LOCKS[lock]:
        requirement = Requirement(text)
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in {lock}; run `make lock`"
        assert version in requirement.specifier, f"{text}, but {lock} has {version}"


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE), "an option, such as an index, in the lock"
    for entry in re.split(r"\n(?=[a-z])", text)[1:]:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ \\\n", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_agree(lock: str) -> None:
    assert pins(lock).items() <= pins("requirements-dev.lock").items()


def test_what_is_imported_is_declared() -> None:
    runtime = {canonicalize_name(Requirement(text).name) for text in RUNTIME}
    server = {canonicalize_name(Requirement(text).name) for text in SERVER + TRACES + RECORDING}
    compiler = {canonicalize_name(Requirement(text).name) for text in COMPILE}
    deploying = {canonicalize_name(Requirement(text).name) for text in KUBERNETES}
    distributions = packages_distributions()
    own = {"sixfold", *PACKAGES}
    for file in [
        ROOT / "sixfold.py",
        *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")),
    ]:
        declared = runtime | compiler if "serving" in file.parts else runtime
        if "deploy" in file.parts:
            declared |= deploying
        if "server" in file.parts:  # an image that is not compiled has what its model requires
            is_compiled = not file.name.startswith(("pipeline", "pyfunc"))
            declared = server if is_compiled else server | runtime
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            else:
                continue
            for module in {name.partition(".")[0] for name in modules}:
                if module in own or module in sys.stdlib_module_names:
                    continue
                names = {
                    canonicalize_name(name)
                    for name in distributions.get(COMES_WITH.get(module, module), [])
                }
                assert names & declared, f"{file.name} imports {module}: not in pyproject.toml"


def test_every_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in (Requirement(entry).name for entry in RUNTIME + DEVELOPMENT + COMPILE + SERVER):
        assert re.search(rf'^    "{re.escape(name)}[^"]*",\s+# \S+', text, re.MULTILINE), name


def test_main_has_the_parameters_of_the_command() -> None:
    options = train_options()
    parameters = MLPROJECT["entry_points"]["main"]["parameters"]
    assert list(parameters) == list(options)
    for name, parameter in parameters.items():
        assert parameter["default"] == (options[name] or type(parameter["default"])()), name


def test_train_is_main_for_one_candidate() -> None:
    main = MLPROJECT["entry_points"]["main"]["parameters"]
    train = MLPROJECT["entry_points"]["train"]["parameters"]
    assert {name: train[name] for name in main if name != "algorithms"} == {
        name: parameter for name, parameter in main.items() if name != "algorithms"
    }
    assert set(train) - set(main) == {"algorithm", "engine"}


@pytest.mark.parametrize("name", MLPROJECT["entry_points"])
def test_entry_point_passes_each_parameter_once(name: str) -> None:
    entry = MLPROJECT["entry_points"][name]
    placeholders = re.findall(r"{(\w+)}", entry["command"])
    assert sorted(placeholders) == sorted(entry["parameters"])


def test_entry_points_give_the_defaults_of_the_command() -> None:
    """The commands, with MLflow's own quoting of the defaults, are what the command understands."""
    import shlex

    from training.cli import train

    for name in ("main", "train"):
        entry = MLPROJECT["entry_points"][name]
        values = {name: value.get("default", "svm") for name, value in entry["parameters"].items()}
        quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
        words = shlex.split(entry["command"].format(**quoted))
        assert words[:4] == ["python", "-m", "sixfold", "train"]
        with train.make_context("train", words[4:]) as context:
            given = {name: context.params[name] for name in train_options()}
        if "algorithm" in values:
            values["algorithms"] = f"{values.pop('algorithm')}:{values.pop('engine')}"
        assert {name: value or "" for name, value in given.items()} == {
            name: value or "" for name, value in values.items()
        }


def test_every_entry_point_is_a_command() -> None:
    """What `mlflow run . -e NAME` runs by default is what `sixfold NAME` runs by default."""
    import shlex

    from sixfold import COMMANDS, main

    names = set(MLPROJECT["entry_points"]) - {"main"}
    without = {"leaderboard", "watch", "build", "serve", "predict", "deploy", "undeploy", "status"}
    assert names == set(COMMANDS) - without
    for name in names - {"train"}:
        entry = MLPROJECT["entry_points"][name]
        values = {key: value.get("default", "7") for key, value in entry["parameters"].items()}
        quoted = {key: shlex.quote(value) for key, value in values.items()}
        words = shlex.split(entry["command"].format(**quoted))
        assert words[:4] == ["python", "-m", "sixfold", name]
        command = main.get_command(click.Context(main), name)
        assert command is not None
        needed = ["7"] * sum("default" not in item for item in entry["parameters"].values())
        given, own = words[4:], needed if name != "rollback" else ["7", "--note", "7"]
        with command.make_context(name, given) as ours, command.make_context(name, own) as theirs:
            assert ours.params == theirs.params, name


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"^  make ([a-z-]+) +\S", done.stdout, re.MULTILINE) == phony[1].split()


def test_make_train_has_the_parameters_of_main() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    parameters = re.search(r"^PARAMETERS := (.+)$", text, re.MULTILINE)
    assert parameters
    assert parameters[1].split() == list(MLPROJECT["entry_points"]["main"]["parameters"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ".venv/bin/mlflow run ."),
        (
            ["DATA=data/my churn.csv", "TARGET=it's $$5", "TEST_SIZE=0.3"],
            ".venv/bin/mlflow run . -P data='data/my churn.csv' -P target='it'\\''s $5' "
            "-P test_size='0.3'",
        ),
        (
            ["CONTAINER=none", "DATA=data/churn.csv", "BUDGET=5", "ARGS=--json"],
            ".venv/bin/sixfold train 'data/churn.csv' --budget '5' --json",
        ),
    ],
)
def test_make_train_passes_what_is_given(given: list[str], expected: str) -> None:
    assert dry_run("train", *given)[-1] == expected


def test_make_serve_passes_what_is_given() -> None:
    given = ["REGISTER=it's $$5", "BUDGET=5", "PORT=81", "ARGS=-A x", "PROMOTE_ARGS=--allow-dirty"]
    assert dry_run("serve", *given)[1:] == [
        ".venv/bin/mlflow run . -P budget='5' -P register='it'\\''s $5' -A x",
        ".venv/bin/sixfold promote 'it'\\''s $5' --allow-dirty",
        ".venv/bin/sixfold serve 'it'\\''s $5' --port 81",
    ]
    assert dry_run("serve")[1:] == [
        ".venv/bin/mlflow run . -P register=breast-cancer",
        ".venv/bin/sixfold promote breast-cancer",
        ".venv/bin/sixfold serve breast-cancer --port 8080",
    ]


def dry_run(*words: str) -> list[str]:
    """The commands that make would run, by line; what is in the environment is none of it."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TARGET": "not this one"}
    command = ["make", "--dry-run", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_nothing_of_this_machine_is_in_the_repository() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted.org", "deb.debian" + ".org", "docker" + ".io/"]
    folders = [str(ROOT) + "/", str(Path.home()) + "/", "/ro" + "ot/", "/tmp/" + "setup"]
    for file in tracked():
        if file.suffix in {".png", ".parquet", ".feather", ".gz"}:
            continue
        text = file.read_text()
        found = [word for word in hosts + folders if len(word) > 2 and word in text]
        assert not found, f"{file.relative_to(ROOT)} names {found}"


def test_no_file_is_large() -> None:
    assert not [file.name for file in tracked() if file.stat().st_size > 2**20]


def test_only_the_readme_of_data_is_tracked() -> None:
    below = [file.relative_to(ROOT) for file in tracked() if (ROOT / "data") in file.parents]
    assert below == [Path("data/README.md")]


def test_the_image_builds_with_the_classic_builder() -> None:
    text = (ROOT / "containers" / "training.Dockerfile").read_text()
    assert "--mount" not in text
    assert "<<" not in text
    assert text.count("\nFROM ${BASE}") == text.count("\nFROM ")
    assert text.rindex("\nUSER ") > text.rindex("\nRUN "), "the last word on the user is not root"


def test_compose_opens_loopback_only_and_has_no_password() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert "healthcheck" in service
        assert ":latest" not in service["image"] or service["pull_policy"] == "never"
        for name, value in service["environment"].items():
            if re.search("PASSWORD|KEY|STORE_URI", name):
                assert re.search(r"\${\w+:\?", value), f"{name} has a value of its own"


def test_compose_names_a_driver_of_the_database_that_the_image_has() -> None:
    """What SQLAlchemy takes by default for PostgreSQL has changed, and is another package's."""
    address = COMPOSE["services"]["server"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    url = make_url(re.sub(r"\$\{[^}]*\}", "password", address))
    driver = url.get_dialect().import_dbapi().__name__
    assert f"{driver}-binary" in pins("requirements.lock")
