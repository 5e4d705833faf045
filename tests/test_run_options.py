"""What containers/run_options.py adds to MLflow's `docker run`, in the shell MLflow runs it in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SPLICE = yaml.safe_load((ROOT / "MLproject").read_text())["docker_env"]["volumes"][0]
CODE = "/mlflow/projects/code"
# MLflow starts bash in the project's folder, and stays in the caller's itself.
MLFLOW = (
    "import subprocess, sys; command, project = sys.argv[1:]; "
    "sys.exit(subprocess.run(['bash', '-c', command], cwd=project).returncode)"
)


@dataclass(frozen=True)
class Options:
    """The words of the command that bash would run."""

    words: list[str]
    messages: str

    def values(self, name: str) -> list[str]:
        return [
            after for word, after in zip(self.words, self.words[1:], strict=False) if word == name
        ]

    @property
    def mounts(self) -> dict[str, str]:
        """Where in the container -> what of this machine, and how."""
        parts = [value.split(":") for value in self.values("-v")]
        return {target: f"{source}:{mode}" for source, target, mode in parts}

    @property
    def on_host_network(self) -> bool:
        return "host" in self.values("--network")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "containers").mkdir(parents=True)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "containers" / "run_options.py", folder / "containers")
    return folder


def run(
    project: Path,
    arguments: str = "sklearn:wine --target ''",
    environment: Mapping[str, str] | None = None,
    caller: Path | None = None,
    before: str = "",
) -> Options:
    """Have bash build MLflow's command, and print its words instead of running it."""
    command = (
        f"printf '%s\\n' docker run --rm {before} -v {SPLICE} -e MLFLOW_RUN_ID=1 "
        f"sixfold-training:latest python -m sixfold train {arguments}"
    )
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", MLFLOW, command, str(project)],
        cwd=caller or project,
        env=plain | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return Options(done.stdout.splitlines(), done.stderr)


def test_runs_as_the_user_without_privileges(project: Path) -> None:
    options = run(project)
    assert options.values("--user") == [f"{os.getuid()}:{os.getgid()}"]
    assert options.values("--cap-drop") == ["ALL"]
    assert options.values("--security-opt") == ["no-new-privileges"]
    assert "--init" in options.words


def test_credentials_are_passed_by_name_only(project: Path) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "secret-1",
        "AWS_SECRET_ACCESS_KEY": "secret-2",
        "AWS_SESSION_TOKEN": "secret-3",
        "MLFLOW_TRACKING_USERNAME": "secret-4",
        "MLFLOW_TRACKING_PASSWORD": "secret-5",
        "MLFLOW_TRACKING_TOKEN": "secret-6",
        "HTTPS_PROXY": "http://secret-7@proxy.example:3128",
    }
    options = run(project, environment=secrets)
    assert set(secrets) <= set(options.values("-e"))
    assert "secret-" not in " ".join(options.words) + options.messages


def test_empty_and_unrelated_variables_stay_outside(project: Path) -> None:
    options = run(
        project, environment={"AWS_PROFILE": "", "EDITOR": "vi", "DATABASE_PASSWORD": "x"}
    )
    names = {value.partition("=")[0] for value in options.values("-e")}
    assert not names & {"AWS_PROFILE", "EDITOR", "DATABASE_PASSWORD", "PATH", "HOME"}


def test_the_tracking_address_is_left_to_mlflow(project: Path) -> None:
    options = run(project, environment={"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"})
    assert not [value for value in options.values("-e") if value.startswith("MLFLOW_TRACKING_URI")]


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}, "sklearn:wine"),
        ({"MLFLOW_TRACKING_URI": "https://localhost"}, "sklearn:wine"),
        ({"MLFLOW_TRACKING_URI": "http://ann@[::1]:5000/mlflow"}, "sklearn:wine"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:8333"}, "s3://bucket/table.csv"),
        ({"MLFLOW_S3_ENDPOINT_URL": "http://localhost:8333"}, "sklearn:wine"),
        ({"http_proxy": "http://127.0.0.1:3128"}, "http://example.org/table.csv"),
        ({}, "http://127.0.0.1:8000/table.csv"),
    ],
)
def test_a_server_on_this_machine_is_reached(
    project: Path, environment: dict[str, str], arguments: str
) -> None:
    assert run(project, arguments, environment).on_host_network


@pytest.mark.parametrize(
    "uri", ["http://mlflow.example:5000", "https://10.0.0.127", "http://[broken", "databricks"]
)
def test_other_servers_need_no_host_network(project: Path, uri: str) -> None:
    assert not run(project, environment={"MLFLOW_TRACKING_URI": uri}).on_host_network


def test_a_network_that_was_asked_for_is_not_doubled(project: Path) -> None:
    environment = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}
    options = run(project, environment=environment, before="--network host")
    assert options.values("--network") == ["host"]


def test_the_callers_tables_are_mounted(project: Path, tmp_path: Path) -> None:
    assert run(project).mounts[f"{CODE}/data"] == f"{project}/data:ro"
    caller = tmp_path / "caller"
    caller.mkdir()
    assert run(project, caller=caller).mounts[f"{CODE}/data"] == f"{project}/data:ro"
    (caller / "data").mkdir()
    assert run(project, caller=caller).mounts[f"{CODE}/data"] == f"{caller}/data:ro"


def test_a_missing_data_folder_is_made_by_the_user(project: Path) -> None:
    (project / "data").rmdir()
    assert run(project).mounts[f"{CODE}/data"] == f"{project}/data:ro"
    assert (project / "data").stat().st_uid == os.getuid()


def test_a_table_and_a_schema_elsewhere_are_mounted(project: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "churn.csv").touch()
    (project / "schema.json").touch()
    options = run(project, f"{tables}/churn.csv --target y --schema schema.json")
    assert options.mounts[f"{tables}/churn.csv"] == f"{tables}/churn.csv:ro"
    assert options.mounts[f"{CODE}/schema.json"] == f"{project}/schema.json:ro"
    options = run(project, "../tables/churn.csv --target y")
    assert options.mounts["/mlflow/projects/tables/churn.csv"] == f"{tables}/churn.csv:ro"


def test_a_table_below_data_needs_no_mount_of_its_own(project: Path) -> None:
    (project / "data" / "churn.csv").touch()
    assert list(run(project, "data/churn.csv --target y").mounts) == [f"{CODE}/data"]


def test_a_certificate_bundle_goes_along(project: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.touch()
    options = run(project, environment={"SSL_CERT_FILE": str(bundle), "AWS_CA_BUNDLE": str(bundle)})
    assert options.mounts[str(bundle)] == f"{bundle}:ro"
    assert {"SSL_CERT_FILE", "AWS_CA_BUNDLE"} <= set(options.values("-e"))


def test_aws_profiles_go_along_with_an_s3_table(project: Path, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    environment = {"HOME": str(tmp_path)}
    options = run(project, "s3://bucket/table.csv --target y", environment)
    assert options.mounts["/tmp/.aws"] == f"{tmp_path}/.aws:ro"
    assert "/tmp/.aws" not in run(project, environment=environment).mounts


def test_artifacts_of_child_runs_reach_the_embedded_store(project: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    store = tmp_path / "store"
    store.mkdir()
    uri = f"sqlite:///{store}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("churn", artifact_location=str(store / "artifacts"))
    started = client.create_run(experiment)
    environment = {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_EXPERIMENT_ID": experiment,
        "MLFLOW_RUN_ID": started.info.run_id,
    }
    options = run(project, environment=environment)
    assert options.mounts[f"{store}/artifacts"] == f"{store}/artifacts:rw"
    own = store / "artifacts" / started.info.run_id / "artifacts"
    assert own.stat().st_uid == os.getuid()


def test_a_relative_database_stops_before_docker(project: Path) -> None:
    options = run(project, environment={"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"})
    assert "--user" not in options.words
    assert f"use sqlite:///{project}/mlflow.db" in options.messages
    assert len(options.messages.splitlines()) == 1


def test_a_path_that_mlflow_cannot_mount_stops_before_docker(project: Path, tmp_path: Path) -> None:
    caller = tmp_path / "my tables"
    (caller / "data").mkdir(parents=True)
    options = run(project, caller=caller)
    assert "--user" not in options.words
    assert "without spaces" in options.messages
    assert len(options.messages.splitlines()) == 1


def test_the_commit_is_told(project: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init")
    git("add", ".")
    git("commit", "--message", "first")
    head = git("rev-parse", "HEAD")
    assert f"SIXFOLD_GIT_COMMIT={head}" in run(project).values("-e")
    (project / "containers" / "run_options.py").open("a").write("\n")
    assert f"SIXFOLD_GIT_COMMIT={head}-dirty" in run(project).values("-e")
