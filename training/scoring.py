"""The MLflow model: raw rows in, labels or probabilities out. Loaded by `mlflow.pyfunc`.

A model is a folder: `schema.json`, `members.json` and one skops file a member. A single candidate
is one member of weight 1, the ensemble several. Loading runs no pickle: skops builds the types
that each algorithm's reviewed list names, and nothing else.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.algorithms import TABLE, find
from training.features import conform, decode_target
from training.fit import member_prediction
from training.openmp import provide_openmp
from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

PREDICT_METHODS = ("predict", "predict_proba")


@dataclass(frozen=True)
class Member:
    """One pipeline of a model.

    Attributes
    ----------
    pipeline : Pipeline
        Fitted; takes `features.conform`'s rows.
    weight : float
        Its share of the prediction.
    present : ndarray of int, or None
        The class codes it knows.
    """

    pipeline: Any
    weight: float
    present: np.ndarray | None


class Model:
    """A trained candidate or ensemble with its schema.

    Parameters
    ----------
    folder : Path
        Holds `schema.json`, `members.json` and the members' skops files.
    """

    def __init__(self, folder: Path) -> None:
        self.schema = Schema.read(folder / "schema.json")
        self.members = [
            Member(
                load_pipeline(folder / member["file"], member["candidate"]),
                member["weight"],
                None if member["present"] is None else np.asarray(member["present"]),
            )
            for member in json.loads((folder / "members.json").read_text())
        ]

    @property
    def pipelines(self) -> list[Any]:
        """The members' fitted scikit-learn pipelines; they take `features.conform`'s rows."""
        return [member.pipeline for member in self.members]

    def get_raw_model(self) -> "Model":
        """This object, for `mlflow.pyfunc`'s `get_raw_model()`."""
        return self

    def predict_raw(self, frame: "pd.DataFrame") -> np.ndarray:
        """Numbers (n,), or probabilities (n, k) in the order of `schema.target.classes`."""
        return self.predict_rows(conform(frame, self.schema))

    def predict_rows(self, X: Any) -> np.ndarray:
        """The same of rows that `features.conform` has made."""
        classes = len(self.schema.target.classes or ())
        parts = [
            member.weight * member_prediction(member.pipeline, member.present, X, classes)
            for member in self.members
        ]
        return np.asarray(sum(parts))

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict rows as the user wrote them.

        Parameters
        ----------
        model_input : DataFrame
            The table's columns, the target not needed. More columns are ignored.
        params : dict, optional
            `predict_method`: `predict` (default) or, for classes, `predict_proba`.

        Returns
        -------
        ndarray (n,) of labels or numbers, or DataFrame (n, k) of probabilities with a column a
        class
        """
        import pandas as pd

        method = (params or {}).get("predict_method", PREDICT_METHODS[0])
        if method not in PREDICT_METHODS:
            raise ValueError(f"expected predict_method in {PREDICT_METHODS}, got {method!r}")
        frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(model_input)
        raw = self.predict_raw(frame)
        if self.schema.task == "regression":
            if method == "predict_proba":
                raise ValueError("expected predict_method='predict': a regression has no classes")
            return raw
        if method == "predict_proba":
            labels = [str(label) for label in self.schema.target.classes or ()]
            return pd.DataFrame(raw, columns=labels)
        return decode_target(raw.argmax(axis=1), self.schema)


def load_pipeline(path: Path, candidate: str) -> Any:
    """Read a candidate's pipeline, trusting the types that its algorithm lists."""
    import skops.io

    if candidate not in TABLE:
        raise ValueError(f"expected a candidate's name in members.json, got {candidate!r}")
    if candidate.endswith(":lightgbm"):
        provide_openmp()
    return skops.io.load(path, trusted=list(find(candidate).trusted_types))


def _load_pyfunc(path: str) -> Model:
    """Entry point of `mlflow.pyfunc` for the flavour's `loader_module`."""
    return Model(Path(path))
