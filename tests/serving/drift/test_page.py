"""The page of a comparison: whole, closed to the network, and safe whatever the names are."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from mlflow.utils.validation import _validate_metric_name
from rich.console import Console

from registry.version import Version
from serving.drift.compare import DRIFTED, LEAST_ROWS, SHIFTED, TOO_FEW, findings, worst
from serving.drift.counts import LevelCounts, NumberCounts, Watched
from serving.drift.figures import bars_of
from serving.drift.logged import figures
from serving.drift.page import page
from serving.drift.recordings import Found, Window
from serving.drift.run import Drift
from serving.drift.truth import Performance
from serving.drift.wording import performance_said, plain, sentence, table
from tests.registry.recorded_of import schema_of
from tests.registry.test_report import NASTY
from training.profile import Profile, of_levels, of_numbers

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def made(name: str) -> Drift:
    """A comparison with `name` wherever a user's text may stand."""
    rng = np.random.default_rng(0)
    numbers = of_numbers(rng.normal(size=1_000))
    levels = of_levels(np.array([500, 300, 200]), (name, "other", f"{name}2"))
    moved = NumberCounts(numbers)
    moved.add(rng.normal(2, 1, 600))
    dates = NumberCounts(numbers)
    dates.add(rng.normal(2, 1, 600))
    named = LevelCounts(levels, {name: 0, "other": 1, f"{name}2": 2})
    named.add(pa.array([name] * 100 + ["other"] * 400 + ["never"] * 100))
    items = [
        Watched(name, "numeric", numbers, moved, name, lambda _: None),
        Watched(f"{name} as a category", "categorical", levels, named, name, lambda _: None),
        Watched("day", "datetime", numbers, dates, "day", lambda _: None),
        Watched(f"probability of {name}", "value", numbers, moved, "__prediction", lambda _: None),
    ]
    profile = Profile(1_000, {}, {}, 200, "rmse", {"rmse": 1.0}, 0.9, 1.1)
    found = findings(items)
    performance = Performance(
        150, 160, "rmse", False, 1.4, 1.6, {"rmse": 1.5}, {"rmse": 1.0}, 0.9, 1.1, 0.01, "worse"
    )
    return Drift(
        version=Version(name, "3", "", "Production", (), {}, "models:/m-0", created=0.0),
        schema=schema_of("regression"),
        profile=profile,
        place=name,
        window=Window(),
        found=Found(2, 600, first=NOW, last=NOW, days={NOW.date(): 600}, shares={1.0}),
        findings=found,
        performance=performance,
        verdict=worst(found),
    )


@pytest.mark.parametrize("name", NASTY)
def test_users_text_is_text(name: str) -> None:
    text = page(made(name))
    root = ElementTree.fromstring(text.replace("<!DOCTYPE html>", "", 1))
    shown = re.sub("[\x00-\x08\x0b-\x1f]", "\ufffd", " ".join(name.split()))
    assert " ".join(shown.split()) in " ".join("".join(root.itertext()).split())
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "img", "b", "link", "iframe", "object"}
    for element in root.iter():
        assert not [key for key in element.attrib if key.startswith("on") or key in ("src", "href")]
    assert "default-src &#x27;none&#x27;" in text


@pytest.mark.parametrize("name", NASTY)
def test_the_terminal_and_mlflow_take_any_name(name: str) -> None:
    drift = made(name)
    console = Console(width=140, record=True)
    with console.capture() as captured:
        console.print(table(drift))
    assert "\x1b[31m" not in captured.get()
    names = [found for found, _ in figures(drift)]
    assert len(set(names)) == len(names)
    for found in names:
        _validate_metric_name(found)
        assert len(found) <= 250


def test_columns_of_the_same_bare_name_keep_their_own_figures() -> None:
    drift = made("a/ü")
    names = {name: value for name, value in figures(drift) if name.startswith("psi/")}
    assert set(names) == {"psi/a__", "psi/a__ as a category", "psi/day"}


def test_the_verdict_is_said_with_what_it_is_of() -> None:
    drift = made("age")
    assert drift.verdict == DRIFTED
    said = sentence(drift)
    assert "the predictions (probability of age) drifted" in said
    assert "2 of 3 columns drifted (age, age as a category)" in said
    assert "rmse worse: 1.500 (1.400 to 1.600) on 150 rows, 1.000 (0.9000 to 1.100)" in said
    day = next(item for item in plain(drift)["columns"] if item["name"] == "day")
    assert (day["verdict"], day["why"]) == ("not judged", "time goes on")


@pytest.mark.parametrize("name", NASTY)
def test_classes_that_training_has_not_had_are_said_as_text(name: str) -> None:
    drift = made("age")
    assert drift.performance
    found = replace(drift.performance, unknown=50, unknown_classes={name: 30, "b": 20})
    for grade, verdict in ((SHIFTED, "as at training"), (DRIFTED, "worse")):
        told = replace(drift, performance=replace(found, verdict=verdict, unknown_verdict=grade))
        said = "50 of 200 rows (25.0%) are of classes that training has not had ("
        assert said in sentence(told)
        assert sentence(told).isprintable()
        root = ElementTree.fromstring(page(told).replace("<!DOCTYPE html>", "", 1))
        text = " ".join("".join(root.itertext()).split())
        assert f"{said}" in text
        assert "The truth is known of 200 recorded rows, of 160 that were told" in text
        assert not {element.tag for element in root.iter()} & {"script", "img", "b"}
        shown = [item.get("class") for item in root.iter("p") if said in (item.text or "")]
        assert grade in shown


def test_a_score_of_the_rows_that_are_left_is_not_said_to_be_worse() -> None:
    drift = made("age")
    assert drift.performance
    found = replace(
        drift.performance, unknown=150, unknown_classes={"purple": 150}, unknown_verdict=DRIFTED
    )
    assert performance_said(replace(drift, performance=found)) == (
        "worse: 150 of 300 rows (50.0%) are of classes that training has not had (purple); rmse "
        "of the others 1.500 (1.400 to 1.600) on 150 rows, 1.000 (0.9000 to 1.100) at training"
    )


def test_rows_of_the_truth_without_a_request_are_said() -> None:
    drift = made("age")
    assert drift.performance
    told = replace(drift, performance=replace(drift.performance, unnamed=3))
    assert "3 more rows of the truth have no request&#x27;s id." in page(told)
    assert "more rows of the truth" not in page(drift)


def undecided(rows: int, known: int) -> Drift:
    """A comparison of so many rows, of which so many have a value."""
    every = np.arange(float(rows))
    ages = np.where(every < known, every % 50, np.nan)
    age, day = NumberCounts(of_numbers(ages)), NumberCounts(of_numbers(np.arange(50.0)))
    age.add(ages)
    day.add(every % 50)
    items = [
        Watched("age", "numeric", of_numbers(ages), age, "age", lambda _: None),
        Watched("day", "datetime", of_numbers(np.arange(50.0)), day, "day", lambda _: None),
    ]
    found = findings(items)
    drift = made("age")
    return replace(
        drift, found=replace(drift.found, rows=rows), findings=found, verdict=worst(found)
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (99, "too few rows to tell: 99 rows, at least 100 are needed"),
        (
            5_000,
            "too few values to tell: 5,000 rows, but nothing that is judged has a known value in "
            "at least 100 of them",
        ),
    ],
)
def test_why_nothing_is_told_is_said_with_the_score(rows: int, said: str) -> None:
    drift = undecided(rows, LEAST_ROWS - 1)
    assert drift.verdict == TOO_FEW
    assert drift.performance
    found = replace(drift.performance, verdict="as at training")
    drift = replace(drift, performance=found)
    assert sentence(drift) == f"age version 3: {said}; {performance_said(drift)}"
    assert sentence(replace(drift, performance=None)) == f"age version 3: {said}"


def test_what_is_not_tested_or_not_judged_has_no_p() -> None:
    drift = undecided(5_000, 0)
    found = {item["name"]: item for item in plain(drift)["columns"]}
    assert [found["age"][name] for name in ("p", "p_adjusted", "statistic")] == [None] * 3
    assert found["age"]["unknown"] == {"then": 0, "now": 0, "p": None}
    assert found["day"]["p"] is not None
    assert found["day"]["p_adjusted"] is None
    root = ElementTree.fromstring(page(drift).replace("<!DOCTYPE html>", "", 1))
    cells = {
        line[0].text: [cell.text or "" for cell in line.iter() if cell.get("class") == "figure"]
        for line in root.iter("tr")
        if len(line)
    }
    assert cells["age"][1:3] == ["", ""]
    assert cells["day"][1].startswith("KS ")
    assert cells["day"][2] == ""
    assert "nan" not in "".join(root.itertext())
    console = Console(width=140)
    with console.capture() as captured:
        console.print(table(drift))
    assert "nan" not in captured.get()


def test_bars_are_shares_of_all_rows() -> None:
    for item in made("x").findings:
        bars = bars_of(item)
        assert bars.then.sum() == pytest.approx(1)
        assert bars.now.sum() == pytest.approx(1)
        assert len(bars.labels) == len(bars.then) == len(bars.now)


def test_bars_of_nothing_are_empty() -> None:
    numbers = of_numbers(np.full(200, np.nan))
    counts = NumberCounts(numbers)
    counts.add(np.full(200, np.nan))
    (found,) = findings([Watched("x", "numeric", numbers, counts, "x", lambda _: None)])
    assert bars_of(found).labels == []
    assert found.verdict == "too few rows"
    constant = of_numbers(np.full(200, 3.0))
    counts = NumberCounts(constant)
    counts.add(np.full(200, 3.0))
    (found,) = findings([Watched("x", "numeric", constant, counts, "x", lambda _: None)])
    assert found.verdict == "stable"
    assert bars_of(found).then.sum() == pytest.approx(1)
