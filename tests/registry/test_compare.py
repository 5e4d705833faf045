"""Two versions held against each other."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from registry.common_rows import Pair, pair_of
from registry.compare import Comparison, compare, plain
from registry.recorded import Recorded
from registry.side_by_side import table, verdict
from registry.version import Facts, TrainedRows
from tests.registry.facts import shown_facts
from tests.registry.recorded_of import ROWS, recorded, schema_of, target_of
from training.evaluate import METRICS, SELECTION, score
from training.schema import Column

TASKS = ("regression", "binary", "multiclass")


def facts(number: str, task: str, **given: Any) -> Facts:
    fields: dict[str, Any] = {"metric": SELECTION[task], "schema": schema_of(task)}
    return shown_facts(number, task=task, **fields | given)


def compared(
    first: Facts, second: Facts, one: Recorded, other: Recorded
) -> tuple[Comparison, Pair | str]:
    pair = pair_of(first, second, (one, other))
    return compare(first, second, (one, other), pair), pair


def printed(comparison: Comparison) -> str:
    from rich.console import Console

    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table(comparison))
    return console.export_text()


@pytest.mark.parametrize("task", TASKS)
def test_a_better_version_is_told_from_a_worse_one(task: str) -> None:
    comparison, _ = compared(
        facts("5", task), facts("7", task), recorded(task, 0.1), recorded(task, 0.9)
    )

    assert comparison.rows_in_common == ROWS
    first = comparison.lines[0]
    assert first.metric == SELECTION[task]
    assert first.same_rows is not None
    assert first.same_rows.value > first.same_rows.low > 0
    assert first.same_rows.probability_better == 1.0
    assert verdict(comparison).startswith("Version 7 is better than version 5")


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_of_the_task_is_the_metric(task: str) -> None:
    one, other = recorded(task, 0.2), recorded(task, 0.4)
    comparison, _ = compared(facts("5", task), facts("7", task), one, other)

    assert {line.metric for line in comparison.lines} == {
        name for name, item in METRICS.items() if task in item.tasks
    }
    for line in comparison.lines:
        for side, item in ((line.first, one), (line.second, other)):
            assert side is not None
            assert side.value == pytest.approx(score(line.metric, item.y, item.prediction))
        gain = line.same_rows
        assert gain is not None
        assert line.first is not None
        assert line.second is not None
        assert gain.low <= gain.value <= gain.high
        sign = 1 if line.greater_is_better else -1
        assert gain.value == pytest.approx(sign * (line.second.value - line.first.value))


def test_the_selection_metric_has_the_interval_that_the_training_recorded() -> None:
    comparison, _ = compared(
        facts("5", "binary"), facts("7", "binary"), recorded("binary", 0.2), recorded("binary", 0.4)
    )

    line = comparison.lines[0]
    assert line.first is not None
    assert (line.first.low, line.first.high) == (0.9, 0.94)


def test_it_is_not_told_what_chance_may_be() -> None:
    comparison, _ = compared(
        facts("5", "binary"),
        facts("7", "binary"),
        recorded("binary", 0.5),
        recorded("binary", 0.501),
    )

    assert "cannot be told from" in verdict(comparison)


def test_only_rows_that_both_have_tested_on_are_compared() -> None:
    one, other = recorded("binary", 0.2, range(300)), recorded("binary", 0.4, range(100, 500))
    # Row 150 was in the training of one, under another number of the table.
    one = replace(one, rows=TrainedRows(np.array([150], np.uint64), one.rows.test))
    mixed = np.random.default_rng(0).permutation(400)
    other = Recorded(
        other.y[mixed],
        other.prediction[mixed],
        TrainedRows(other.rows.train, other.rows.test[mixed]),
        {},
    )
    comparison, pair = compared(facts("5", "binary"), facts("7", "binary"), one, other)

    assert comparison.rows_in_common == 199
    assert not isinstance(pair, str)
    kept = {
        round(p, 12)
        for n, p in zip(one.rows.test, one.prediction[:, 1], strict=True)
        if 100 <= n < 300 and n != 150
    }
    assert {round(p, 12) for p in pair.predictions[0][:, 1]} == kept
    # The same row's target is the same in both: they are matched, not merely as many.
    order = {round(p, 12): y for p, y in zip(one.prediction[:, 1], one.y, strict=True)}
    assert [order[round(p, 12)] for p in pair.predictions[0][:, 1]] == list(pair.y)


def test_no_common_row_is_said() -> None:
    comparison, _ = compared(
        facts("5", "binary"),
        facts("7", "binary"),
        recorded("binary", 0.2),
        recorded("binary", 0.4, range(1_000, 1_300)),
    )

    assert comparison.rows_in_common == 0
    assert all(line.same_rows is None for line in comparison.lines)
    assert comparison.lines[0].second is not None
    assert "no row that both were tested on" in verdict(comparison)


def test_different_columns_are_given_as_the_reason() -> None:
    schema = schema_of("binary", columns=(Column("age", "numeric", "int64"),))
    comparison, _ = compared(
        facts("5", "binary", schema=schema),
        facts("7", "binary"),
        recorded("binary", 0.2),
        recorded("binary", 0.4, range(1_000, 1_300)),
    )

    assert "different columns" in comparison.not_compared


@pytest.mark.parametrize("other", ["regression", "multiclass"])
def test_versions_that_predict_different_things_have_no_common_rows(other: str) -> None:
    comparison, _ = compared(
        facts("5", "binary"), facts("7", other), recorded("binary", 0.2), recorded(other, 0.4)
    )

    assert "no rows compare them" in comparison.not_compared
    shared = [line for line in comparison.lines if line.first and line.second]
    assert bool(shared) == (other == "multiclass")


def test_classes_are_matched_by_their_names() -> None:
    schema = schema_of(
        "multiclass", target=replace(target_of("multiclass"), classes=["c", "b", "a"])
    )
    one, other = recorded("multiclass", 0.4), recorded("multiclass", 0.4)
    turned = replace(other, y=2 - other.y, prediction=other.prediction[:, ::-1])
    comparison, pair = compared(
        facts("5", "multiclass"), facts("7", "multiclass", schema=schema), one, turned
    )

    assert not isinstance(pair, str)
    assert np.array_equal(pair.predictions[0], pair.predictions[1])
    assert comparison.lines[0].same_rows is not None
    assert comparison.lines[0].same_rows.value == pytest.approx(0)


def test_a_class_that_one_does_not_know_has_no_probability() -> None:
    few = schema_of("multiclass", target=replace(target_of("multiclass"), classes=["a", "b"]))
    one = recorded("multiclass", 0.4)
    known = replace(one, prediction=one.prediction[:, :2], y=np.minimum(one.y, 1))
    _, pair = compared(facts("5", "multiclass", schema=few), facts("7", "multiclass"), known, one)

    assert not isinstance(pair, str)
    assert pair.predictions[0].shape == (ROWS, 3)
    assert not pair.predictions[0][:, 2].any()


def test_what_differs_is_listed_and_what_does_not_is_not() -> None:
    age, city = Column("age", "numeric", "float64"), Column("city", "text", "string")
    schema = schema_of("binary", columns=(replace(age, kind="categorical"), city))
    first = facts("5", "binary", requirements="numpy==2.3.0\nscipy==1.16\n")
    second = facts("7", "binary", schema=schema, params={"seed": "1"})
    one = recorded("binary", 0.2, params={"depth": "3", "c": "1"})
    comparison, _ = compared(first, second, one, recorded("binary", 0.4))

    assert [(c.name, c.first, c.second) for c in comparison.params] == [
        ("c", "1", None), ("training: seed", "0", "1"),
    ]  # fmt: skip
    assert [(c.name, c.first, c.second) for c in comparison.columns] == [
        ("age", "numeric (float64)", "categorical (float64)"), ("city", None, "text (string)"),
    ]  # fmt: skip
    assert [c.name for c in comparison.packages] == ["numpy", "scipy"]


def test_it_is_json_and_prints() -> None:
    gates = [{"gate": "loads", "outcome": "passed", "enforce": "enforce", "sentence": "All there."}]
    comparison, _ = compared(
        facts("5", "binary"),
        facts("7", "binary"),
        recorded("binary", 0.2),
        recorded("binary", 0.4, gates=gates, gates_outcome="promoted"),
    )

    back = json.loads(json.dumps(plain(comparison), allow_nan=False))
    assert back["second"]["gates"] == gates
    assert back["lines"][0]["same_rows"]["value"] > 0
    text = printed(comparison)
    assert "promoted: 1 passed" in text
    assert "none on record" in text
    assert f"gain on {ROWS} rows of both" in text
