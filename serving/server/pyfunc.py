"""A model that Sixfold has not trained, as `mlflow.pyfunc` loads it: what it makes of requests.

MLflow itself reads requests, holds them against the signature and writes the answers, by the
functions of its own server: every valid request has the same answer as there. Parquet alone is
refused: no limit on its bytes is one on the memory that it takes.
"""

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.server.bundle import PyfuncBundle, line_of
from serving.server.errors import Refused, Unservable, bad_request, where
from serving.server.pyfunc_reader import Asked, PyfuncReader
from serving.server.settings import Settings

if TYPE_CHECKING:
    from serving.server.spoken import Spoken

_log = logging.getLogger("sixfold")


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
    reader : PyfuncReader
    first : Found or None
        What it made of its example; None if it refuses one that was made of its signature.
    """

    def __init__(self, bundle: PyfuncBundle) -> None:
        # Imported now: once the model is loaded, its own code may be what is called like ours.
        from serving.server.pyfunc_spoken import pyfunc_spoken

        self._bundle = bundle
        self._spoken = pyfunc_spoken
        try:
            import_mlflow()
            from mlflow.pyfunc import load_model

            folder = bundle.folder / "model"
            _make_room(folder / "code")
            self._model = load_model(str(folder))
            self.reader = PyfuncReader(bundle.signature, self._model.metadata)
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

        # The first of MLflow's versions know of no params.
        params = {"params": rows.params} if rows.params is not None else {}
        try:
            return Found(self._model.predict(rows.data, **params), rows.count)
        except MlflowException as error:
            raise self.reader.unfit(error) from None
        except Exception as error:  # noqa: BLE001  the model's own, of any kind
            _log.warning("the model failed: %s", where(error))
            raise bad_request(
                "model", "expected rows that the model can predict; the server's log says where"
            ) from None

    def to_json(self, found: Found) -> bytes:
        """An answer of MLflow's scoring protocol.

        Raises
        ------
        Refused
            400: the model has made something of these rows that cannot be written.
        """
        with writing():
            return _written(found.value)


@contextmanager
def writing() -> Iterator[None]:
    """Write what a model has predicted.

    Raises
    ------
    Refused
        400: it cannot be written, which is the model's fault.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001  of NumPy, pandas and JSON
        _log.warning("the model's predictions cannot be written: %s", where(error))
        raise bad_request(
            "model", "expected rows of which the model makes predictions that can be written"
        ) from None


def load_pyfunc(bundle: PyfuncBundle) -> PyfuncPredictor:
    """Load the model and have it answer its example.

    Raises
    ------
    Unservable
        It cannot be loaded, or does not answer.
    """
    predictor = PyfuncPredictor(bundle)
    try:
        predictor.first = predictor.predict(predictor.reader.from_json(bundle.example))
        _written(predictor.first.value)
    except Refused as error:
        if not bundle.is_made:
            raise Unservable(
                f"expected predictions of the model's input example, got: {error.message}"
            ) from None
    except Exception as error:  # noqa: BLE001  as above
        raise Unservable(f"expected predictions to write, got {line_of(error)}") from None
    return predictor


def import_mlflow() -> None:
    """MLflow's part that loads models, told before that it serves and is to send nothing."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # As its own server has it.
    os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
    with warnings.catch_warnings():
        # The base names the version that it has in place of MLflow; the model brings its own.
        warnings.filterwarnings("ignore", "Versions of mlflow")
        import mlflow.pyfunc
        import mlflow.pyfunc.scoring_server  # noqa: F401


def _written(predictions: Any) -> bytes:
    from mlflow.pyfunc.scoring_server import predictions_to_json

    text = io.StringIO()
    predictions_to_json(predictions, text)
    return text.getvalue().encode()


def _make_room(code: Path) -> None:
    """Forget our modules that are called like the model's own, which are imported now."""
    own = {path.stem for path in code.iterdir()} if code.is_dir() else set()
    for name in [name for name in sys.modules if name.partition(".")[0] in own - {"mlflow"}]:
        del sys.modules[name]
