"""Which rows test, and which fit and validate."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import UserError
from training.schema import Column, Schema, Target
from training.split import Split, make_split


def _schema(y: np.ndarray, group: str | None = None, time: str | None = None) -> Schema:
    columns = (Column("g", "dropped", "string"), Column("t", "datetime", "datetime64"))
    if y.dtype == np.float64:
        return Schema(
            "regression", Target("y", "float"), columns, len(y), "0" * 32, "", group, time
        )
    classes: list[Any] = [f"class {i}" for i in range(int(y.max()) + 1)]
    task = "binary" if len(classes) == 2 else "multiclass"
    return Schema(task, Target("y", "string", classes), columns, len(y), "0" * 32, "", group, time)


def _split(y: np.ndarray, frame: pd.DataFrame | None = None, **more: Any) -> Split:
    roles = {name: more.pop(name, None) for name in ("group", "time")}
    frame = pd.DataFrame(index=range(len(y))) if frame is None else frame
    return make_split(y, _schema(y, **roles), frame, **more)


def _check(split: Split, rows: int) -> None:
    """What holds for any split."""
    assert sorted([*split.train, *split.test]) == list(range(rows))
    assert len(split.test)
    assert split.folds
    validated: list[int] = []
    for fit, valid in split.folds:
        assert len(fit)
        assert len(valid)
        assert not set(fit) & set(valid)
        assert max(fit.max(), valid.max()) < len(split.train)
        validated += valid.tolist()
    assert len(set(validated)) == len(validated)


def _has_all_classes(y: np.ndarray, split: Split) -> bool:
    train = y[split.train]
    return set(train) == set(y) and all(set(train[fit]) == set(y) for fit, _ in split.folds)


_CODES = st.lists(st.integers(0, 4), min_size=10, max_size=120).map(
    lambda codes: np.unique(codes, return_inverse=True)[1].astype(np.int64)
)


@settings(deadline=None)
@given(
    y=_CODES.filter(lambda y: len(set(y)) > 1),
    test_size=st.floats(0.05, 0.5),
    folds=st.integers(2, 10),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_class_survives_everywhere(
    y: np.ndarray, test_size: float, folds: int, seed: int
) -> None:
    try:
        split = _split(y, test_size=test_size, folds=folds, seed=seed)
    except UserError:
        # A test row and a validation row need rows that are not the last of their class.
        spare, asked = np.maximum(np.bincount(y) - 1, 0).sum(), len(y) * test_size
        assert spare - asked < 3 or asked < 3
        return
    _check(split, len(y))
    assert _has_all_classes(y, split)


def test_shares_are_kept() -> None:
    y = np.repeat([0, 1, 2], [900, 90, 10])
    split = _split(y)
    assert split.kind == "stratified"
    assert np.bincount(y[split.test]).tolist() == [180, 18, 2]
    for _, valid in split.folds:
        counts = np.bincount(y[split.train][valid], minlength=3)
        assert counts[0] == 144
        assert counts[1] in (14, 15)
        assert counts[2] in (1, 2)


def test_one_percent_positives_are_on_both_sides() -> None:
    y = np.zeros(200, np.int64)
    y[[3, 7]] = 1
    split = _split(y)
    assert y[split.test].sum() == y[split.train].sum() == 1
    assert all(y[split.train][fit].sum() == 1 for fit, _ in split.folds)


def test_a_class_of_one_row_is_in_every_fit() -> None:
    y = np.zeros(50, np.int64)
    y[25:] = 1
    y[49] = 2
    for seed in range(20):
        split = _split(y, seed=seed)
        assert 49 in split.train
        assert all(2 in y[split.train][fit] for fit, _ in split.folds)


@pytest.mark.parametrize("rows", [10, 20, 21, 1000])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_regression(rows: int, folds: int) -> None:
    y = np.random.default_rng(0).normal(size=rows)
    split = _split(y, folds=folds)
    _check(split, rows)
    assert split.kind == "shuffled"
    assert len(split.test) == round(0.2 * rows)
    assert sum(len(valid) for _, valid in split.folds) == len(split.train)


def test_the_seed_decides() -> None:
    y = np.random.default_rng(0).integers(0, 3, 100)
    first, again, other = _split(y, seed=1), _split(y, seed=1), _split(y, seed=2)
    assert first.test.tolist() == again.test.tolist() != other.test.tolist()
    assert first.folds[0][1].tolist() == again.folds[0][1].tolist()
    assert first.test.tolist()[:6] == [4, 6, 23, 25, 30, 38]  # on every machine


@settings(deadline=None)
@given(
    groups=st.lists(st.integers(0, 12) | st.none(), min_size=12, max_size=100),
    seed=st.integers(0, 1000),
    classes=st.integers(0, 3),
)
def test_a_group_is_on_one_side_only(groups: list[int | None], seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, len(groups)) if classes > 1 else rng.normal(size=len(groups))
    y = np.unique(y, return_inverse=True)[1] if classes > 1 else y
    frame = pd.DataFrame({"g": pd.array(groups, "Int64")})
    try:
        split = _split(y, frame, group="g", seed=seed)
    except UserError:
        assert len(set(groups)) < 6 or classes > 1
        return
    _check(split, len(y))
    names = np.array([f"alone {i}" if g is None else str(g) for i, g in enumerate(groups)])
    assert not set(names[split.train]) & set(names[split.test])
    train = names[split.train]
    for fit, valid in split.folds:
        assert not set(train[fit]) & set(train[valid])
    if classes > 1:
        assert _has_all_classes(y, split)


def test_groups_are_dealt_evenly() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 400, 5000)
    y = (rng.random(5000) < 0.1).astype(np.int64)
    split = _split(y, pd.DataFrame({"g": groups}), group="g")
    assert len(split.folds) == 5
    assert abs(len(split.test) - 1000) < 50
    assert abs(y[split.test].mean() - y.mean()) < 0.01
    for _, valid in split.folds:
        assert abs(len(valid) - 800) < 50
        assert abs(y[split.train][valid].mean() - y.mean()) < 0.01


def test_groups_that_cannot_be_split() -> None:
    y = np.array([0, 1] * 10)
    with pytest.raises(UserError, match="at least 3 groups in 'g', got 2"):
        _split(y, pd.DataFrame({"g": ["a", "b"] * 10}), group="g")
    y = np.array([0, 1, 2, 3] * 5)
    with pytest.raises(UserError, match="groups that share classes"):
        _split(y, pd.DataFrame({"g": list("abcd") * 5}), group="g")


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(pd.date_range("2020", periods=100)),
        pd.Series(pd.date_range("2020", periods=100, tz="Asia/Tokyo")),
        pd.Series(pd.date_range("2020", periods=100)).astype(str),
        pd.Series(range(100)),
        pd.Series(np.arange(100) / 7).astype(str),
    ],
)
def test_forward_in_time(times: pd.Series) -> None:
    order = np.random.default_rng(0).permutation(100)
    frame = pd.DataFrame({"t": times}).iloc[order].reset_index(drop=True)
    split = _split(np.random.default_rng(0).normal(size=100), frame, time="t")
    _check(split, 100)
    assert split.kind == "forward"
    moments = order[split.train]
    assert moments.tolist() == list(range(80))
    assert order[split.test].tolist() == list(range(80, 100))
    assert len(split.folds) == 5
    for fit, valid in split.folds:
        assert fit.max() < valid.min()


@pytest.mark.parametrize(
    "times",
    [
        pd.Series([f"{i * 1.5:.1f}" for i in range(3000)]).replace("1500.0", "pause"),
        pd.Series([f"{2000 + i / 2:.1f}" for i in range(3000)]),
        pd.Series([str(i) for i in range(100)] + ["2021-05"]),
    ],
)
def test_texts_that_are_numbers_come_in_their_order(times: pd.Series) -> None:
    """Some of them are ISO 8601 too, such as 2021.5; what is no number comes first."""
    order = np.random.default_rng(0).permutation(len(times))
    frame = pd.DataFrame({"t": times.iloc[order].reset_index(drop=True)})
    split = _split(np.random.default_rng(0).normal(size=len(times)), frame, time="t")
    numbers = pd.to_numeric(frame["t"], errors="coerce")
    assert numbers[split.train].max() < numbers[split.test].min()


def test_texts_of_a_layout_are_dates_though_they_are_numbers() -> None:
    y = np.random.default_rng(0).normal(size=100)
    days = pd.Series(pd.date_range("2020", periods=100)).dt.strftime("%d%m%Y")
    schema = _schema(y, time="t")
    columns = (schema.columns[0], replace(schema.columns[1], format="%d%m%Y"))
    split = make_split(y, replace(schema, columns=columns), pd.DataFrame({"t": days}))
    assert split.train.tolist() == list(range(80))


def test_one_moment_is_on_one_side_only() -> None:
    frame = pd.DataFrame({"t": np.repeat(range(7), [3, 30, 5, 5, 30, 20, 7])})
    split = _split(np.random.default_rng(0).normal(size=100), frame, time="t")
    _check(split, 100)
    times = frame["t"].to_numpy()
    assert not set(times[split.train]) & set(times[split.test])
    for fit, valid in split.folds:
        assert times[split.train][fit].max() < times[split.train][valid].min()


def test_rows_without_a_time_come_first() -> None:
    times = pd.Series(pd.date_range("2020", periods=20)).where(lambda s: s.index != 19)
    split = _split(np.random.default_rng(0).normal(size=20), pd.DataFrame({"t": times}), time="t")
    assert split.train[0] == 19


def test_folds_that_have_not_seen_every_class_are_left_out() -> None:
    y = np.zeros(100, np.int64)
    y[30::2] = 1
    split = _split(y, pd.DataFrame({"t": range(100)}), time="t")
    _check(split, 100)
    assert _has_all_classes(y, split)
    assert len(split.folds) == 3
    y[:] = 0
    y[[70, 90]] = 1
    split = _split(y, pd.DataFrame({"t": range(100)}), time="t")
    assert _has_all_classes(y, split)
    assert len(split.folds) == 1


def test_times_that_cannot_be_split() -> None:
    y = np.zeros(100, np.int64)
    y[95:] = 1
    with pytest.raises(UserError, match="'class 1' only in the last 20% in time"):
        _split(y, pd.DataFrame({"t": range(100)}), time="t")
    y[79] = 1
    with pytest.raises(UserError, match="'class 1' only at the end of the training rows"):
        _split(y, pd.DataFrame({"t": range(100)}), time="t")
    with pytest.raises(UserError, match="at least two moments in 't'"):
        _split(y, pd.DataFrame({"t": [5] * 100}), time="t")


@pytest.mark.parametrize(("more", "said"), [({"test_size": 0}, "got 0"), ({"folds": 1}, "got 1")])
def test_parameters_out_of_range(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        _split(np.zeros(20), **more)
