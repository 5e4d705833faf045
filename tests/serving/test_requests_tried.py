"""The script that tries an image: it sees what is not as it was recorded."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from serving import requests_tried
from serving.requests_tried import Sample, Wrong


def sample(folder: Path, classes: list[Any] | None, predictions: list[Any]) -> Sample:
    rows = [{"a": float(i), "b": None} for i in range(len(predictions))]
    (folder / "schema.json").write_text(json.dumps({"target": {"classes": classes}}))
    (folder / "sample.json").write_text(json.dumps({"rows": rows, "predictions": predictions}))
    return Sample(folder)


def test_it_is_the_standard_library_alone() -> None:
    """It runs by `python -c` where Sixfold is not."""
    tree = ast.parse(Path(requests_tried.__file__).read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


@pytest.mark.parametrize("found", [[100.0, 2.0], [100.0005, 2.0000001]])
def test_numbers_may_differ_by_rounding(tmp_path: Path, found: list[float]) -> None:
    sample(tmp_path, None, [100.0, 2.0]).compare(found)


@pytest.mark.parametrize("found", [[100.0], [100.01, 2.0], [100.0, float("nan")], []])
def test_numbers_may_not_differ_by_more(tmp_path: Path, found: list[float]) -> None:
    with pytest.raises(Wrong):
        sample(tmp_path, None, [100.0, 2.0]).compare(found)


def test_probabilities_are_by_name_or_in_order(tmp_path: Path) -> None:
    tried = sample(tmp_path, [0, 1], [[0.9, 0.1], [0.3, 0.7]])
    tried.compare_raw([[0.9, 0.1], [0.3, 0.7]])
    tried.compare_raw([{"1": 0.1, "0": 0.9}, {"0": 0.3, "1": 0.7}])
    with pytest.raises(Wrong, match="row 1"):
        tried.compare_raw([{"0": 0.9, "1": 0.1}, {"0": 0.7, "1": 0.3}])


def test_a_label_must_be_the_likelier_one_unless_both_are(tmp_path: Path) -> None:
    tried = sample(tmp_path, ["no", "yes"], [[0.9, 0.1], [0.5, 0.5]])
    tried.compare(["no", "no"])
    tried.compare(["no", "yes"])
    with pytest.raises(Wrong, match="row 0"):
        tried.compare(["yes", "no"])
    with pytest.raises(Wrong, match="1 predictions for 2 rows"):
        tried.compare(["no"])
