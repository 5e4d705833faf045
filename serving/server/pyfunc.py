"""A model that Sixfold has not trained, as `mlflow.pyfunc` loads it: what it makes of requests.

MLflow itself reads requests, holds them against the signature and writes the answers, by the
functions of its own server: every valid request has the same answer as there. What it would say of
a request that it refuses has values of it, and is not passed on.
"""

import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.server.bundle import PyfuncBundle, line_of
from serving.server.errors import Refused, Unservable, bad_request, where
from serving.server.settings import Settings
from serving.server.signature import Signature

if TYPE_CHECKING:
    from serving.server.spoken import Spoken

_SHOWN = 20
#: What MLflow's messages have after a column's name.
_AFTER_NAME = r"(?:\.(?: |$)| (?:from|to) type )"
_MISSING = re.compile(r"missing inputs \[(.*?)\]")

_log = logging.getLogger("sixfold")


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


@dataclass(frozen=True)
class Found:
    """What it has predicted, which may be of any kind; as long as the rows asked for."""

    value: Any
    rows: int

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, part: slice) -> "Found":
        """Requests of such a model are not joined: the part of one is the whole."""
        return self


class PyfuncPredictor:
    """A model of any of MLflow's flavours.

    Attributes
    ----------
    first : Found or None
        What it made of its example; None if it refuses one that was made of its signature.
    """

    def __init__(self, bundle: PyfuncBundle) -> None:
        # Imported now: once the model is loaded, its own code may be what is called like ours.
        from serving.server.pyfunc_spoken import pyfunc_spoken

        self._bundle = bundle
        self._spoken = pyfunc_spoken
        self._signature = bundle.signature
        try:
            import_mlflow()
            from mlflow.pyfunc import load_model

            folder = bundle.folder / "model"
            _make_room(folder / "code")
            self._model = load_model(str(folder))
            self._schema = self._model.metadata.get_input_schema()
        except Exception as error:  # noqa: BLE001  libraries of all kinds
            raise Unservable(f"expected a model that loads, got {line_of(error)}") from None
        # Some warn of what a request has: unknown categories, columns that are not the model's.
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)
        warnings.simplefilter("ignore")
        self.first: Found | None = None

    def spoken(self, settings: Settings) -> "Spoken":
        """How it is asked."""
        return self._spoken(self._bundle, self, settings)

    def read(self, cells: Asked) -> Asked:
        """Nothing is left to read."""
        return cells

    def predict(self, rows: Asked) -> Found:
        """What the model makes of these rows.

        Raises
        ------
        Refused
            400: they do not fit the signature, or the model fails with them, as MLflow has it.
        """
        from mlflow.exceptions import MlflowException

        try:
            return Found(self._model.predict(rows.data, params=rows.params), rows.count)
        except MlflowException as error:
            raise self._unfit(error) from None
        except Exception as error:  # noqa: BLE001  the model's own, of any kind
            _log.warning("the model failed: %s", where(error))
            raise bad_request(
                "model", "expected rows that the model can predict; the server's log says where"
            ) from None

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
        try:
            if getattr(self._model.metadata, "_is_signature_from_type_hint", bool)():
                parsed = data["inputs"]
            else:
                parsed = theirs.infer_and_parse_data(data, self._schema)
        except MlflowException as error:
            raise self._unfit(error) from None
        except Exception:  # noqa: BLE001  pandas' and NumPy's, with values in them
            raise bad_request(
                "format", f"expected {form} in the form of MLflow's protocol"
            ) from None
        return Asked(parsed, params, _rows(parsed))

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

    def to_json(self, found: Found) -> bytes:
        """An answer of MLflow's scoring protocol."""
        from mlflow.pyfunc.scoring_server import predictions_to_json

        text = io.StringIO()
        predictions_to_json(found.value, text)
        return text.getvalue().encode()

    def _unfit(self, error: Exception) -> Refused:
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


def load_pyfunc(bundle: PyfuncBundle) -> PyfuncPredictor:
    """Load the model and have it answer its example.

    Raises
    ------
    Unservable
        It cannot be loaded, or does not answer.
    """
    predictor = PyfuncPredictor(bundle)
    try:
        predictor.first = predictor.predict(predictor.from_json(bundle.example))
        predictor.to_json(predictor.first)
    except Refused as error:
        if not bundle.is_made:
            raise Unservable(
                f"expected predictions of the model's input example, got: {error.message}"
            ) from None
    except Exception as error:  # noqa: BLE001  as above
        raise Unservable(f"expected predictions to write, got {line_of(error)}") from None
    return predictor


def shown(signature: Signature) -> str:
    """The inputs in one line."""
    listed = [f"{field.name or 'input'} ({field.described()})" for field in signature.inputs]
    more = ["…"] if listed[_SHOWN:] else []
    return ", ".join(listed[:_SHOWN] + more)


def import_mlflow() -> None:
    """MLflow's part that loads models, told before that it serves and is to send nothing."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # As its own server has it.
    os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
    import mlflow.pyfunc
    import mlflow.pyfunc.scoring_server  # noqa: F401


def _make_room(code: Path) -> None:
    """Forget our modules that are called like the model's own, which are imported now."""
    own = {path.stem for path in code.iterdir()} if code.is_dir() else set()
    for name in [name for name in sys.modules if name.partition(".")[0] in own - {"mlflow"}]:
        del sys.modules[name]


def _rows(data: Any) -> int:
    if isinstance(data, dict):
        data = next(iter(data.values()), ())
    if isinstance(data, np.ndarray) and not data.ndim:
        return 1
    return len(data) if hasattr(data, "__len__") and not isinstance(data, str) else 1
