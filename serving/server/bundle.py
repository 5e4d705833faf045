"""The folder that a version was compiled to, and what predicts from it."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import local
from typing import Any, Protocol

import numpy as np

from serving.server.cells import Cells
from serving.server.errors import Unservable
from serving.server.rows import RowReader
from serving.server.signature import Signature, read_signature
from training.schema import Schema, SchemaError

FORMAT = 1
#: The file of the recorded rows and predictions.
SAMPLE = "sample.json"

_RELATIVE, _ABSOLUTE = 1e-5, 1e-6


@dataclass(frozen=True)
class Bundle:
    """What is known of the version that is served.

    Attributes
    ----------
    folder : Path
    model, version : str
        Its names in the registry.
    path : str
        `onnx` or `pipeline`: what it was compiled to; `pyfunc` if Sixfold has not trained it.
    why : str
        One sentence on that.
    schema : Schema
    sample : list of dict
        Rows that were recorded at training.
    expected : ndarray, shape (n,) or (n, k)
        What the model made of them then.
    mlflow : str
        The MLflow that logged the model; '' if it was not written down.
    """

    folder: Path
    model: str
    version: str
    path: str
    why: str
    schema: Schema
    sample: list[dict[str, Any]]
    expected: np.ndarray
    mlflow: str = ""

    @property
    def classes(self) -> int:
        """Number of classes; 0 for regression."""
        return len(self.schema.target.classes or ())

    def sample_cells(self) -> Cells:
        """The recorded rows in the order of the schema's columns."""
        names = [column.name for column in self.schema.used]
        return Cells(rows=[[row.get(name) for name in names] for row in self.sample])


@dataclass(frozen=True, kw_only=True)
class PyfuncBundle(Bundle):
    """What is known of a version that Sixfold has not trained.

    Its `schema` has the signature's columns and nothing else that is true of it; `sample` and
    `expected` are empty.

    Attributes
    ----------
    signature : Signature
    example : dict
        A request for `/invocations`.
    is_made : bool
        The example is made of the signature: the model has brought none, and may refuse it.
    """

    signature: Signature
    example: Mapping[str, Any]
    is_made: bool


class Predictor(Protocol):
    """One way to predict. Another is a class with these methods and a row in `_PREDICTORS`."""

    def read(self, cells: Any) -> Any:
        """The model's input; of several requests together, their rows one after the other."""

    def predict(self, rows: Any) -> Any:
        """Values (n,), or probabilities (n, k) in the order of the schema's classes."""


class OnnxPredictor:
    """A version that was compiled to ONNX.

    To be made in the process that uses it: ONNX Runtime's threads and memory do not survive a fork.
    """

    def __init__(self, bundle: Bundle) -> None:
        onnxruntime = import_runtime()
        options = onnxruntime.SessionOptions()
        # More threads would sum trees in another order, and ties would fall the other way.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        try:
            self._reader = RowReader(bundle.schema)
            self._session = onnxruntime.InferenceSession(
                str(bundle.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._classes = bundle.classes
            self._own = local()
            self._one()
        except Exception as error:  # noqa: BLE001  ONNX Runtime's have no class in common
            raise Unservable(
                f"expected a model.onnx that can be run, got {line_of(error)}"
            ) from None

    def read(self, cells: Cells) -> np.ndarray:
        """The matrix that `training.features.conform` makes of the same rows.

        That of a single row holds until this thread reads the next.
        """
        if cells.count == 1:
            row = self._one().row
            if self._reader.read_one(cells, row):
                return row
        return self._reader.read(cells)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """As `Predictor.predict`."""
        if len(rows) == 1:
            return self._one().predict(rows)
        found: np.ndarray = self._session.run(("raw",), {"rows": rows})[0]
        return found

    def _one(self) -> "_OneRow":
        """This thread's."""
        try:
            return self._own.one
        except AttributeError:
            self._own.one = _OneRow(self._session, self._reader.width, self._classes)
            return self._own.one


class _OneRow:
    """Runs a session on a row in memory that is kept: to be given new memory takes it as long.

    Attributes
    ----------
    row : ndarray of float64, shape (1, width)
        To be written to.
    """

    def __init__(self, session: Any, width: int, classes: int) -> None:
        self.row = np.zeros((1, width))
        self._raw = np.zeros((1, classes) if classes else (1,))
        binding = session.io_binding()
        binding.bind_cpu_input("rows", self.row)
        shape, address = self._raw.shape, self._raw.ctypes.data
        binding.bind_output("raw", "cpu", 0, np.float64, shape, address)
        # Past a wrapper that looks for WebGPU each time, with options that are made once: in
        # two thirds of the time.
        runtime, bound = session._sess, binding._iobinding
        self._run = partial(runtime.run_with_iobinding, bound, import_runtime().RunOptions())

    def predict(self, row: np.ndarray) -> np.ndarray:
        """As `Predictor.predict`, of one row."""
        if row is not self.row:
            self.row[:] = row
        self._run()
        return self._raw.copy()


def import_runtime() -> Any:
    """ONNX Runtime, told before it is imported to send nothing: later would be too late."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def _pipeline(bundle: Bundle) -> Predictor:
    from serving.server.pipeline import PipelinePredictor

    return PipelinePredictor(bundle)


#: How a version of a path is loaded.
_PREDICTORS: dict[str, Callable[[Bundle], Predictor]] = {
    "onnx": OnnxPredictor,
    "pipeline": _pipeline,
}
#: The path of models that Sixfold has not trained.
PYFUNC = "pyfunc"


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle's facts, not its model.

    Raises
    ------
    Unservable
        A file is missing or not what it should be.
    """
    try:
        facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        sample = json.loads((folder / SAMPLE).read_text(encoding="utf-8"))
        bundle = (_foreign if facts["path"] == PYFUNC else _trained)(folder, facts, sample)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}"
        raise Unservable(f"expected a bundle in {folder}, got {reason}") from None
    except (SchemaError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unservable(f"expected a bundle in {folder}, got {line_of(error)}") from None
    if facts.get("format") != FORMAT:
        raise Unservable(f"expected a bundle of format {FORMAT}; build the image anew")
    if bundle.path == PYFUNC:
        return bundle
    if bundle.path not in _PREDICTORS:
        raise Unservable(f"expected path in {sorted(_PREDICTORS)}, got {bundle.path!r}")
    if not bundle.sample:
        raise Unservable("expected a recorded sample in sample.json, got no rows")
    return bundle


def _trained(folder: Path, facts: Mapping[str, Any], sample: Mapping[str, Any]) -> Bundle:
    return Bundle(
        **_common(folder, facts),
        schema=Schema.read(folder / "schema.json"),
        sample=sample["rows"],
        expected=np.asarray(sample["predictions"], np.float64),
    )


def _foreign(folder: Path, facts: Mapping[str, Any], sample: Mapping[str, Any]) -> Bundle:
    signature = read_signature(folder / "signature.json")
    return PyfuncBundle(
        **_common(folder, facts),
        schema=signature.schema(),
        sample=[],
        expected=np.empty(0),
        signature=signature,
        example=sample["request"],
        is_made=sample["is_made"],
    )


def _common(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: str(facts[name]) for name in ("model", "version", "path")}
    return {"folder": folder, **found} | {n: str(facts.get(n, "")) for n in ("why", "mlflow")}


def load_predictor(bundle: Bundle) -> Predictor:
    """Load the model and have it answer its recorded sample.

    Raises
    ------
    Unservable
        It cannot be loaded, or its predictions are not those of training.
    """
    if isinstance(bundle, PyfuncBundle):
        from serving.server.pyfunc import load_pyfunc

        return load_pyfunc(bundle)
    predictor = _PREDICTORS[bundle.path](bundle)
    try:
        rows = predictor.read(bundle.sample_cells())
        found = np.array(predictor.predict(rows))
        found[:1] = predictor.predict(rows[:1])  # by itself, as most requests have it
    except Exception as error:  # noqa: BLE001  as above
        raise Unservable(
            f"expected predictions of the recorded sample, got {line_of(error)}"
        ) from None
    if found.shape != bundle.expected.shape:
        raise Unservable(
            f"expected predictions of shape {bundle.expected.shape}, got {found.shape}"
        )
    away = np.abs(found - bundle.expected) > _ABSOLUTE + _RELATIVE * np.abs(bundle.expected)
    if away.any() or np.isnan(found).any():
        most = float(np.nanmax(np.abs(found - bundle.expected)))
        raise Unservable(
            f"expected the recorded predictions, got others in {int(away.sum())} of {away.size} "
            f"values, off by up to {most:.3g}; build the image anew"
        )
    return predictor


def line_of(error: Exception) -> str:
    """An error in one line; not for what comes of a request."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
