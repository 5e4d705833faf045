"""What every candidate of one training sees: the same rows, folds and metric.

A problem is written to a folder once and opened by each candidate's process as memory maps, so
that nine candidates share one copy of the table.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.schema import Feature

Folds = tuple[tuple[np.ndarray, np.ndarray], ...]

#: A categorical feature with more levels than this is target-encoded, not one-hot encoded or split
#: on natively (scikit-learn's histogram trees take at most 255 levels). CatBoost takes any number.
HIGH_CARDINALITY = 50
#: The first training rows, as many as this, are a model's input example.
EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Problem:
    """A table made ready for training.

    Attributes
    ----------
    X, X_test : ndarray of float64 or DataFrame
        Feature rows as `features.conform` returns them: (n_train, p) and (n_test, p).
    y, y_test : ndarray
        Class codes 0…k-1 as int64, or float64 targets.
    folds : tuple of (fit, validation) index arrays
        Positions into `X`.
    groups : ndarray of int64 or None
        The group of each training row, where the split is grouped.
    forward : bool
        Rows are in order of time and folds go forward.
    target_scale : float
        The training targets' standard deviation (regression).
    labels : tuple of str
        The classes as a person reads them, in the order of their codes.
    levels : dict of feature name to tuple of str
        What the codes of the categorical features of few levels stand for.
    fitted : ndarray or None
        The targets of the rows that a pipeline is built for, in `fit`; None stands for all.
    """

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    folds: Folds
    features: tuple[Feature, ...]
    task: str
    classes: int
    metric: str
    seed: int = 0
    groups: np.ndarray | None = None
    forward: bool = False
    target_scale: float = 1.0
    labels: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fitted: np.ndarray | None = None

    @property
    def rows(self) -> int:
        return len(self.y)

    @property
    def y_fitted(self) -> np.ndarray:
        """The targets that a pipeline is fitted on: those of some rows, or all."""
        return self.y if self.fitted is None else self.fitted

    @property
    def classification(self) -> bool:
        return self.task != "regression"

    def positions(self, kind: str, high_cardinality: bool | None = None) -> list[int]:
        """Positions of the features of one kind, in the order of `features`."""
        return [
            i
            for i, feature in enumerate(self.features)
            if feature.kind == kind
            and (
                high_cardinality is None or (feature.levels > HIGH_CARDINALITY) == high_cardinality
            )
        ]


#: Where a training's folder holds its problem.
FOLDER = "problem"


def save(problem: Problem, folder: Path) -> None:
    """Write a problem to a folder, feature rows in the form that maps into memory."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "y.npy", problem.y)
    np.save(folder / "y_test.npy", problem.y_test)
    if problem.groups is not None:
        np.save(folder / "groups.npy", problem.groups)
    for name in ("X", "X_test"):
        _save_rows(getattr(problem, name), folder, name)
    for i, (fit, valid) in enumerate(problem.folds):
        np.save(folder / f"fold-{i}-fit.npy", fit)
        np.save(folder / f"fold-{i}-valid.npy", valid)
    facts = {
        "features": [asdict(feature) for feature in problem.features],
        "task": problem.task,
        "classes": problem.classes,
        "metric": problem.metric,
        "seed": problem.seed,
        "forward": problem.forward,
        "target_scale": problem.target_scale,
        "labels": problem.labels,
        "levels": problem.levels,
    }
    (folder / "problem.json").write_text(json.dumps(facts))


def load(folder: Path) -> Problem:
    """Open a problem that `save` wrote; arrays are read-only memory maps."""
    facts = json.loads((folder / "problem.json").read_text())
    features = tuple(Feature(**feature) for feature in facts.pop("features"))
    count = len(list(folder.glob("fold-*-fit.npy")))
    groups = folder / "groups.npy"
    return Problem(
        X=_load_rows(folder, "X", features),
        X_test=_load_rows(folder, "X_test", features),
        folds=tuple(
            (_open(folder / f"fold-{i}-fit.npy"), _open(folder / f"fold-{i}-valid.npy"))
            for i in range(count)
        ),
        features=features,
        groups=_open(groups) if groups.exists() else None,
        y=_open(folder / "y.npy"),
        y_test=_open(folder / "y_test.npy"),
        **facts,
    )


def take(X: Any, rows: np.ndarray | slice) -> Any:
    """Rows of a feature matrix or frame by position; a view of them if they are a slice."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def example_rows(problem: Problem) -> Any:
    """The feature rows of the model's input example."""
    return take(problem.X, np.arange(min(EXAMPLE_ROWS, problem.rows)))


def fold_rows(problem: Problem, fold: int, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The fitting rows of a fold, at most `limit` of them, and its validation rows.

    A smaller limit's rows are among a larger one's. With folds that go forward in time the rows
    nearest to the validation rows are kept.
    """
    rows, valid = (np.asarray(part) for part in problem.folds[fold])
    if limit is None or limit >= len(rows):
        return rows, valid
    if problem.forward:
        return rows[-limit:], valid
    order = np.random.default_rng(problem.seed + fold).permutation(len(rows))
    return np.sort(rows[order[:limit]]), valid


def _open(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def _save_rows(X: Any, folder: Path, name: str) -> None:
    if not hasattr(X, "iloc"):
        np.save(folder / f"{name}.npy", X)
        return
    texts = [column for column in X.columns if X[column].dtype == object]
    np.save(folder / f"{name}.npy", X.drop(columns=texts).to_numpy(np.float64))
    X[texts].to_feather(folder / f"{name}.feather")


def _load_rows(folder: Path, name: str, features: tuple[Feature, ...]) -> Any:
    numbers = _open(folder / f"{name}.npy")
    texts = folder / f"{name}.feather"
    if not texts.exists():
        return numbers
    import pandas as pd

    frame = pd.DataFrame(
        numbers, columns=[f.name for f in features if f.kind != "text"], copy=False
    )
    read = pd.read_feather(texts)
    for column in read.columns:
        frame[column] = read[column].astype(object).to_numpy()
    return frame[[feature.name for feature in features]]
