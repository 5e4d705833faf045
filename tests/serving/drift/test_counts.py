"""Recorded columns, counted in the cells of a profile."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.drift.counts import LevelCounts, NumberCounts, watched
from serving.drift.measures import cells_of
from tests.serving.drift.recorded import recorded
from tests.training.problems import frame_of, prepared_of
from training.prepare import Prepared
from training.profile import (
    Numbers,
    Profile,
    of_numbers,
    of_predictions,
    profile_json,
    read_profile,
)


class _Finished:
    test_scores = {"log_loss": 0.5}  # noqa: RUF012
    test_low, test_high = 0.4, 0.6

    def __init__(self, prediction: np.ndarray) -> None:
        self.test_prediction = prediction


def profile_of(folder: Path, prepared: Prepared, raw: np.ndarray) -> Profile:
    subject = prepared.subject
    path = folder / "profile.json"
    finished: Any = _Finished(raw)
    path.write_text(profile_json(subject.profile, subject.schema, finished, subject.metric))
    return read_profile(path)


def read(data: bytes) -> list[pa.RecordBatch]:
    return pq.read_table(pa.BufferReader(data)).combine_chunks().to_batches()


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_training_rows_recorded_are_counted_as_profiled(task: str, tmp_path: Path) -> None:
    frame = frame_of("all", task, 300)
    prepared = prepared_of(frame)
    schema = prepared.subject.schema
    rng = np.random.default_rng(0)
    classes = len(schema.target.classes or ())
    raw = rng.dirichlet(np.ones(classes), 60) if classes else rng.normal(size=60)
    items = watched(schema, profile_of(tmp_path, prepared, raw))
    answers = raw * (1 + 1e-9)  # as another library computes it
    (batch,) = read(recorded(schema, frame, np.resize(answers, (300, *raw.shape[1:]))))
    for item in items:
        # In two parts, the second of which begins in the middle of its arrays.
        whole = batch.slice(0, 60) if item.is_prediction else batch
        item.add(whole.slice(0, 25))
        item.add(whole.slice(25))
    names = [item.name for item in items if not item.is_prediction]
    assert names == [column.name for column in schema.used]
    for item in items:
        assert item.counts.missing == item.reference.missing, item.name
        assert item.counts.unseen == 0
        if isinstance(item.reference, Numbers):
            assert isinstance(item.counts, NumberCounts)
            assert item.counts.cells.tolist() == cells_of(item.reference).tolist(), item.name
        else:
            assert isinstance(item.counts, LevelCounts)
            assert item.counts.counts == item.reference.counts


def test_a_level_that_training_has_not_had_is_unknown(tmp_path: Path) -> None:
    prepared = prepared_of(frame_of("categorical", "binary", 100))
    raw = np.array([[0.5, 0.5]])
    items = watched(prepared.subject.schema, profile_of(tmp_path, prepared, raw))
    (found,) = (item for item in items if item.name == "c")
    found.add(pa.RecordBatch.from_pydict({"c": pa.array(["red", "violet", None, "violet"])}))
    assert (found.counts.count, found.counts.unseen, found.counts.missing) == (1, 2, 1)


def test_a_prediction_is_the_same_value_but_for_its_last_digits() -> None:
    leaves = np.repeat([0.1 + 0.2, 1 / 3, 0.9], 50)
    schema = prepared_of(frame_of("numeric", "regression")).subject.schema
    values = of_predictions(leaves, schema)["value"]
    assert isinstance(values, Numbers)
    assert len(values.values) == 3
    exact, near = NumberCounts(values), NumberCounts(values, 1e-5)
    for counts in (exact, near):
        counts.add(leaves.astype(np.float32).astype(np.float64))
    assert near.cells.tolist() == [0, 50, 0, 50, 0, 50, 0]
    assert exact.cells[1::2].sum() < 150


def test_numbers_outside_are_counted_outside() -> None:
    counts = NumberCounts(of_numbers(np.array([1.0, 2.0, 2.0])))
    counts.add(np.array([0.0, 1.0, 1.5, 2.0, 9.0, np.nan]))
    assert counts.cells.tolist() == [1, 1, 1, 1, 1]
    assert (counts.count, counts.missing) == (5, 1)


def test_a_column_without_any_value_has_nothing_to_compare() -> None:
    counts = NumberCounts(of_numbers(np.array([np.nan, np.nan])), 1e-5)
    counts.add(np.array([1.0, np.nan]))
    assert counts.cells.tolist() == [1]
