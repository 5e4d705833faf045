"""What was recorded at training, in every format."""

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.tried.asking import Check, Wrong, inferred, predictions

_RELATIVE, _ABSOLUTE = 1e-5, 1e-6


class Sample:
    """The recorded sample, and what its answers must be."""

    def __init__(self, bundle: Path) -> None:
        schema = json.loads((bundle / "schema.json").read_text())
        sample = json.loads((bundle / "sample.json").read_text())
        self.rows: list[dict[str, Any]] = sample["rows"]
        self.raw: list[Any] = sample["predictions"]
        self.classes: list[Any] | None = schema["target"].get("classes")
        self.columns = list(self.rows[0])

    def values(self) -> list[list[Any]]:
        return [[row[name] for name in self.columns] for row in self.rows]

    def by_column(self) -> dict[str, list[Any]]:
        return {name: [row[name] for row in self.rows] for name in self.columns}

    def request(self) -> dict[str, Any]:
        """A request for what was recorded."""
        body: dict[str, Any] = {"dataframe_records": self.rows}
        if self.classes is not None:
            body["params"] = {"predict_method": "predict_proba"}
        return body

    def compare_raw(self, found: Any) -> None:
        """Numbers, or probabilities of the classes: by name, or in their order."""
        if len(found) != len(self.raw):
            raise Wrong(f"{len(found)} predictions for {len(self.raw)} rows")
        for row, (got, expected) in enumerate(zip(found, self.raw, strict=True)):
            if isinstance(got, dict):
                got = [got[str(label)] for label in self.classes or ()]
            pairs = zip(got, expected, strict=True) if self.classes else [(got, expected)]
            for one, other in pairs:
                if not math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
                    raise Wrong(f"{got} for row {row} of the sample, where {expected} was recorded")

    def compare(self, found: Any) -> None:
        """Labels, or numbers for a regression."""
        if self.classes is None:
            self.compare_raw(found)
            return
        if len(found) != len(self.raw):
            raise Wrong(f"{len(found)} predictions for {len(self.raw)} rows")
        for row, (got, chances) in enumerate(zip(found, self.raw, strict=True)):
            first, second = sorted(chances, reverse=True)[:2]
            expected = self.classes[chances.index(first)]
            if got != expected and not math.isclose(first, second, rel_tol=_RELATIVE):
                raise Wrong(f"{got!r} for row {row} of the sample, where {expected!r} was recorded")

    def tries(self, model: str) -> Iterator[Check]:
        """Every check by its name."""

        def split() -> None:
            body = {"columns": self.columns, "data": self.values()}
            self.compare(predictions({"dataframe_split": body}))

        def as_csv() -> None:
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(self.columns)
            writer.writerows(self.values())
            self.compare(predictions(text.getvalue(), "text/csv"))

        def v2() -> None:
            given = {name: ([len(cells)], cells) for name, cells in self.by_column().items()}
            self.compare(inferred(model, given)[0]["data"])

        yield (
            "recorded predictions",
            lambda: self.compare_raw(predictions(self.request())),
        )
        yield "dataframe_split", split
        yield (
            "dataframe_records",
            lambda: self.compare(predictions({"dataframe_records": self.rows})),
        )
        yield "instances", lambda: self.compare(predictions({"instances": self.rows}))
        yield "inputs", lambda: self.compare(predictions({"inputs": self.by_column()}))
        yield "CSV", as_csv
        yield "V2 infer", v2
