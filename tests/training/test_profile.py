"""What is kept of a table's distributions, and of a model's predictions."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.training.problems import frame_of, prepared_of
from tests.training.trained import Trained
from training.profile import (
    FILE,
    LEVELS,
    VALUES,
    Levels,
    Numbers,
    Profile,
    ProfileError,
    of_levels,
    of_numbers,
    profile_json,
    read_profile,
)

_FLOATS = st.floats(-1e9, 1e9) | st.integers(-3, 3).map(float) | st.just(float("nan"))


def written(folder: Path, frame: pd.DataFrame, finished: Any, **given: Any) -> Profile:
    """The profile of a table, as it is read back."""
    prepared = prepared_of(frame, **given)
    subject = prepared.subject
    text = profile_json(subject.profile, subject.schema, finished, subject.metric)
    (folder / FILE).write_text(text, encoding="utf-8")
    return read_profile(folder / FILE)


class _Finished:
    test_prediction = np.array([[0.25, 0.75], [0.9, 0.1], [0.4, 0.6]])
    test_scores = {"roc_auc": 0.75, "log_loss": 0.5}  # noqa: RUF012
    test_low, test_high = 0.5, float("nan")


@given(arrays(np.float64, st.integers(0, 60), elements=_FLOATS))
def test_few_different_numbers_are_counted_exactly(values: np.ndarray) -> None:
    found = of_numbers(values)
    known = values[~np.isnan(values)]
    distinct, counts = np.unique(known + 0.0, return_counts=True)
    assert found.values.tolist() == distinct.tolist()
    assert found.at.tolist() == counts.tolist()
    assert not found.between.any()
    assert (found.count, found.missing) == (len(known), len(values) - len(known))


@settings(max_examples=20)
@given(st.integers(0, 1_000), st.integers(VALUES + 1, 5_000), st.integers(0, 300))
def test_many_numbers_are_exact_at_their_quantiles(seed: int, rows: int, twice: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(size=rows), np.repeat(0.5, twice), [np.nan]])
    found = of_numbers(rng.permutation(values))
    known = values[~np.isnan(values)]
    assert len(found.values) <= VALUES
    assert (found.values[0], found.values[-1]) == (known.min(), known.max())
    assert found.count == len(known)
    upto = np.cumsum(found.at) + np.append(0, np.cumsum(found.between))
    assert upto.tolist() == [int((known <= value).sum()) for value in found.values]
    assert found.between.max(initial=0) <= len(known) / (VALUES - 1) + 1


def test_levels_beyond_the_cap_are_counted_together() -> None:
    counts = np.arange(LEVELS + 50)
    found = of_levels(counts, [f"level {i}" for i in range(len(counts))], missing=3)
    assert len(found.counts) == LEVELS
    assert next(iter(found.counts)) == f"level {LEVELS + 49}"
    assert found.other == sum(range(50))
    assert found.count == counts.sum()


def test_every_kind_of_column_has_its_distribution(tmp_path: Path) -> None:
    frame = frame_of("all", "binary", 200)
    profile = written(tmp_path, frame, _Finished())
    columns = profile.columns
    assert profile.rows == 200
    assert list(columns) == [name for name in frame.columns if name != "y"]
    for name in "abm":
        found = columns[name]
        assert isinstance(found, Numbers)
        assert found.values.tolist() == sorted(frame[name].dropna())
        assert found.missing == frame[name].isna().sum()
    red = columns["c"]
    assert isinstance(red, Levels)
    assert red.counts == frame["c"].value_counts().to_dict()
    assert red.missing == frame["c"].isna().sum()
    flag = columns["f"]
    assert isinstance(flag, Levels)
    assert flag.counts == {"true": frame["f"].sum(), "false": (~frame["f"]).sum()}
    when = columns["d"]
    assert isinstance(when, Numbers)
    days = (frame["d"] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    assert when.values == pytest.approx(np.unique(days))
    text = columns["t"]
    assert isinstance(text, Numbers)
    assert text.values.tolist() == sorted(set(frame["t"].str.len()))


def test_no_text_is_in_a_profile_but_levels(tmp_path: Path) -> None:
    frame = frame_of("all", "binary", 200)
    written(tmp_path, frame, _Finished())
    text = (tmp_path / FILE).read_text()
    assert not [item for item in frame["t"] if item in text or item.split()[0] in text]


def test_a_column_that_orders_time_keeps_its_dates(tmp_path: Path) -> None:
    frame = frame_of("datetime", "binary", 200)
    found = written(tmp_path, frame, _Finished(), time="d").columns["d"]
    assert isinstance(found, Numbers)
    days = (frame["d"] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    assert found.values == pytest.approx(np.unique(days))


def test_rare_levels_of_a_column_with_too_many_are_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("kinds", "profile"):
        monkeypatch.setattr(f"training.{module}.MAX_LEVELS", 4)
    frame = frame_of("numeric", "binary", 200)
    frame["c"] = np.array([f"l{i * i // 50 % 7}" for i in range(200)], dtype=object)
    frame.loc[:9, "c"] = None
    found = written(tmp_path, frame, _Finished()).columns["c"]
    assert isinstance(found, Levels)
    counts = frame["c"].value_counts()
    assert found.missing == 10
    assert found.count == counts.iloc[:4].sum()
    assert found.unseen == counts.iloc[4:].sum()


def test_predictions_and_scores_are_in_it(tmp_path: Path) -> None:
    profile = written(tmp_path, frame_of("numeric", "binary", 100), _Finished())
    label, share = profile.predictions["label"], profile.predictions["probability"]
    assert isinstance(label, Levels)
    assert label.counts == {"yes": 2, "no": 1}
    assert isinstance(share, Numbers)
    assert share.values.tolist() == [0.1, 0.6, 0.75]
    assert (profile.tested, profile.metric) == (3, "roc_auc")
    assert profile.scores == _Finished.test_scores
    assert profile.low == 0.5
    assert np.isnan(profile.high)


@pytest.mark.parametrize("name", ["decision_tree", "gradient_boosting:lightgbm", "ensemble"])
def test_a_logged_model_has_its_profile(trained: Trained, name: str, tmp_path: Path) -> None:
    uri = trained.row(name)["model_uri"]
    folder = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(tmp_path))
    profile = read_profile(Path(folder, "data", "model", FILE))
    row = trained.row(name)
    assert profile.rows == len(trained.frame)
    assert set(profile.columns) < set(trained.frame.columns)
    assert profile.scores[profile.metric] == pytest.approx(row["test"])
    assert (profile.low, profile.high) == pytest.approx((row["test_low"], row["test_high"]))
    label = profile.predictions["label"]
    assert isinstance(label, Levels)
    assert set(label.counts) == set(trained.frame["y"])
    assert {item.count for item in profile.predictions.values()} == {profile.tested}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "rows": 3}'])
def test_what_is_no_profile_is_said_so(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ProfileError, match="expected a profile"):
        read_profile(tmp_path / FILE)


def test_a_profile_is_json_that_others_read_too(tmp_path: Path) -> None:
    frame = frame_of("all", "binary", 200).rename(columns={"c": 'a "<b>", €\n'})
    written(tmp_path, frame, _Finished())
    record = json.loads((tmp_path / FILE).read_text())
    assert record["columns"]['a "<b>", €\n']["levels"]["red"] > 0
