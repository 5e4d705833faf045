"""The truth, brought together with what was predicted: what is scored, and what cannot be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.drift.compare import DRIFTED, SHIFTED, STABLE
from serving.drift.truth import Performance, Truth
from tests.registry.recorded_of import schema_of, target_of
from tests.serving.drift.recorded import recorded
from training.errors import UserError
from training.evaluate import all_scores
from training.profile import Profile, of_predictions
from training.schema import Schema, Target

ROWS = 300
YES = np.random.default_rng(0).random(ROWS) < 0.5
CLASSES = np.where(YES, "yes", "no").astype(object)
REQUESTS = [f"r-{number}" for number in range(ROWS)]


def raw_of(schema: Schema) -> np.ndarray:
    """Predictions that are right of four rows in five."""
    chance = np.where(np.arange(ROWS) % 5 == 0, ~YES, YES) * 0.6 + 0.2
    return np.column_stack([1 - chance, chance]) if schema.target.classes else chance


def performance(folder: Path, truth: dict[str, Any], schema: Schema | None = None) -> Performance:
    """The score of 300 recorded rows' predictions, by a truth, against their own at training."""
    schema = schema or schema_of("binary")
    raw = raw_of(schema)
    scores = all_scores(schema.task, YES.astype(int), raw)
    metric = "roc_auc" if schema.target.classes else "rmse"
    then = scores[metric]
    profile = Profile(
        1_000, {}, of_predictions(raw, schema), 200, metric, scores, then - 0.05, then + 0.05
    )
    rows = recorded(schema, pd.DataFrame({"age": np.zeros(ROWS)}), raw)
    batches = pq.read_table(pa.BufferReader(rows)).to_batches(max_chunksize=70)
    pd.DataFrame(truth).to_parquet(folder / "truth.parquet")
    return scored(str(folder / "truth.parquet"), schema, batches, profile)


def scored(
    source: str, schema: Schema, batches: Sequence[pa.RecordBatch], profile: Profile
) -> Performance:
    known = Truth(source, schema)
    for batch in batches:
        known.add(batch)
    return known.performance(profile)


def with_new(rows: int, name: Any = "purple") -> dict[str, Any]:
    """The truth, of which so many rows have a class that training has not had."""
    classes = CLASSES.copy()
    classes[:rows] = name
    return {"request": REQUESTS, "churned": classes}


@pytest.mark.parametrize(
    ("new", "verdict", "grade"),
    [
        (0, "as at training", STABLE),
        (2, "as at training", STABLE),
        (8, "as at training", SHIFTED),
        (15, "worse", DRIFTED),
        (150, "worse", DRIFTED),
        (250, "worse", DRIFTED),
    ],
)
def test_classes_that_training_has_not_had_are_counted_and_judged(
    tmp_path: Path, new: int, verdict: str, grade: str
) -> None:
    found = performance(tmp_path, with_new(new))
    assert (found.rows, found.unknown, found.told) == (ROWS - new, new, ROWS)
    assert (found.verdict, found.unknown_verdict) == (verdict, grade)
    assert found.unknown_classes == ({"purple": new} if new else {})
    assert np.isfinite(found.scores["roc_auc"])


def test_few_rows_of_a_new_class_say_nothing(tmp_path: Path) -> None:
    truth = {name: values[:80] for name, values in with_new(60).items()}
    found = performance(tmp_path, truth)
    assert (found.verdict, found.unknown_verdict, found.unknown) == ("too few rows", STABLE, 60)


def test_new_classes_of_rows_that_were_not_recorded_do_not_count(tmp_path: Path) -> None:
    truth = with_new(0)
    truth["request"] = [*REQUESTS, "x-1", "x-2"]
    truth["churned"] = [*CLASSES, "purple", "green"]
    found = performance(tmp_path, truth)
    assert (found.rows, found.unknown, found.told) == (ROWS, 0, ROWS + 2)
    assert found.unknown_classes == {}


@pytest.mark.parametrize("gap", [None, np.nan, "", "  ", "?"])
def test_what_is_not_known_yet_is_no_class(tmp_path: Path, gap: Any) -> None:
    schema = schema_of("binary", na_values="?")
    found = performance(tmp_path, with_new(100, gap), schema)
    assert (found.rows, found.unknown, found.told) == (200, 0, 200)


@pytest.mark.parametrize(
    ("kind", "labels", "cell", "new"),
    [
        ("integer", [0, 1], 7, {"7": 100}),
        ("integer", [0, 1], "7.0", {"7": 100}),
        ("integer", [0, 1], "later", {}),  # training leaves out a word among numbers as well
        ("integer", [0, 1], np.inf, {}),
        ("boolean", [False, True], "perhaps", {"perhaps": 100}),
    ],
)
def test_a_new_class_is_read_as_training_reads_its_own(
    tmp_path: Path, kind: str, labels: list[Any], cell: Any, new: dict[str, int]
) -> None:
    schema = schema_of("binary", target=Target("churned", kind, labels))
    column = [cell] * 100 + [str(labels[int(item)]) for item in YES[100:]]
    if not isinstance(cell, str):
        column = [float(item) for item in column]
    found = performance(tmp_path, {"request": REQUESTS, "churned": column}, schema)
    assert (found.rows, found.unknown, found.unknown_classes) == (200, sum(new.values()), new)


def test_a_regression_has_no_classes(tmp_path: Path) -> None:
    values = np.where(np.arange(ROWS) < 20, np.nan, YES)
    truth = {"request": REQUESTS, "churned": values}
    found = performance(tmp_path, truth, schema_of("regression"))
    assert (found.rows, found.unknown, found.unknown_verdict) == (ROWS - 20, 0, STABLE)


def test_a_truth_of_other_classes_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        performance(tmp_path, {"request": REQUESTS, "churned": YES.astype(int).astype(str)})
    assert "expected 'churned' as one of 'no', 'yes' in" in str(error.value)
    assert "got only others: '0', '1'" in str(error.value)


@pytest.mark.parametrize("gap", [None, ""])
def test_rows_without_a_request_are_left_out_and_counted(tmp_path: Path, gap: Any) -> None:
    truth = {"request": [gap, gap, gap, *REQUESTS[3:]], "churned": CLASSES}
    found = performance(tmp_path, truth)
    assert (found.rows, found.unnamed, found.told) == (ROWS - 3, 3, ROWS - 3)


def test_a_truth_without_any_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 300 rows of which none has one"):
        performance(tmp_path, {"request": [None] * ROWS, "churned": CLASSES})


def test_a_row_twice_is_refused_whatever_class_it_has(tmp_path: Path) -> None:
    truth = {"request": ["r-1", "r-1", *REQUESTS[2:]], "churned": with_new(1)["churned"]}
    with pytest.raises(UserError, match=r"expected each request and row once .* got 1 rows"):
        performance(tmp_path, truth)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"id": ["r-1"], "churned": ["yes"]}, "without 'request'"),
        ({"request": ["r-1"] * 2, "churned": ["yes"] * 2}, "got 1 rows that are there before"),
        ({"request": ["r-1"], "churned": ["yes"]}, "of which none was recorded"),
        ({"request": [None], "churned": ["yes"]}, "of which none has one"),
        ({"request": ["r-0"], "churned": ["purple"]}, "got only others"),
    ],
)
def test_no_error_has_the_credentials_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], said: str
) -> None:
    pd.DataFrame(table).to_parquet(tmp_path / "truth.parquet")

    def fetch(source: str, folder: Path) -> Path:
        assert "SECRET" in source
        return tmp_path / "truth.parquet"

    monkeypatch.setattr("training.sources.fetch", fetch)
    schema = schema_of("binary", target=target_of("binary"))
    rows = recorded(schema, pd.DataFrame({"age": [0.0]}), np.array([[0.5, 0.5]]))
    batches = pq.read_table(pa.BufferReader(rows)).to_batches()
    profile = Profile(1_000, {}, {}, 200, "roc_auc", {"roc_auc": 0.8}, 0.7, 0.9)
    for source in (
        "https://me:SECRET@example.org/truth.parquet?sig=SECRET",
        "s3://AKIA:SECRET@bucket/truth.parquet",
    ):
        with pytest.raises(UserError, match=said) as error:
            scored(source, schema, batches if said == "got only others" else [], profile)
        assert "SECRET" not in str(error.value)
        assert "/truth.parquet" in str(error.value)
        assert "\n" not in str(error.value)
