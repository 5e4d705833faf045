"""`mlflow run .` against a server with PostgreSQL and an S3 store, and tables from S3."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.e2e.command import ROOT, call, mlflow_run, runs
from tests.services.mlflow_server import MlflowServer
from tests.services.s3 import S3

TABLE = "x,y,colour,sold\n" + "".join(
    f"{i % 17},{(i * 31) % 53},{('red', 'green', 'blue')[i % 3]},{(i * 31) % 53 + i % 17}\n"
    for i in range(150)
)
QUICK = {"algorithms": "decision_tree,linear_regression", "search": "none", "budget": 60}


@pytest.mark.docker
@pytest.mark.services
def test_run_into_a_shared_server(
    tmp_path: Path, mlflow_server: MlflowServer, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.client().put_object(Bucket=s3.bucket, Key="tables/sales.csv", Body=TABLE.encode())
    wanted = QUICK | {"data": s3.uri("tables/sales.csv"), "target": "sold", "register": "sales"}
    environment = {**mlflow_server.environment, **s3.environment}
    printed = mlflow_run(tmp_path, ROOT, wanted, environment=environment)

    assert s3.secret_key not in printed, "a secret was printed"
    assert s3.access_key not in printed
    assert not (tmp_path / "mlflow.db").exists()
    assert not (tmp_path / "mlruns").exists()
    client = MlflowClient(mlflow_server.uri)
    (version,) = client.search_model_versions("name = 'sales'")
    winner = client.get_run(str(version.run_id))
    parent = client.get_run(winner.data.tags["mlflow.parentRunId"])
    assert parent.info.status == winner.info.status == "FINISHED"
    assert parent.data.params["data"] == s3.uri("tables/sales.csv")
    kept = s3.keys("mlflow/")
    assert any(key.endswith(f"{parent.info.run_id}/artifacts/leaderboard.json") for key in kept)
    assert any(key.endswith("linear_regression.skops") for key in kept)
    tags = " ".join(f"{k}={v}" for run in (parent, winner) for k, v in run.data.tags.items())
    assert s3.secret_key not in tags


@pytest.mark.docker
@pytest.mark.services
def test_artifacts_that_go_to_s3_directly_print_no_key(
    tmp_path: Path, mlflow_server: MlflowServer, s3: S3
) -> None:
    """MLflow's runner then writes the keys into its command, which it prints."""
    client = MlflowClient(mlflow_server.uri)
    experiment = client.create_experiment("direct", f"s3://{s3.bucket}/direct")
    environment = {**mlflow_server.environment, **s3.environment}
    wanted = QUICK | {"data": "sklearn:iris", "algorithms": "decision_tree"}
    named = ["--experiment-name", "direct"]
    printed = mlflow_run(tmp_path, ROOT, wanted, named, environment)

    assert "AWS_SECRET_ACCESS_KEY=***" in printed
    assert s3.secret_key not in printed
    assert s3.access_key not in printed
    found = client.search_runs([experiment])
    assert {run.info.status for run in found} == {"FINISHED"}
    assert any(key.endswith("decision_tree.skops") for key in s3.keys("direct/"))


@pytest.mark.services
def test_wrong_credentials_are_one_line(tmp_path: Path, s3: S3) -> None:
    s3.client().put_object(Bucket=s3.bucket, Key="tables/sales.csv", Body=TABLE.encode())
    wrong = {**s3.environment, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    arguments = ["train", s3.uri("tables/sales.csv"), "--target", "sold", "--quiet"]
    printed = call(tmp_path, "sixfold", arguments, wrong, code=2)
    assert len(printed.strip().splitlines()) == 1, printed
    assert "s3://" in printed
    assert not runs(tmp_path), "a run was begun"


@pytest.mark.services
def test_a_wrong_password_is_one_line(tmp_path: Path, secured_mlflow_server: MlflowServer) -> None:
    wrong = {**secured_mlflow_server.environment, "MLFLOW_TRACKING_PASSWORD": "not-this-one"}
    arguments = ["train", "sklearn:iris", "--algorithms", "decision_tree", "--quiet"]
    printed = call(tmp_path, "sixfold", arguments, wrong, code=2)
    assert len(printed.strip().splitlines()) == 1, printed
    assert "not-this-one" not in printed
