"""The example of a model that came without predictions: all formats must say the same."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.tried.asking import Check, Wrong, ask, inferred, predictions

VARIES = "the model's predictions differ from one request to the next"
#: How often a request is asked before it counts as one that always has the same answer.
_TIMES = 10


class Example:
    """A model's input example, and what it is answered.

    A model that draws at random differs from itself: number and kind of its predictions must be
    the same then.
    """

    def __init__(self, bundle: Path, model: str) -> None:
        example = json.loads((bundle / "sample.json").read_text())
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
            # V2 has no lists in a column.
            if not any(isinstance(cell, list | dict) for row in split["data"] for cell in row):
                yield "V2 infer", self._v2

    def compare(self, found: Any, expected: Any, form: str) -> str:
        """Hold an answer against the one to the example; what there is to say of both."""
        if shown(found) == shown(expected):
            return ""
        # Of a few labels, two draws are often the same.
        self._varies = self._varies or any(
            shown(self._answer()) != shown(expected) for _ in range(_TIMES)
        )
        same = _kinds(found) == _kinds(expected) and len(_rows(found)) == len(_rows(expected))
        if not (self._varies and same):
            raise Wrong(f"{found} {form}, where the example was answered {expected}")
        return VARIES

    def _answer(self) -> Any:
        status, _, answer = ask("POST", "/invocations", json.dumps(self._request))
        if status == 200:
            return json.loads(answer)["predictions"]
        if status == 400 and self._is_made:
            return None  # the model refuses a row that nobody has said it takes
        raise Wrong(f"status {status}: {answer[:200]}")

    def _first(self) -> None:
        self._answer()

    def _again(self) -> str:
        first, second = self._answer(), self._answer()
        self._varies = shown(first) != shown(second)
        return self.compare(second, first, "at the second time")

    def _records(self) -> str:
        split = self._request["dataframe_split"]
        rows = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
        if (expected := self._answer()) is None:
            return ""
        body = {"dataframe_records": rows, "params": self._params}
        return self.compare(predictions(body), expected, "in dataframe_records")

    def _v2(self) -> str:
        split = self._request["dataframe_split"]
        given = dict(zip(split["columns"], zip(*split["data"], strict=True), strict=True))
        if (expected := self._answer()) is None:
            return ""
        found = inferred(self._model, given, len(split["data"]), self._params)
        if len(found) > 1:
            return ""
        (output,) = found
        width = math.prod(output["shape"][1:])
        rows = [output["data"][at : at + width] for at in range(0, len(output["data"]), width)]
        return self.compare(rows, expected, "in V2")


def shown(value: Any) -> list[str]:
    """All cells of nested lists and records as texts.

    V2 has null for what is no number, JSON for what is neither number nor text, and whole numbers
    among missing ones as others.
    """
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in shown(part)]
    number = _number(value)
    if number is None:
        return [str(value)]
    return [repr(number) if math.isfinite(number) else "None"]


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _kinds(value: Any) -> set[bool]:
    """Whether there are numbers among the cells, and whether there are others."""
    return {_number(text) is not None for text in shown(value) if text != "None"}


def _rows(value: Any) -> list[Any]:
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, list) else [value]
