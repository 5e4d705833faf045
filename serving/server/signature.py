"""What a model that Sixfold has not trained takes and gives: the signature that MLflow logged.

Standard library only. `serving/foreign.py` writes the file when an image is built.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.schema import Column, Schema, Target

#: MLflow's types of columns, and what a column of a table is that has them.
_KINDS = {
    **dict.fromkeys(("integer", "long", "float", "double"), "numeric"),
    "boolean": "boolean",
    "datetime": "datetime",
}


@dataclass(frozen=True)
class Field:
    """An input or output.

    Attributes
    ----------
    name : str
        '' where the signature has none.
    type : str
        MLflow's type of a column, or NumPy's of a tensor.
    shape : tuple of int, or None
        Of a tensor, -1 where it is open; None for a column.
    required : bool
    """

    name: str
    type: str
    shape: tuple[int, ...] | None = None
    required: bool = True

    def described(self) -> str:
        """`double`, or `float64 tensor of shape [-1, 4]`."""
        text = self.type if self.shape is None else f"{self.type} tensor of shape {[*self.shape]}"
        return text if self.required else f"{text}, optional"


@dataclass(frozen=True)
class Signature:
    """A model's signature.

    Attributes
    ----------
    inputs, outputs : tuple of Field
    params : mapping of str to str
        Names of parameters and their types.
    """

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    params: Mapping[str, str]

    @property
    def is_tensor(self) -> bool:
        """Whether the input is tensors, not the columns of a table."""
        return self.inputs[0].shape is not None

    def schema(self) -> Schema:
        """The columns as a schema has them; what is predicted, a signature does not say."""
        columns = tuple(_column(field) for field in self.inputs)
        return Schema("regression", Target("prediction", "float"), columns, 0, "")


def read_signature(path: Path) -> Signature:
    """Read a signature's file; OSError, ValueError, KeyError or TypeError if it is none."""
    return parse_signature(json.loads(path.read_text(encoding="utf-8")))


def parse_signature(record: Mapping[str, Any]) -> Signature:
    """A signature from MLflow's own form: lists of columns or tensors."""
    inputs, outputs = (
        tuple(_field(item) for item in record.get(part) or ()) for part in ("inputs", "outputs")
    )
    if not inputs:
        raise ValueError("a signature without inputs")
    params = {item["name"]: str(item.get("type", "")) for item in record.get("params") or ()}
    return Signature(inputs, outputs, params)


def _field(item: Mapping[str, Any]) -> Field:
    name = str(item.get("name") or "")
    required = bool(item.get("required", not item.get("optional", False)))
    if item["type"] == "tensor":
        spec = item["tensor-spec"]
        return Field(name, str(spec["dtype"]), tuple(spec["shape"]), required)
    return Field(name, str(item["type"]), None, required)


def _column(field: Field) -> Column:
    kind = "numeric" if field.shape is not None else _KINDS.get(field.type, "text")
    return Column(field.name or "input", kind, "string" if kind == "text" else field.type)
