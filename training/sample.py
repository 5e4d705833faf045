"""A few rows and what the model made of them when it was trained.

A copy of the model must predict the same anywhere: after it was moved, loaded by other versions of
the libraries, compiled, or put into an image.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: Beside the model's `schema.json`.
FILE = "sample.json"


def write_sample(path: Path, rows: "pd.DataFrame", predictions: np.ndarray) -> None:
    """Write the rows as JSON records, and the predictions as numbers.

    Parameters
    ----------
    path : Path
    rows : DataFrame, shape (n, p)
        As the user has them; moments are written in ISO 8601, what is missing or infinite as null.
    predictions : ndarray, shape (n,) or (n, k)
        Values, or a probability for each class.
    """
    records = [
        {str(name): _plain(value) for name, value in zip(rows.columns, values, strict=True)}
        for values in rows.itertuples(index=False, name=None)
    ]
    sample = {"rows": records, "predictions": predictions.tolist()}
    path.write_text(json.dumps(sample, ensure_ascii=False), encoding="utf-8")


def read_sample(path: Path) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Read what `write_sample` wrote: records, and predictions of shape (n,) or (n, k)."""
    sample = json.loads(path.read_text(encoding="utf-8"))
    return sample["rows"], np.asarray(sample["predictions"], dtype=np.float64)


def _plain(value: Any) -> Any:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)
