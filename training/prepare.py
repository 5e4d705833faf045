"""A table becomes what all candidates are trained on: the schema, the split, the rows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import UserError
from training.evaluate import choose_metric
from training.features import conform, drop_unlabelled, encode_target
from training.infer import infer_schema
from training.leaks import find_leaks
from training.problem import EXAMPLE_ROWS, HIGH_CARDINALITY, Folds, Problem, take
from training.profile import columns_json
from training.request import Request
from training.schema import Schema
from training.split import make_split, row_hashes
from training.subject import Subject
from training.table import Table

#: Validation rows of a fold beyond this number say nothing more and cost every candidate time.
_VALIDATION_ROWS = 20_000


@dataclass(frozen=True)
class Prepared:
    """A table made ready.

    Attributes
    ----------
    problem : Problem
    subject : Subject
    train, test : ndarray of int64
        Positions of the problem's rows among the table's rows that have a target.
    hashes : ndarray of uint64
        A hash of the content of each such row (see `split.row_hashes`).
    notes, warnings : list of str
        What was dropped or reinterpreted; what the user should look into.
    """

    problem: Problem
    subject: Subject
    train: np.ndarray
    test: np.ndarray
    hashes: np.ndarray
    notes: list[str]
    warnings: list[str]


def prepare(request: Request, table: Table) -> Prepared:
    """Infer the schema, bring the rows into its form, split them, look for leaks.

    Raises
    ------
    UserError
        The table cannot be trained on as asked.
    """
    override = _read_override(request.schema) if request.schema else {}
    schema, notes = infer_schema(
        table,
        request.target or None,
        task=request.task,
        group=request.group or None,
        time=request.time or None,
        na_values=request.na_values,
        override=override,
    )
    metric = choose_metric(request.metric, schema.task)
    frame = drop_unlabelled(table.frame, schema)
    y = encode_target(frame[schema.target.name], schema)
    split = make_split(y, schema, frame, request.test_size, request.folds, request.seed)
    X = conform(frame, schema)
    warnings = find_leaks(X, y, schema, split)
    used = [column.name for column in schema.used]
    problem = Problem(
        X=take(X, split.train),
        y=y[split.train],
        X_test=take(X, split.test),
        y_test=y[split.test],
        folds=_bounded(split.folds, request.seed),
        features=schema.features,
        task=schema.task,
        classes=len(schema.target.classes or ()),
        metric=metric,
        seed=request.seed,
        groups=_groups(frame, schema, split.train),
        forward=schema.time is not None,
        target_scale=float(np.std(y[split.train])) if schema.task == "regression" else 1.0,
        labels=tuple(str(label) for label in schema.target.classes or ()),
        levels={
            column.name: column.levels
            for column in schema.used
            if column.kind == "categorical" and len(column.levels) <= HIGH_CARDINALITY
        },
    )
    example = frame.iloc[split.train[:EXAMPLE_ROWS]][used].reset_index(drop=True)
    profile = columns_json(X, frame, schema)
    subject = Subject(table.name, table.source, schema, metric, example, profile)
    return Prepared(
        problem,
        subject,
        split.train,
        split.test,
        row_hashes(frame),
        [*table.notes, *notes],
        warnings,
    )


def _read_override(path: str) -> dict[str, Any]:
    try:
        override = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"expected a schema file at {path!r}, got: {error.strerror}; correct schema="
        ) from None
    except ValueError as error:
        raise UserError(f"expected JSON in {path!r}, got: {error}") from None
    if not isinstance(override, dict):
        raise UserError(f"expected a JSON object in {path!r}, got {type(override).__name__}")
    return override


def _bounded(folds: Any, seed: int) -> Folds:
    rng = np.random.default_rng(seed)
    return tuple(
        (
            np.asarray(fit),
            np.sort(rng.permutation(valid)[:_VALIDATION_ROWS])
            if len(valid) > _VALIDATION_ROWS
            else np.asarray(valid),
        )
        for fit, valid in folds
    )


def _groups(frame: Any, schema: Schema, train: np.ndarray) -> np.ndarray | None:
    if schema.group is None:
        return None
    import pandas as pd

    codes, _ = pd.factorize(frame[schema.group].iloc[train], use_na_sentinel=False)
    return np.asarray(codes, dtype=np.int64)
