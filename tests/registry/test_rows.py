"""Which rows are compared on: nobody's training rows, and nothing pretended."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from registry.rows import Rows, find_rows
from registry.version import Facts, TrainedRows
from tests.registry.evidence_of import facts_of
from training.errors import UserError
from training.hashing import row_hashes
from training.prepare import prepare
from training.request import Request
from training.table import read_table


def frame_of(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=rows).round(6),
            "n": rng.integers(0, 9, rows),
            "y": rng.choice(["no", "yes"], rows),
            "c": rng.choice(np.array(["red", "green", None]), rows),
        }
    )


class Trainings:
    """Splits as trainings make them, of tables in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[str, TrainedRows] = {}

    def train(self, frame: pd.DataFrame, number: str, **given: Any) -> Facts:
        """Prepare a table as a training does, and keep which rows it fitted and tested on."""
        path = self._folder / f"table-{number}.parquet"
        frame.to_parquet(path)
        request = Request(**{"data": str(path), "target": "y", "test_size": 0.25, **given})
        prepared = prepare(request, read_table(str(path), request.na_values))
        self._rows[number] = TrainedRows(
            prepared.hashes[prepared.train], prepared.hashes[prepared.test]
        )
        return facts_of(prepared.subject.schema, number, source=str(path))

    def rows_of(self, facts: Facts) -> TrainedRows:
        return self._rows[facts.version.version]

    @property
    def reader(self) -> Callable[[Facts], TrainedRows]:
        return self.rows_of


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings(tmp_path)


def found(trainings: Trainings, *facts: Facts | None, data: str = "", at_least: int = 20) -> Rows:
    candidate, production = facts
    assert candidate is not None
    rows = find_rows(candidate, production, data, at_least, trainings.reader)
    assert isinstance(rows, Rows), rows
    return rows


def why_not(trainings: Trainings, *facts: Facts | None, data: str = "", at_least: int = 20) -> str:
    candidate, production = facts
    assert candidate is not None
    rows = find_rows(candidate, production, data, at_least, trainings.reader)
    assert isinstance(rows, str)
    assert "\n" not in rows
    return rows


def test_the_test_split_of_the_same_training(trainings: Trainings) -> None:
    frame = frame_of()
    one = trainings.train(frame, "1")
    two = replace(one, version=replace(one.version, version="1"))
    rows = found(trainings, one, two)
    assert (len(rows), rows.removed, rows.own, rows.told) == (100, 0, True, True)
    assert rows.labels == ("no", "yes")
    assert (np.array(rows.labels)[rows.y] == rows.frame["y"]).all()


def test_rows_that_production_was_trained_on_are_left_out(trainings: Trainings) -> None:
    frame = frame_of()
    own, other = trainings.train(frame, "2", seed=1), trainings.train(frame, "1", seed=0)
    rows = found(trainings, own, other, at_least=1)
    assert len(rows) + rows.removed == 100
    assert 60 < rows.removed < 90  # three quarters of them, by chance
    both = pd.concat([rows.frame, table_rows(other, trainings.rows_of(other).train)])
    assert not both.duplicated().any()
    assert "left out" in rows.said


def test_rows_that_came_after_production_are_all_compared_on(trainings: Trainings) -> None:
    frame = frame_of(800)
    production = trainings.train(frame[:400], "1")
    candidate = trainings.train(frame, "2", seed=1)
    rows = found(trainings, candidate, production)
    assert rows.removed > 0
    assert len(rows) + rows.removed == 200


def test_twins_of_training_rows_are_no_test_rows(trainings: Trainings) -> None:
    frame = pd.concat([frame_of(200), frame_of(200)], ignore_index=True)
    candidate = trainings.train(frame, "2")
    rows = found(trainings, candidate, None, at_least=1)
    trained = trainings.rows_of(candidate)
    assert len(rows) == (~np.isin(trained.test, trained.train)).sum() < len(trained.test)


def test_too_few_rows_are_none(trainings: Trainings) -> None:
    frame = frame_of()
    own, other = trainings.train(frame, "2", seed=1), trainings.train(frame, "1")
    why = why_not(trainings, own, other, at_least=50)
    assert "too few" in why
    assert "--data TABLE" in why


def test_a_changed_table_is_noticed(trainings: Trainings) -> None:
    candidate = trainings.train(frame_of(), "2")
    frame_of(seed=1).to_parquet(candidate.source)
    why = why_not(trainings, candidate, None)
    assert "has changed" in why
    assert "--data TABLE" in why


def test_a_table_that_is_gone_is_said(trainings: Trainings) -> None:
    candidate = trainings.train(frame_of(), "2")
    Path(candidate.source).unlink()
    assert "cannot be read again" in why_not(trainings, candidate, None)


@pytest.mark.parametrize("change", ["more", "less", "renamed", "type", "order"])
def test_other_columns_cannot_be_told_apart(trainings: Trainings, change: str) -> None:
    frame = frame_of()
    other = {
        "more": frame.assign(b=frame["a"] + 1),
        "less": frame.drop(columns="c"),
        "renamed": frame.rename(columns={"c": "colour"}),
        "type": frame.assign(n=frame["n"].map(lambda n: f"group {n}")),
        "order": frame[["c", "n", "y", "a"]],
    }[change]
    why = why_not(trainings, trainings.train(other, "2"), trainings.train(frame, "1"))
    assert "different columns" in why
    assert "--data TABLE" in why


def test_whole_numbers_as_floats_are_the_same_rows(trainings: Trainings) -> None:
    frame = frame_of()
    own = trainings.train(frame.assign(n=frame["n"].astype(float)), "2", seed=1)
    rows = found(trainings, own, trainings.train(frame, "1"), at_least=1)
    assert rows.removed > 60


def test_a_named_table_is_taken_without_what_was_trained_on(
    trainings: Trainings, tmp_path: Path
) -> None:
    frame = frame_of(800)
    own, other = trainings.train(frame[:400], "2"), trainings.train(frame[200:600], "1")
    frame.to_csv(tmp_path / "fresh.csv", index=False)
    rows = found(trainings, own, other, data=str(tmp_path / "fresh.csv"))
    assert rows.told
    assert not rows.own
    assert rows.where.endswith("fresh.csv")
    known = np.union1d(trainings.rows_of(own).train, trainings.rows_of(other).train)
    assert (rows.removed, len(rows)) == (len(known), 800 - len(known))


def test_a_named_table_of_other_columns_is_taken_with_a_word(
    trainings: Trainings, tmp_path: Path
) -> None:
    frame = frame_of()
    own, other = trainings.train(frame, "2"), trainings.train(frame.drop(columns="c"), "1")
    path = tmp_path / "fresh.parquet"
    frame_of(seed=1).assign(extra=1).to_parquet(path)
    rows = found(trainings, own, other, data=str(path))
    assert (len(rows), rows.told) == (400, False)
    assert "cannot be told" in rows.said


def test_rows_without_a_target_are_no_rows(trainings: Trainings, tmp_path: Path) -> None:
    candidate = trainings.train(frame_of(), "2")
    fresh = frame_of(100, seed=1)
    fresh.loc[:29, "y"] = None
    fresh.loc[30:39, "y"] = "perhaps"
    fresh.to_parquet(tmp_path / "fresh.parquet")
    rows = found(trainings, candidate, None, data=str(tmp_path / "fresh.parquet"))
    assert len(rows) == 60


@pytest.mark.parametrize(("missing", "words"), [("y", "the target 'y'"), ("a", "without 'a'")])
def test_a_named_table_without_what_is_needed_is_refused(
    trainings: Trainings, tmp_path: Path, missing: str, words: str
) -> None:
    candidate = trainings.train(frame_of(), "2")
    path = tmp_path / "fresh.parquet"
    frame_of().drop(columns=missing).to_parquet(path)
    with pytest.raises(UserError, match=words):
        find_rows(candidate, None, str(path), 20, trainings.reader)
    with pytest.raises(UserError, match="nowhere"):
        find_rows(candidate, None, str(tmp_path / "nowhere.csv"), 20, trainings.reader)


def test_a_column_that_only_production_needs_must_be_there(
    trainings: Trainings, tmp_path: Path
) -> None:
    frame = frame_of()
    own, other = trainings.train(frame.drop(columns="c"), "2"), trainings.train(frame, "1")
    path = tmp_path / "fresh.parquet"
    frame_of(seed=1).drop(columns="c").to_parquet(path)
    assert "lack 'c'" in why_not(trainings, own, other, data=str(path))


@pytest.mark.parametrize("change", ["task", "target", "labels"])
def test_what_predicts_something_else_is_not_compared(trainings: Trainings, change: str) -> None:
    frame = frame_of()
    own = trainings.train(frame, "2")
    other = {
        "task": frame.assign(y=np.where(frame["n"] < 3, "maybe", frame["y"])),
        "labels": frame.assign(y=frame["y"].str.upper()),
        "target": frame,
    }[change]
    given = {"target": "c"} if change == "target" else {}
    why = why_not(trainings, own, trainings.train(other, "1", **given))
    assert "no rows compare" in why


def test_probabilities_are_brought_into_one_order(trainings: Trainings, tmp_path: Path) -> None:
    frame = frame_of(600)
    frame["y"] = np.array(list("uvw"))[np.arange(600) % 3]
    more = frame.assign(y=np.array(list("zvwu"))[np.arange(600) % 4])
    own, other = trainings.train(frame, "2"), trainings.train(more, "1")
    path = tmp_path / "fresh.parquet"
    more.assign(a=more["a"] + 1).to_parquet(path)
    rows = found(trainings, own, other, data=str(path))
    assert rows.labels == ("u", "v", "w", "z")
    assert (np.array(rows.labels)[rows.y] == rows.frame["y"]).all()
    p = np.tile([0.1, 0.2, 0.3, 0.4], (len(rows), 1))
    assert (rows.aligned(p, other.schema)[0] == [0.1, 0.2, 0.3, 0.4]).all()
    assert (rows.aligned(p[:, :3], own.schema)[0] == [0.1, 0.2, 0.3, 0.0]).all()
    swapped = replace(other.schema, target=replace(other.schema.target, classes=list("zwvu")))
    assert (rows.aligned(p, swapped)[0] == [0.4, 0.3, 0.2, 0.1]).all()


def table_rows(facts: Facts, hashes: np.ndarray) -> pd.DataFrame:
    """The rows with these hashes of a training's table."""
    table = read_table(facts.source).frame
    return table[np.isin(row_hashes(table), hashes)]
