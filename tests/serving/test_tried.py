"""The script that tries an image: it sees what is not as it was recorded."""

import ast
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from serving import tried
from serving.tried import asking, run_script, smoke_script
from serving.tried.example import VARIES, Example
from serving.tried.sample import Sample
from tests.serving.foreign import (
    bundle_of,
    save_drawing_model,
    save_numbers_model,
    save_python_model,
    save_table_model,
    save_tensor_model,
    save_tensors_model,
)
from tests.serving.server.bundles import LEVELS, NUMBERS, write_bundle
from tests.serving.server.running import running
from training.schema import Schema


def sample(folder: Path, classes: list[Any] | None, predictions: list[Any]) -> Sample:
    rows = [{"a": float(i), "b": None} for i in range(len(predictions))]
    (folder / "schema.json").write_text(json.dumps({"target": {"classes": classes}}))
    (folder / "sample.json").write_text(json.dumps({"rows": rows, "predictions": predictions}))
    return Sample(folder)


@pytest.mark.parametrize("schema", [NUMBERS, LEVELS], ids=["values", "classes"])
def test_the_recorded_sample_is_read_as_it_is_written(tmp_path: Path, schema: Schema) -> None:
    write_bundle(tmp_path, schema)
    found = Sample(tmp_path)
    assert found.classes == schema.target.classes
    assert len(found.rows) == len(found.raw) > 0
    assert ("params" in found.request()) == (schema.target.classes is not None)


def test_it_is_the_standard_library_alone() -> None:
    """It runs by `python -c` where Sixfold is not."""
    for file in Path(tried.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            known = {*sys.stdlib_module_names, "serving"}
            assert all(name.partition(".")[0] in known for name in names)
            assert all(not n.startswith("serving") or "tried" in n for n in names)


def test_the_smoke_request_runs_there_too(tmp_path: Path) -> None:
    words = ["http://127.0.0.1:1", str(tmp_path), "theirs/3", "0", "2"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", smoke_script(), *words], capture_output=True, cwd="/"
    )
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["wrong"].startswith("not ready within 0 s: ConnectionRefusedError")
    assert found["answers"] == 0


def test_it_runs_where_sixfold_is_not(tmp_path: Path) -> None:
    """Nobody listens on its port."""
    words = [str(tmp_path), "theirs", "3", "0"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", run_script(), *words],
        capture_output=True,
        check=True,
        cwd="/",
        env={"SIXFOLD_PORT": "1"},
    )
    found = json.loads(done.stdout)
    ((name, said),) = found.pop("checks")
    assert name == "ready"
    assert said.startswith("not ready within 0 s: ConnectionRefusedError")
    assert found == {"ready_seconds": 0.0, "notes": []}


@pytest.mark.parametrize("found", [[100.0, 2.0], [100.0005, 2.0000001]])
def test_numbers_may_differ_by_rounding(tmp_path: Path, found: list[float]) -> None:
    sample(tmp_path, None, [100.0, 2.0]).compare(found)


@pytest.mark.parametrize("found", [[100.0], [100.01, 2.0], [100.0, float("nan")], []])
def test_numbers_may_not_differ_by_more(tmp_path: Path, found: list[float]) -> None:
    with pytest.raises(asking.Wrong):
        sample(tmp_path, None, [100.0, 2.0]).compare(found)


def test_probabilities_are_by_name_or_in_order(tmp_path: Path) -> None:
    tried = sample(tmp_path, [0, 1], [[0.9, 0.1], [0.3, 0.7]])
    tried.compare_raw([[0.9, 0.1], [0.3, 0.7]])
    tried.compare_raw([{"1": 0.1, "0": 0.9}, {"0": 0.3, "1": 0.7}])
    with pytest.raises(asking.Wrong, match="row 1"):
        tried.compare_raw([{"0": 0.9, "1": 0.1}, {"0": 0.7, "1": 0.3}])


def test_a_label_must_be_the_likelier_one_unless_both_are(tmp_path: Path) -> None:
    tried = sample(tmp_path, ["no", "yes"], [[0.9, 0.1], [0.5, 0.5]])
    tried.compare(["no", "no"])
    tried.compare(["no", "yes"])
    with pytest.raises(asking.Wrong, match="row 0"):
        tried.compare(["yes", "no"])
    with pytest.raises(asking.Wrong, match="1 predictions for 2 rows"):
        tried.compare(["no"])


EXAMPLE = ["example", "example again"]


def notes_of(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Every check of a served example, with what it has to say."""
    with running(bundle) as server:
        monkeypatch.setattr(asking, "BESIDE", f"http://127.0.0.1:{server.port}")
        return {name: tried() for name, tried in Example(bundle, "theirs").tries()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numbers", "labels"])
def test_a_model_that_draws_at_random_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    bundle = bundle_of(save_drawing_model(tmp_path / "model", kind), tmp_path / "bundle")
    found = notes_of(bundle, monkeypatch)
    assert list(found) == [*EXAMPLE, "dataframe_records", "inputs", "CSV", "V2 infer"]
    assert VARIES in found.values()


@pytest.mark.slow
def test_a_model_is_tried_with_the_parameters_of_its_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (pd.DataFrame({"x": [1.0, 2.0]}), {"scale": 3.0})
    model = save_python_model(tmp_path / "model", input_example=example)
    found = notes_of(bundle_of(model, tmp_path / "bundle"), monkeypatch)
    assert list(found) == [*EXAMPLE, "dataframe_records", "inputs", "V2 infer"]
    assert VARIES not in found.values()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("save", "formats"),
    [
        (save_table_model, ["dataframe_records", "V2 infer"]),
        (save_numbers_model, ["dataframe_records", "inputs", "CSV", "V2 infer"]),
        (save_tensor_model, ["V2 infer"]),
        (save_tensors_model, ["V2 infer"]),
    ],
)
def test_a_model_says_the_same_in_all_formats_of_its_example(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[Path], Path],
    formats: list[str],
) -> None:
    found = notes_of(bundle_of(save(tmp_path / "model"), tmp_path / "bundle"), monkeypatch)
    assert list(found) == [*EXAMPLE, *formats]
    assert not any(found.values())


class Answers(Example):
    """An example whose answers are as given, one after the other and from the start again."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers = itertools.cycle(answers)
        self._varies = False

    def _answer(self, request: dict[str, Any] | None = None) -> Any:
        return next(self._answers)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([1, None], [{"0": 1.0}, {"0": float("nan")}]),
        ([["a"], ["[1.0, 2]"]], ["a", [1, 2]]),
        ([["True"]], [True]),
        (["1", "nan", "x"], [1.0, None, "x"]),
    ],
)
def test_v2_says_the_same_in_another_form(found: Any, expected: Any) -> None:
    assert Answers([expected]).compare(found, expected, "in V2") == ""


@pytest.mark.parametrize(("found", "expected"), [("7", "007"), ("nan", "inf")])
def test_texts_are_not_numbers(found: Any, expected: str) -> None:
    with pytest.raises(asking.Wrong, match="in V2, where the example was answered"):
        Answers([[expected]]).compare([found], [expected], "in V2")


@pytest.mark.parametrize("found", [[0.5, 0.1], [0.5], ["a", "b"], [0.5, None]])
def test_a_model_that_repeats_itself_must_say_the_same(found: list[Any]) -> None:
    with pytest.raises(asking.Wrong, match="in V2, where the example was answered"):
        Answers([[0.5, 0.2]]).compare(found, [0.5, 0.2], "in V2")


def test_a_model_that_differs_from_itself_must_say_as_much_of_the_same_kind() -> None:
    answers = [[0.5, 0.2]] * 5 + [[0.5, 0.3]]
    assert Answers(answers).compare([0.1, 0.2], [0.5, 0.2], "in V2") == VARIES
    assert Answers(answers).compare([None, None], [0.5, 0.2], "in V2") == VARIES
    for found in ([0.1], [0.1, 0.2, 0.3], ["a", "b"]):
        with pytest.raises(asking.Wrong):
            Answers(answers).compare(found, [0.5, 0.2], "in V2")


def test_labels_of_a_model_that_draws_may_look_partly_like_numbers() -> None:
    tried = Answers([["no"], ["yes"], ["yes"], ["1"]])
    assert tried.compare(["1"], ["no"], "in V2") == VARIES
    assert tried.compare(["1"], ["yes"], "in dataframe_records") == VARIES
