"""The target's labels and the task they make."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.errors import UserError, nearest
from training.kinds import FEW, distinct_texts, looks_numeric, stored_as
from training.schema import TASKS, Label, Target
from training.values import parse_number, to_booleans, to_numbers

MIN_ROWS = 10
_FEW_SHARE = 0.05  # of the rows, up to which few distinct whole numbers are classes
_FLOAT_CLASSES = 10  # stored as floats, fewer distinct whole numbers are taken for classes


@dataclass(frozen=True)
class _Labels:
    """A target's distinct labels and how many rows have each."""

    kind: str
    distinct: list[Label]
    counts: np.ndarray

    @property
    def rows(self) -> int:
        return int(self.counts.sum())


def infer_target(name: str, values: pd.Series, task: str) -> tuple[str, Target, list[str]]:
    """Find the task and the classes.

    Parameters
    ----------
    name : str
    values : Series, shape (n,)
        With gaps; what counts as missing is missing already.
    task : str
        'auto' or one of `schema.TASKS`, which then wins.

    Returns
    -------
    task : str
    target : Target
    notes : list of str

    Raises
    ------
    UserError
        Fewer than ten rows have a target, it is the same in all, or it does not go with the task.
    """
    if task not in ("auto", *TASKS):
        raise UserError(f"expected a task, got {task!r}; {nearest(task, ('auto', *TASKS))}")
    stored = stored_as(values)
    if stored in ("moment", "nested"):
        held = "dates" if stored == "moment" else "lists or objects"
        raise UserError(
            f"expected a target of numbers or classes, got {name!r}, which holds {held}; choose "
            f"another column"
        )
    numeric, notes = _numeric(name, values, stored, task)
    labels = _number_labels(values) if numeric else _class_labels(values, stored)
    if labels.rows < MIN_ROWS:
        raise UserError(
            f"expected at least {MIN_ROWS} rows with a target, got {labels.rows} with {name!r}; "
            f"give a larger table or another target"
        )
    if len(labels.distinct) == 1:
        raise UserError(
            f"expected at least two classes or values, got only {labels.distinct[0]!r} in the "
            f"target {name!r}; give a table with others, or another target"
        )
    if task == "regression" or (task == "auto" and numeric and not _few(labels, values)):
        return "regression", Target(name, "float" if labels.kind == "float" else "integer"), notes
    if task == "auto" and numeric and len(labels.distinct) > 2:
        notes.append(
            f"target {name!r} has {len(labels.distinct)} different whole numbers, taken as "
            f"classes; task=regression predicts them as numbers"
        )
    return _classification(name, labels, task, notes)


def _numeric(name: str, values: pd.Series, stored: str, task: str) -> tuple[bool, list[str]]:
    """Whether the target's values are numbers, texts that are numbers included."""
    if stored == "number":
        infinite = int(np.isnan(to_numbers(values)).sum() - values.isna().sum())
        lost = f"{infinite:,} rows whose target is infinite dropped"
        return True, [lost] if infinite else []
    texts, counts = distinct_texts(values) if stored == "text" else ([], np.zeros(0, int))
    words = [text for text in texts if np.isnan(parse_number(text))]
    all_numbers = task == "regression" and bool(texts) and not words
    if all_numbers or (task in ("auto", "regression") and texts and looks_numeric(texts, counts)):
        shown = ", ".join(map(repr, words[:3]))
        lost = f"target {name!r} is read as numbers; rows with {shown} dropped"
        return True, [lost] if words else []
    if task == "regression":
        held = ", ".join(map(repr, words[:3])) or "booleans"
        raise UserError(
            f"expected a numeric target for task=regression, got {name!r} with {held}; choose "
            f"another target, or task=auto"
        )
    return False, []


def _number_labels(values: pd.Series) -> _Labels:
    numbers = to_numbers(values)
    there = numbers[~np.isnan(numbers)]
    distinct, counts = np.unique(there, return_counts=True)
    whole = bool((distinct == np.floor(distinct)).all())
    # Whole numbers become floats in a column with gaps: the user wrote 1, not 1.0. In a column
    # without gaps they are floats only if they were written so.
    as_written = pd.api.types.is_float_dtype(values.dtype) and len(there) == len(values)
    if whole and not as_written:
        return _Labels("integer", [int(number) for number in distinct], counts)
    return _Labels("float", [float(number) for number in distinct], counts)


def _class_labels(values: pd.Series, stored: str) -> _Labels:
    if stored == "boolean":
        truths = to_booleans(values)
        counts = np.array([(truths == 0).sum(), (truths == 1).sum()])
        return _Labels("boolean", [bool(i) for i in np.flatnonzero(counts)], counts[counts > 0])
    texts, counts = distinct_texts(values)
    order = np.argsort(np.array(texts, dtype=object), kind="stable")
    return _Labels("string", [texts[i] for i in order], counts[order])


def _few(labels: _Labels, values: pd.Series) -> bool:
    """Whether numbers are few enough, for their rows, to be classes."""
    count = len(labels.distinct)
    if any(number != int(number) for number in labels.distinct):
        return False
    if pd.api.types.is_float_dtype(values.dtype) and count > _FLOAT_CLASSES:
        return False
    small = count <= 5 and labels.rows >= 4 * count
    return count == 2 or small or (count <= FEW and count <= _FEW_SHARE * labels.rows)


def _classification(
    name: str, labels: _Labels, task: str, notes: list[str]
) -> tuple[str, Target, list[str]]:
    count = len(labels.distinct)
    shown = ", ".join(repr(label) for label in labels.distinct[:4]) + (", …" if count > 4 else "")
    if count > max(FEW, labels.rows / 2):
        raise UserError(
            f"expected classes that repeat, got {count:,} different values in {labels.rows:,} rows "
            f"of the target {name!r} ({shown}); choose another target"
        )
    if task == "binary" and count != 2:
        raise UserError(
            f"expected two classes for task=binary, got {count} in {name!r} ({shown}); use "
            f"task=multiclass"
        )
    if task == "multiclass" and count == 2:
        raise UserError(
            f"expected three or more classes for task=multiclass, got 2 in {name!r} ({shown}); use "
            f"task=binary"
        )
    if alone := [
        label for label, rows in zip(labels.distinct, labels.counts, strict=True) if rows == 1
    ]:
        notes.append(
            f"{len(alone)} of the classes of {name!r} have one row each, used only to train: "
            f"{', '.join(map(repr, alone[:5]))}{', …' if len(alone) > 5 else ''}"
        )
    found = "binary" if count == 2 else "multiclass"
    return found, Target(name, labels.kind, labels.distinct), notes
