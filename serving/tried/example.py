"""The example of a model that came without predictions: all its formats must say the same."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.tried.asking import Check, Wrong, ask, inferred, predictions
from serving.tried.formats import (
    Tensor,
    are_numbers,
    as_csv,
    columns,
    flat,
    shortened,
    tensors,
)

VARIES = "the model's predictions differ from one request to the next"
#: How often a request is asked before it counts as one that always has the same answer.
_TIMES = 10


class Example:
    """A model's input example, and what it is answered.

    A model that draws at random differs from itself: its predictions must be as many then, and of
    the kinds that it has answered before.
    """

    def __init__(self, bundle: Path, model: str) -> None:
        example = json.loads((bundle / "sample.json").read_text())
        self._inputs = json.loads((bundle / "signature.json").read_text())["inputs"]
        self._model = model
        self._request = example["request"]
        self._is_made = example["is_made"]
        self._params: dict[str, Any] = self._request.get("params") or {}
        self._varies = False

    def tries(self) -> Iterator[Check]:
        """Every check by its name."""
        yield "example", self._first
        yield "example again", self._again
        split = self._request.get("dataframe_split", {})
        if "columns" in split:
            yield "dataframe_records", self._records
            if are_numbers(split, self._inputs):
                yield "inputs", self._columns
                # CSV has no parameters.
                if not self._params and (short := shortened(split)) and (text := as_csv(short)):
                    yield "CSV", lambda: self._csv(short, text)
            # V2 has no lists in a column.
            if not any(isinstance(cell, list | dict) for row in split["data"] for cell in row):
                yield "V2 infer", lambda: self._v2(flat(split))
        elif arrays := tensors(self._request, self._inputs):
            yield "V2 infer", lambda: self._v2(arrays)

    def compare(self, found: Any, expected: Any, form: str) -> str:
        """Hold an answer against the one to the example; what there is to say of both."""
        if same(found, expected):
            return ""
        kinds, seen = _kinds(found), _kinds(expected)
        # Of a few labels, two draws are often the same, and some of those may look like numbers.
        for _ in range(_TIMES):
            if self._varies and kinds <= seen:
                break
            draw = self._answer()
            self._varies = self._varies or not same(draw, expected)
            seen |= _kinds(draw)
        fits = kinds <= seen and len(_rows(found)) == len(_rows(expected))
        if not (self._varies and fits):
            raise Wrong(f"{found} {form}, where the example was answered {expected}")
        return VARIES

    def _answer(self, request: dict[str, Any] | None = None) -> Any:
        status, _, answer = ask("POST", "/invocations", json.dumps(request or self._request))
        if status == 200:
            return json.loads(answer)["predictions"]
        if status == 400 and self._is_made:
            return None  # the model refuses a row that nobody has said it takes
        raise Wrong(f"status {status}: {answer[:200]}")

    def _first(self) -> None:
        self._answer()

    def _again(self) -> str:
        first, second = self._answer(), self._answer()
        self._varies = not same(first, second)
        return self.compare(second, first, "at the second time")

    def _records(self) -> str:
        split = self._request["dataframe_split"]
        rows = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
        if (expected := self._answer()) is None:
            return ""
        body = {"dataframe_records": rows, "params": self._params}
        return self.compare(predictions(body), expected, "in dataframe_records")

    def _columns(self) -> str:
        if (expected := self._answer()) is None:
            return ""
        body = {"inputs": columns(self._request["dataframe_split"]), "params": self._params}
        return self.compare(predictions(body), expected, "in inputs")

    def _csv(self, split: dict[str, Any], text: str) -> str:
        if (expected := self._answer({"dataframe_split": split})) is None:
            return ""
        return self.compare(predictions(text, "text/csv"), expected, "in CSV")

    def _v2(self, given: dict[str, Tensor]) -> str:
        if (expected := self._answer()) is None:
            return ""
        found = inferred(self._model, given, self._params)
        if len(found) > 1:
            return ""
        (output,) = found
        width = math.prod(output["shape"][1:])
        rows = [output["data"][at : at + width] for at in range(0, len(output["data"]), width)]
        return self.compare(rows, expected, "in V2")


def same(found: Any, expected: Any) -> bool:
    """Whether all cells are the same.

    V2 has null for what is no number, JSON for what is neither number nor text, whole numbers
    among missing ones as others, and texts for what is among texts.
    """
    ours, theirs = _cells(found), _cells(expected)
    return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):  # "007" is not "7"
        return one == other
    return _shown(one) == _shown(other)


def _cells(value: Any) -> list[Any]:
    """All cells of nested lists and records."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [cell for part in value for cell in _cells(part)]
    return [value]


def _shown(cell: Any) -> str:
    number = _number(cell)
    if number is None:
        return str(cell)
    return repr(number) if math.isfinite(number) else "None"


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _kinds(value: Any) -> set[bool]:
    """Whether there are numbers among the cells, and whether there are others."""
    texts = map(_shown, _cells(value))
    return {_number(text) is not None for text in texts if text != "None"}


def _rows(value: Any) -> list[Any]:
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, list) else [value]
