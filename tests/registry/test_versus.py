"""Versions of a real training compared by the command."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from mlflow.exceptions import MlflowException

from registry.recorded import read_recorded, read_tested
from registry.store import read_facts
from registry.versus import compare
from tests.registry.versions import MODEL, Versions, versions_in
from training.errors import UserError
from training.evaluate import score


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    """Two candidates of one training."""
    folder = tmp_path_factory.mktemp("versus")
    algorithms = "decision_tree,logistic_regression"
    with versions_in(folder, "multiclass", 150, algorithms=algorithms) as made:
        yield made


def test_what_was_recorded_gives_the_recorded_scores(versions: Versions) -> None:
    facts = list(versions.facts.values())

    for item, known in zip(read_recorded(mlflow.MlflowClient(), facts), facts, strict=True):
        assert score(known.metric, item.y, item.prediction) == pytest.approx(known.row["test"])
        assert len(item.rows.test) == len(item.y)
        assert item.params
        assert item.gates == []


def test_the_command_prints_and_writes_a_page(versions: Versions, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(compare, [MODEL, "1", "2", "--report", str(page)])

    assert done.exit_code == 0, done.output
    assert "Test scores (95 %)" in done.output
    for candidate in versions.facts:
        assert candidate in done.output
        assert candidate in page.read_text(encoding="utf-8")
    assert str(page) in done.stderr


def test_json_holds_the_comparison_alone(versions: Versions) -> None:
    done = CliRunner().invoke(compare, [MODEL, "1", "2", "--json", "--report", ""])

    found = json.loads(done.stdout)
    assert [found[side]["version"] for side in ("first", "second")] == ["1", "2"]
    assert found["rows_in_common"] == found["first"]["tested"]
    assert done.stderr == ""


def test_the_page_is_named_after_the_versions(
    versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(compare, [MODEL, "1", "2"])

    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == [f"{MODEL}-1-2.html"]


def test_under_mlflow_run_the_page_is_kept_in_its_run(
    versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    done = CliRunner().invoke(compare, [MODEL, "1", "2"])

    assert done.exit_code == 0, done.output
    assert run_id in done.stderr
    page = client.download_artifacts(run_id, f"{MODEL}-1-2.html", str(tmp_path))
    assert "decision_tree" in Path(page).read_text(encoding="utf-8")
    assert not Path(f"{MODEL}-1-2.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([MODEL, "1", "1"], "1 twice"),
        ([MODEL, "1", "99"], "got 99; the newest is 3"),
        (["churns", "1", "2"], "did you mean 'churn'?"),
        ([MODEL, "1", "2", "--report", "absent/page.html"], "No such file"),
    ],
)
@pytest.mark.usefixtures("versions")
def test_what_cannot_be_compared_is_one_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(compare, arguments)

    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@contextmanager
def without_runs(folder: Path) -> Iterator[None]:
    """Have the store of a folder fail where it is asked for a run."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        store.execute("ALTER TABLE runs RENAME TO runs_away")
        try:
            yield
        finally:
            store.execute("ALTER TABLE runs_away RENAME TO runs")


def test_a_store_that_fails_is_said_to_fail(versions: Versions) -> None:
    with without_runs(versions.folder):
        done = CliRunner().invoke(compare, [MODEL, "1", "2", "--report", ""])

    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "failed while comparing" in done.stderr
    assert "not a candidate's" not in done.stderr


@pytest.mark.parametrize("run_id", ["", "0" * 32, "no run's/id"])
def test_a_version_of_no_run_that_is_there_is_not_a_candidates(
    versions: Versions, run_id: str
) -> None:
    version = next(iter(versions.facts.values())).version

    with pytest.raises(UserError, match="whose run is not a candidate's"):
        read_facts(mlflow.MlflowClient(), replace(version, run_id=run_id))
    with without_runs(versions.folder), pytest.raises(MlflowException):
        read_facts(mlflow.MlflowClient(), version)


@pytest.mark.usefixtures("versions")
def test_requests_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call a version of the model, whatever their number: two are asked for."""
    asked: list[str] = []
    for name in ("get_model_version", "search_model_versions", "get_run", "search_runs"):
        method = getattr(mlflow.MlflowClient, name)

        def counted(*args: object, _method: object = method, _name: str = name, **given: object):  # type: ignore[no-untyped-def]
            asked.append(_name)
            return _method(*args, **given)  # type: ignore[operator]

        monkeypatch.setattr(mlflow.MlflowClient, name, counted)
    CliRunner().invoke(compare, [MODEL, "1", "2", "--report", ""], catch_exceptions=False)

    assert asked.count("get_model_version") == 2
    assert asked.count("search_model_versions") == 0
    assert len(asked) <= 12


def test_test_rows_are_read_in_their_order(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "part": ["test", "fold 0", "test"], "row": [1, 0, 0], "y": [1, 0, 0],
        "p0": [0.2, 0.5, 0.9], "p1": [0.8, 0.5, 0.1],
    }  # fmt: skip
    table = pa.table(columns)
    table = table.set_column(0, "part", table["part"].dictionary_encode())
    pq.write_table(table, tmp_path / "predictions.parquet")

    y, prediction = read_tested(tmp_path / "predictions.parquet")

    assert y.tolist() == [0, 1]
    assert np.array_equal(prediction, [[0.9, 0.1], [0.2, 0.8]])
