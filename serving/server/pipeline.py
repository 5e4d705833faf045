"""A version that has no compiled form: its own pipelines predict, by the code that it carries.

Its image has scikit-learn and pandas, and the model's `training` before the server's on the path.
"""

from typing import Any

import numpy as np

from serving.server.bundle import Bundle
from serving.server.cells import Cells
from serving.server.errors import Unservable


class PipelinePredictor:
    """The model's scikit-learn pipelines."""

    def __init__(self, bundle: Bundle) -> None:
        try:
            from training.scoring import Model

            self._model = Model(bundle.folder / "model" / "data" / "model")
        except Exception as error:  # noqa: BLE001  libraries of all kinds
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise Unservable(f"expected pipelines that load, got {reason}") from None
        self._names = [column.name for column in bundle.schema.used]

    def read(self, cells: Cells) -> np.ndarray:
        """The cells as objects, (n, columns): what they mean is the model's to find out."""
        rows = np.empty((cells.count, len(self._names)), object)
        for at, column in enumerate(cells.columns()):
            rows[:, at] = _objects(column)
        return rows

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """As `Predictor.predict`."""
        import pandas as pd

        return np.asarray(self._model.predict_raw(pd.DataFrame(rows, columns=self._names)))


def _objects(cells: Any) -> np.ndarray:
    """One object a cell; a list in a cell is no dimension."""
    column = np.empty(len(cells), object)
    for at, cell in enumerate(cells):
        column[at] = cell
    return column
