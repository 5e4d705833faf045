"""What the plots of one candidate are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.ranking import Ranking, rank

#: More scores (rows times classes) than this and the curves are drawn from a sample of the rows.
MOST_SCORES = 1_000_000


@dataclass(frozen=True)
class PlotData:
    """A finished candidate as its plots see it; no value is missing.

    Attributes
    ----------
    candidate : str
        Its name on the leaderboard.
    task : str
        `regression`, `binary` or `multiclass`.
    classes : sequence of str
        Labels in the order of their codes; empty for regression.
    y : ndarray, shape (n,)
        Test rows: class codes, or values.
    prediction : ndarray, shape (n,) or (n, k)
        Predicted values, or a probability for each class.
    importance : sequence of (feature, mean, standard deviation)
        How much the metric gets worse when the feature's values are shuffled.
    coefficients : sequence of (feature, coefficient) or None
        For linear models.
    learning : sequence of (training rows, mean score, spread)
    metric : str
        The selection metric's name.
    target : str, default "target"
        The target's name.

    Raises
    ------
    ValueError
        If `prediction` has not the shape that `y` and `classes` ask for.
    """

    candidate: str
    task: str
    classes: Sequence[str]
    y: np.ndarray
    prediction: np.ndarray
    importance: Sequence[tuple[str, float, float]]
    coefficients: Sequence[tuple[str, float]] | None
    learning: Sequence[tuple[int, float, float]]
    metric: str
    target: str = "target"

    def __post_init__(self) -> None:
        n = len(self.y)
        expected = (n, len(self.classes)) if self.classification else (n,)
        if self.prediction.shape != expected:
            raise ValueError(
                f"expected predictions of shape {expected}, got {self.prediction.shape}; "
                "give one value a test row for regression, one probability a class otherwise"
            )

    @property
    def classification(self) -> bool:
        return self.task != "regression"

    @property
    def about(self) -> str:
        """The note under each plot's title."""
        return f"{self.candidate}, {len(self.y):,} test rows"

    @property
    def about_ranking(self) -> str:
        """The note of what is drawn from `rankings`."""
        said = self.about
        if len(self.ranked_rows) < len(self.y):
            said += f", {len(self.ranked_rows):,} of them sampled"
        if self.task == "multiclass" and len(self.rankings) < len(self.classes):
            said += f"; absent classes: {len(self.classes) - len(self.rankings)}"
        return said

    @property
    def about_rows(self) -> str:
        """The note of what shows `shown_rows`."""
        if len(self.shown_rows) == len(self.y):
            return self.about
        return f"{self.about}; shown: {len(self.shown_rows):,}, the largest residuals included"

    @cached_property
    def decided(self) -> np.ndarray:
        """The code of the most probable class of each test row."""
        return self.prediction.argmax(axis=1)

    @cached_property
    def residuals(self) -> np.ndarray:
        """Actual minus predicted values."""
        return self.y - self.prediction

    @cached_property
    def ranked_rows(self) -> np.ndarray:
        """Positions of the test rows that `rankings` looked at."""
        return sample(len(self.y), max(1000, MOST_SCORES // len(self._ranked_codes)))

    @cached_property
    def rankings(self) -> list[tuple[str, Ranking]]:
        """Each class's label and how its probability ranks the test rows against all others.

        The second class alone for a binary task. A class that no test row or every test row
        belongs to has no ranking.
        """
        rows = self.ranked_rows
        every = len(rows) == len(self.y)
        y, scores = (self.y, self.prediction) if every else (self.y[rows], self.prediction[rows])
        ranked = (
            (str(self.classes[code]), rank(scores[:, code], y == code))
            for code in self._ranked_codes
        )
        return [(label, ranking) for label, ranking in ranked if ranking is not None]

    @property
    def _ranked_codes(self) -> Sequence[int]:
        return [1] if self.task == "binary" else range(len(self.classes))

    @cached_property
    def shown_rows(self) -> np.ndarray:
        """Positions of the test rows a scatter plot shows: a sample and the largest residuals."""
        n, most, extremes = len(self.y), 1200, 20
        if n <= most:
            return np.arange(n)
        largest = np.argpartition(np.abs(self.residuals), n - extremes)[-extremes:]
        return np.union1d(sample(n, most - extremes), largest)


def sample(n: int, most: int) -> np.ndarray:
    """Positions of at most `most` of `n` rows, in order, the same ones at every call."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False, shuffle=False))
