"""A version's description and tags, read back through a Markdown parser."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.describe import LONGEST, counted, describe, version_tags
from tests.registry.facts import SCHEMA, quality, result, shown_facts
from tests.training.test_card import NASTY, _text, _tree
from tests.training.test_card import _tables as _spaced
from training.lettering import percent
from training.schema import Target

RESULTS = (
    result("loads"),
    quality(),
    result("slices", "failed", enforce="warn", figure=-0.04, threshold=-0.02),
    result("fairness", "skipped"),
)


def _tables(text: str) -> list[list[list[str]]]:
    """Without the space that keeps cells apart."""
    return [[[cell.strip() for cell in row] for row in rows] for rows in _spaced(text)]


BEFORE = shown_facts("5", "decision_tree")


def test_it_holds_scores_the_table_the_gates_and_who() -> None:
    text = describe(
        shown_facts(), RESULTS, production=BEFORE, who="grace", when=1_700_000_000, note="go"
    )

    scores, training, gates = _tables(text)
    assert scores[0] == ["Score", "Version 7", "Before: version 5"]
    assert scores[1] == ["Test roc_auc (95%)", *["0.9200 (0.9000 to 0.9400)"] * 2]
    assert scores[2] == ["Cross-validated roc_auc", *["0.9100 ± 0.01000"] * 2]
    assert ["Table", "data/churn.csv"] in training
    assert ["Rows", "1,000"] in training
    assert ["Fingerprint", SCHEMA.fingerprint] in training
    assert [row[:4] for row in gates[1:]] == [
        ["loads", "passed", "", ""],
        ["quality", "passed", "0.02000", "-0.01000"],
        ["slices", "failed (warns only)", "-0.04000", "-0.02000"],
        ["fairness", "skipped", "", ""],
    ]
    assert "Promoted to Production by grace on 2023-11-14 22:13 UTC." in text
    assert "**Note:** go" in text
    assert "Gates: 2 passed, 1 failed, 1 skipped" in text


def test_it_compares_with_production_on_the_same_rows() -> None:
    text = describe(shown_facts(), RESULTS, production=BEFORE)

    assert "Against version 5 on the same 1,234 rows" in text
    assert "**better by 0.02000**" in text
    assert "+0.005000 to +0.03500" in text
    assert "a probability of 99.9%" in text


@pytest.mark.parametrize(
    ("gain", "word"), [(-0.03, "worse by 0.03000"), (0.0, "no different"), (0.5, "better by 0.5")]
)
def test_it_says_which_way_the_difference_goes(gain: float, word: str) -> None:
    text = describe(shown_facts(), [quality(difference=gain)], production=BEFORE)

    assert f"**{word}" in text


def test_it_does_not_claim_a_comparison_that_was_not_made() -> None:
    first = describe(shown_facts(), [result("quality")])
    apart = describe(shown_facts(), [result("quality")], production=BEFORE)

    assert "No version was in Production" in first
    assert "not compared on the same ones" in apart


@pytest.mark.parametrize("name", NASTY)
def test_users_text_reads_as_written(name: str) -> None:
    shown = " ".join(name.split())
    facts = shown_facts(
        source=name, trainer=name, schema=replace(SCHEMA, target=Target(name, "string", ["a", "b"]))
    )
    text = describe(facts, [result("loads", sentence=name)], who=name, when=0, note=name)

    cells = [cell for rows in _tables(text) for row in rows for cell in row]
    assert cells.count(shown) == 2
    paragraphs = [_text(node) for node in _tree(text).walk() if node.type == "inline"]
    assert f"Note: {shown}" in paragraphs
    kinds = {node.type for node in _tree(text).walk()}
    assert not kinds & {"html_block", "html_inline", "link", "image", "em", "s"}


@given(
    text=st.text(max_size=60).map(lambda word: word * 300),
    gates=st.integers(0, 60),
)
def test_it_fits_into_the_store(text: str, gates: int) -> None:
    results = [result(f"gate_{i}" + text[:40], sentence=text) for i in range(gates)]
    facts = shown_facts(source=text, trainer=text, candidate="x" + text)

    assert len(describe(facts, results, who=text, when=0, note=text)) <= LONGEST


def test_tags_a_person_can_filter_by() -> None:
    facts = shown_facts(candidate="gradient_boosting:lightgbm")

    assert version_tags(facts, RESULTS, "grace") == {
        "algorithm": "gradient_boosting",
        "engine": "lightgbm",
        "task": "binary",
        "table": SCHEMA.fingerprint,
        "selection_metric": "roc_auc",
        "test_roc_auc": "0.9200",
        "promoted_by": "grace",
        "gates": "2 passed, 1 failed, 1 skipped",
    }


def test_what_is_not_known_has_no_tag() -> None:
    facts = shown_facts(row={"test": None})

    assert not {"engine", "test_roc_auc", "promoted_by", "gates"} & version_tags(facts).keys()


def test_only_outcomes_that_occur_are_counted() -> None:
    assert counted([result("a"), result("b")]) == "2 passed"
    assert counted([]) == ""


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.5, "50%"), (0.0, "under 0.1%"), (1.0, "over 99.9%"), (0.99999, "over 99.9%"),
     (1e-6, "under 0.1%"),     (0.123, "12.3%")],
)  # fmt: skip
def test_a_probability_never_rounds_to_certainty(probability: float, text: str) -> None:
    assert percent(probability) == text
