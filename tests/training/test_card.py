"""Model cards, read back through a Markdown parser."""

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from training.card import candidate_card, parent_card
from training.markdown import bullets, escape, table
from training.schema import Column, Schema, Target

NASTY = [
    "a|b", "<img src=x onerror=alert(1)>", "*x*", "_y_", "`code`", "[a](http://b)", "$x$", "&amp;",
    "back\\slash", "\\|", "# head", "- item", "+ item", "1. item", "2) item", "~~gone~~", "![i](j)",
    "two\nlines", "{x}", "=", "---", "年齢", "<!-- -->", "a > b", "''\"", "[x]: y", "http",
    "-0.5", "0.1", "3.", "+1",
]  # fmt: skip


def _tree(text: str) -> SyntaxTreeNode:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return SyntaxTreeNode(parser.parse(text))


def _text(node: SyntaxTreeNode) -> str:
    """What a reader sees; anything but plain text and code shows up as its type."""
    if node.type in ("text", "text_special", "code_inline"):
        return node.content
    if node.type == "softbreak":
        return " "
    inner = "".join(_text(child) for child in node.children)
    return inner if node.type in ("inline", "td", "th", "strong") else f"<{node.type}>{inner}"


def _tables(text: str) -> list[list[list[str]]]:
    found = []
    for node in _tree(text).walk():
        if node.type == "table":
            rows = [row for part in node.children for row in part.children]
            found.append([[_text(cell) for cell in row.children] for row in rows])
    return found


def _headings(text: str) -> list[str]:
    return [_text(node.children[0]) for node in _tree(text).walk() if node.type == "heading"]


def _codes(text: str) -> list[str]:
    return [node.content for node in _tree(text).walk() if node.type == "fence"]


def _row(name: str = "gradient_boosting:lightgbm", **more: Any) -> dict[str, Any]:
    algorithm, _, engine = name.partition(":")
    return {
        "name": name, "algorithm": algorithm, "engine": engine or None, "status": "finished",
        "reason": None, "run_id": "a" * 32, "model_uri": "models:/m-1f2e", "cv_mean": 0.95,
        "cv_std": 0.01, "test": 0.96, "test_low": 0.93, "test_high": 0.98, "tied_with_best": True,
        "fit_seconds": 1.5, "predict_seconds_per_row": 0.0012, "model_bytes": 45_678,
    } | more  # fmt: skip


EMPTY = dict.fromkeys(_row()) | {"name": "svm", "algorithm": "svm"}
BOARD: dict[str, Any] = {
    "task": "binary",
    "metric": "roc_auc",
    "rows": 1000,
    "baseline": {"cv_mean": 0.5, "test": 0.5, "test_low": 0.5, "test_high": 0.5},
    "candidates": [
        _row(),
        _row("random_forest"),
        _row("decision_tree", tied_with_best=False, cv_mean=0.9),
        EMPTY | {"status": "failed", "reason": "killed for memory | at 2 GB"},
        EMPTY | {"name": "linear", "status": "not_applicable", "reason": "no meaning here"},
    ],
}
SCHEMA = Schema(
    task="binary",
    target=Target("churned", "string", ["no", "yes"]),
    columns=(
        Column("id", "dropped", "int64", "unique for every row"),
        Column("age", "numeric", "float64", missing=12),
        Column("zip", "categorical", "int64", "whole numbers that repeat", levels=("8001", "8002")),
        Column("since", "datetime", "string", "dates as text", parts=("year",)),
    ),
    rows=1000,
    fingerprint="0123456789abcdef" * 2,
)


@pytest.mark.parametrize("name", NASTY)
def test_escaped_text_reads_as_written(name: str) -> None:
    shown = " ".join(name.split())

    assert _tables(table(("Name", "Value"), [(escape(name), "1")])) == [
        [["Name", "Value"], [shown, "1"]]
    ]
    (items,) = _tree(bullets([name])).children
    (item,) = items.children
    (paragraph,) = item.children
    assert paragraph.type == "paragraph"
    assert _text(paragraph.children[0]) == shown


def test_long_text_is_cut() -> None:
    assert len(escape("x" * 1000)) == 201


@pytest.mark.parametrize("name", NASTY)
def test_cards_show_users_names_as_written(name: str) -> None:
    shown = " ".join(name.split())
    schema = replace(
        SCHEMA,
        target=Target(name, "string", [name, "other"]),
        columns=(Column(name, "dropped", "string", f"why {name}"),),
        group=name,
    )
    failed = EMPTY | {"status": "failed", "reason": name}
    board = BOARD | {"candidates": [_row(), failed]}

    parent = parent_card(board, schema, [f"of {name}"], {name: name}, {"p": name})
    candidate = candidate_card(_row(), BOARD | {"target": name}, {"p": name}, [f"of {name}"])

    cells = [cell for rows in _tables(parent) for row in rows for cell in row]
    assert cells.count(shown) >= 6
    assert f"why {shown}" in cells
    assert f"2: {shown}, other" in cells
    assert _headings(parent)[0] == shown
    assert ["p", shown] in [row for rows in _tables(candidate) for row in rows]
    for card in (parent, candidate):
        kinds = {node.type for node in _tree(card).walk()}
        assert not kinds & {"html_block", "html_inline", "link", "image", "em", "s"}


def test_parent_card_holds_the_leaderboard() -> None:
    card = parent_card(BOARD, SCHEMA, [], {})

    _, _, board, absent = _tables(card)
    assert board[1:] == [
        ["gradient_boosting:lightgbm =", "0.9500 ± 0.01000", "0.9600 (0.9300 to 0.9800)", "1.50 s",
         "1.20 ms", "45.7 kB"],
        ["random_forest =", "0.9500 ± 0.01000", "0.9600 (0.9300 to 0.9800)", "1.50 s", "1.20 ms",
         "45.7 kB"],
        ["decision_tree", "0.9000 ± 0.01000", "0.9600 (0.9300 to 0.9800)", "1.50 s", "1.20 ms",
         "45.7 kB"],
        ["dummy baseline", "0.5000", "0.5000 (0.5000 to 0.5000)", "", "", ""],
    ]  # fmt: skip
    assert absent[1:] == [
        ["svm", "failed", "killed for memory | at 2 GB"],
        ["linear", "not applicable", "no meaning here"],
    ]


def test_parent_card_tells_of_the_table() -> None:
    data, columns, *_ = _tables(parent_card(BOARD, SCHEMA, [], {}))

    assert ["Rows", "1,000"] in data
    assert ["Columns used", "3 (1 numeric, 1 categorical, 1 datetime)"] in data
    assert ["Columns with missing values", "1"] in data
    assert ["Fingerprint", SCHEMA.fingerprint] in data
    assert ["id", "dropped", "unique for every row"] in columns
    assert ["zip", "categorical", "whole numbers that repeat"] in columns
    assert "age" not in [row[0] for row in columns]


def test_parent_card_tells_notes_facts_and_parameters() -> None:
    card = parent_card(
        BOARD, SCHEMA, ["12 rows without target dropped"], {"commit": "1a2b3c"}, {"max_depth": 7}
    )

    assert "- 12 rows without target dropped" in card
    assert [["Fact", "Value"], ["commit", "1a2b3c"]] in _tables(card)
    assert [["Parameter", "Value"], ["max_depth", "7"]] in _tables(card)
    assert "2 more cannot" not in card
    assert "1 more cannot be told from it." in card


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"group": "customer"}, "No value of customer is on both sides of a split."),
        ({"time": "day"}, "Splits go forward in day"),
        ({}, "with the classes in proportion"),
        ({"task": "regression", "target": Target("y", "float")}, "Rows were split at random.\n"),
    ],
)
def test_parent_card_tells_how_rows_were_split(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in parent_card(BOARD, replace(SCHEMA, **changes), [], {})


def test_parent_card_of_a_training_without_a_finished_candidate() -> None:
    card = parent_card(BOARD | {"candidates": BOARD["candidates"][3:]}, SCHEMA, [], {})

    assert "No candidate finished." in card
    assert not _codes(card)


def test_a_baseline_of_zero_is_told_and_none_is_left_out() -> None:
    zero = BOARD | {"baseline": {"cv_mean": 0.0, "test": 0.0}, "metric": "r2"}
    none = {key: value for key, value in BOARD.items() if key != "baseline"}

    assert "a dummy that ignores the features has 0.0000" in parent_card(zero, SCHEMA, [], {})
    assert "dummy" not in parent_card(none, SCHEMA, [], {})


def test_hundreds_of_columns_and_classes_stay_readable() -> None:
    columns = tuple(Column(f"c{i}" * 99, "dropped", "int64", "constant" * 99) for i in range(2000))
    labels: list[str | int | float | bool] = [f"label {i}" for i in range(300)]
    schema = replace(SCHEMA, columns=columns, target=Target("y", "string", labels))

    card = parent_card(BOARD, schema, [], {})

    assert len(card) < 30_000
    assert "… and 1,960 more" in card
    assert "label 11 and 288 more" in card


def test_candidate_card() -> None:
    facts = BOARD | {"target": "churned", "fingerprint": "f" * 32, "run_id": "b" * 32}

    card = candidate_card(_row(), facts, {"learning_rate": 0.1}, ["a leak"])

    about, scores, params = _tables(card)
    assert about[1:] == [
        ["Rows", "1,000"], ["Table fingerprint", "f" * 32], ["Parent run", "b" * 32],
    ]  # fmt: skip
    assert scores[1][:3] == [
        "gradient_boosting:lightgbm =", "0.9500 ± 0.01000", "0.9600 (0.9300 to 0.9800)",
    ]  # fmt: skip
    assert params[1:] == [["learning_rate", "0.1"]]
    assert "engine `lightgbm`" in card
    assert "More `roc_auc` is better." in card
    assert "- a leak" in card


def test_candidate_card_before_the_model_has_an_id() -> None:
    row = _row("svm", run_id=None, model_uri=None, tied_with_best=None)

    card = candidate_card(row, {"task": "regression", "metric": "rmse", "rows": 10}, {}, [])

    assert "engine" not in card
    assert "Less `rmse` is better." in card
    assert "under its logged models" in card
    assert 'load_model("models:/<model id>")' in card


@pytest.mark.parametrize(("task", "probabilities"), [("binary", True), ("regression", False)])
def test_the_code_to_use_a_model_is_python(task: str, probabilities: bool) -> None:
    (code,) = _codes(candidate_card(_row(), BOARD | {"task": task}, {}, []))

    compile(code, "card", "exec")
    assert 'mlflow.pyfunc.load_model("models:/m-1f2e")' in code
    assert ('params={"predict_method": "predict_proba"}' in code) == probabilities
