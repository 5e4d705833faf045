"""Tables that are artifacts of a real MLflow store."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.errors import UserError
from training.table import read_table


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A finished run with a table, a folder of one and a folder of two."""
    import mlflow

    folder = tmp_path_factory.mktemp("store")
    # By the environment: what `set_tracking_uri` sets would outlive this module.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        experiment = mlflow.create_experiment(
            "tables", artifact_location=(folder / "artifacts").as_uri()
        )
        with mlflow.start_run(experiment_id=experiment) as started:
            for name in ("t.csv", "one/t.csv", "two/a.csv", "two/b.csv"):
                path = folder / name
                path.parent.mkdir(exist_ok=True)
                path.write_text("a,b\n1,2\n3,4\n")
                mlflow.log_artifact(str(path), Path(name).parent.name or None)
        yield started.info.run_id


@pytest.mark.parametrize("path", ["t.csv", "one", "two/a.csv"])
def test_an_artifact_is_read_and_nothing_is_left(
    run: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    table = read_table(f"runs:/{run}/{path}")
    assert table.frame.shape == (2, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_several_files(run: str) -> None:
    with pytest.raises(UserError, match=r"a folder \(a.csv, b.csv\); name a file in it"):
        read_table(f"runs:/{run}/two")


@pytest.mark.parametrize(
    "path", ["runs:/0123456789abcdef0123456789abcdef/t.csv", "runs:/", "models:/none/1"]
)
def test_what_is_not_there(run: str, path: str) -> None:
    with pytest.raises(UserError, match="got no such artifact") as error:
        read_table(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_of_a_run(run: str) -> None:
    with pytest.raises(UserError, match="got no such artifact"):
        read_table(f"runs:/{run}/missing.csv")


def test_no_password_of_the_server_is_told(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:1")
    with pytest.raises(UserError, match="got no such artifact") as error:
        read_table(f"runs:/{run}/t.csv")
    assert "secret" not in str(error.value)
