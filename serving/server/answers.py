"""What a model computed becomes what the user reads: numbers, labels as they wrote them, shares."""

from typing import Any

import numpy as np

from training.schema import Schema

PREDICT, PREDICT_PROBA = "predict", "predict_proba"

#: What a label is, as `training.features.decode_target` has it.
_TYPES = {"integer": int, "float": float, "boolean": bool, "string": str}


class Answers:
    """Decodes the predictions of one schema.

    Attributes
    ----------
    methods : tuple of str
        What can be asked for; regressions have no `predict_proba`.
    labels : list
        The classes as the user wrote them, [] for regression.
    names : list of str
        The classes as the columns of probabilities are called.
    """

    def __init__(self, schema: Schema) -> None:
        classes = schema.target.classes
        both = (PREDICT, PREDICT_PROBA)
        self.methods: tuple[str, ...] = both[:1] if classes is None else both
        write = _TYPES[schema.target.kind]
        self.labels: list[Any] = [write(item) for item in classes or ()]
        self.names = [str(item) for item in classes or ()]

    def predicted(self, raw: np.ndarray) -> list[Any]:
        """Numbers or labels, one a row."""
        if not self.labels:
            return raw.tolist()
        labels = self.labels
        if len(raw) == 1:  # in half the time
            return [labels[raw.argmax()]]
        return [labels[code] for code in raw.argmax(axis=1).tolist()]

    def records(self, raw: np.ndarray) -> list[dict[str, float]]:
        """A record of probabilities a row, as MLflow writes a table."""
        names = self.names
        return [dict(zip(names, row, strict=True)) for row in raw.tolist()]
