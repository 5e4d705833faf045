"""A synthetic table of any length: numbers, categories, gaps, and a target that can be learned."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TARGET = "bought"
_NUMBERS = 12
_CATEGORIES = {"colour": 6, "plan": 12, "region": 40}
_MANY_LEVELS = ("postcode", 900)
_MISSING = 0.03


def synthetic_table(rows: int, seed: int = 0) -> "pd.DataFrame":
    """Make a table for binary classification.

    Parameters
    ----------
    rows : int
    seed : int, default 0
        A longer table has other rows, not more of the same.

    Returns
    -------
    DataFrame
        12 numbers, 3 categories of few levels, 1 of 900, with 3 % missing, and the target `bought`,
        about a third of it true. No column tells the target alone.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, rows])
    numbers = rng.normal(size=(rows, _NUMBERS))
    numbers[:, 4] = np.exp(numbers[:, 4])
    numbers[:, 5] = np.round(numbers[:, 5] * 10)
    score = numbers[:, 0] - 0.7 * numbers[:, 1] * numbers[:, 2] + np.sin(2 * numbers[:, 3])
    numbers[rng.random(numbers.shape) < _MISSING] = np.nan
    columns: dict[str, object] = {f"x{i}": numbers[:, i] for i in range(_NUMBERS)}
    for name, levels in [*_CATEGORIES.items(), _MANY_LEVELS]:
        # Effects belong to the levels, so that tables of all lengths pose the same problem.
        effects = np.random.default_rng([seed, levels]).normal(scale=0.6, size=levels)
        shares = 1 / np.arange(2, levels + 2)
        codes = rng.choice(levels, size=rows, p=shares / shares.sum())
        score += effects[codes]
        values = np.array([f"{name}-{code:04}" for code in range(levels)], dtype=object)[codes]
        values[rng.random(rows) < _MISSING] = None
        columns[name] = pd.Series(values, dtype="str")
    score += rng.logistic(size=rows)
    columns[TARGET] = np.where(score > 1.0, "yes", "no")
    return pd.DataFrame(columns).astype({TARGET: "str"})


def write_table(path: Path, rows: int, seed: int = 0) -> int:
    """Write such a table as Parquet. Returns its size in memory in bytes, as pandas counts it."""
    table = synthetic_table(rows, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)
    return int(table.memory_usage(deep=True).sum())
