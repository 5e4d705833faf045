"""Requests to a model that Sixfold has not trained, as MLflow's own server reads them.

What MLflow says of a request that it refuses has values of it, and is not passed on.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.server.errors import Refused, bad_request
from serving.server.signature import Signature

if TYPE_CHECKING:
    from mlflow.models import Model

_SHOWN = 20
#: MLflow's types of columns whose cells are lists or records.
_NESTED = ("array", "object")
#: What MLflow's messages have after a column's name.
_AFTER_NAME = r"(?:\.(?: |$)| (?:from|to) type )"
_MISSING = re.compile(r"missing inputs \[(.*?)\]")


@dataclass(frozen=True)
class Asked:
    """What a model is to predict.

    Attributes
    ----------
    data : DataFrame, ndarray, dict of ndarray, list
        As MLflow's server hands it to a model.
    params : dict or None
    count : int
        Rows.
    """

    data: Any
    params: dict[str, Any] | None
    count: int


class PyfuncReader:
    """Reads requests for one model, which need not be loaded.

    Parameters
    ----------
    signature : Signature
    metadata : mlflow.models.Model
        What the model's folder says of it.

    Attributes
    ----------
    has_hints : bool
        The signature is that of the type hints of Python code, which takes `inputs` as they are.
    """

    def __init__(self, signature: Signature, metadata: "Model") -> None:
        self._signature = signature
        self._schema = metadata.get_input_schema()
        self.has_hints: bool = getattr(metadata, "_is_signature_from_type_hint", bool)()

    def from_json(self, record: Mapping[str, Any]) -> Asked:
        """A request of MLflow's scoring protocol.

        Raises
        ------
        Refused
            400.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server as theirs

        data = {form: record[form] for form in theirs.SUPPORTED_FORMATS if form in record}
        forms = sorted(theirs.SUPPORTED_FORMATS)
        if len(data) != 1:
            raise bad_request(
                "format", f"expected exactly one of {', '.join(forms)}, got {len(data)} of them"
            )
        params = record.get("params")
        if params is not None and not isinstance(params, dict):
            raise bad_request("params", "expected params as an object")
        (form,) = data
        if self.has_hints:
            if form != "inputs":
                raise bad_request("format", "expected inputs, as the model has type hints")
            return Asked(data[form], params, _rows(data[form]))
        try:
            parsed = theirs.infer_and_parse_data(data, self._schema)
        except MlflowException as error:
            raise self.unfit(error) from None
        except Exception:  # noqa: BLE001  pandas' and NumPy's, with values in them
            raise bad_request(
                "format", f"expected {form} in the form of MLflow's protocol"
            ) from None
        return Asked(parsed, params, 1 if is_row(parsed, self._signature) else _rows(parsed))

    def from_csv(self, text: str) -> Asked:
        """A table as CSV.

        Raises
        ------
        Refused
            400.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc.scoring_server import parse_csv_input

        try:
            parsed = parse_csv_input(io.StringIO(text), self._schema)
        except MlflowException:
            raise bad_request(
                "csv", f"expected CSV that fits the model's signature: {shown(self._signature)}"
            ) from None
        return Asked(parsed, None, _rows(parsed))

    def unfit(self, error: Exception) -> Refused:
        """MLflow's refusal without what it repeats of the request."""
        said = str(error)
        names = [field.name for field in self._signature.inputs if field.name]
        # The longest first: `a. b` may be a column as well as `a`.
        for field in sorted(self._signature.inputs, key=lambda field: -len(field.name)):
            whole = rf"column {re.escape(field.name)}{_AFTER_NAME}"
            if field.name and re.search(whole, said):
                return bad_request(
                    "signature", f"expected {field.name!r} as {field.described()}; see /docs"
                )
        missing = _MISSING.search(said)
        if missing and (absent := [name for name in names if repr(name) in missing[1]]):
            listed = ", ".join(map(repr, absent[:_SHOWN]))
            return bad_request(
                "columns", f"expected {len(names)} columns, got rows without {listed}"
            )
        return bad_request(
            "signature",
            f"expected rows and params that fit the model's signature: {shown(self._signature)}",
        )


def shown(signature: Signature) -> str:
    """The inputs in one line."""
    listed = [f"{field.name or 'input'} ({field.described()})" for field in signature.inputs]
    more = ["…"] if listed[_SHOWN:] else []
    return ", ".join(listed[:_SHOWN] + more)


def is_row(data: Any, signature: Signature) -> bool:
    """Whether MLflow takes `inputs` as the cells of one row, and not as columns."""
    if not isinstance(data, dict) or signature.is_tensor:
        return False
    return any(field.type in _NESTED for field in signature.inputs) or all(
        np.isscalar(cell) or cell is None or _is_texts(cell) for cell in data.values()
    )


def _is_texts(cell: Any) -> bool:
    return isinstance(cell, list) and all(isinstance(item, str) for item in cell)


def _rows(data: Any) -> int:
    if isinstance(data, dict):
        data = next(iter(data.values()), ())
    if isinstance(data, np.ndarray) and not data.ndim:
        return 1
    return len(data) if hasattr(data, "__len__") and not isinstance(data, str) else 1
