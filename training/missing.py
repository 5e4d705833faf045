"""What counts as missing in a table: the usual markers, and what the user adds or takes away.

The grammar of `na_values` is a comma list: `?,-999` adds two markers; `keep:NA` takes a usual
marker away, so that it is a value like any other.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

#: The markers of pandas' CSV reader.
USUAL = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)


@dataclass(frozen=True)
class Missing:
    """The markers of one table.

    Parameters
    ----------
    added : frozenset of str
        Missing in any column of any table.
    numbers : tuple of float
        Those of `added` that are finite numbers: -999 is also missing where it is stored as -999.0.
    markers : frozenset of str
        Missing where a table is text (CSV, TSV): the usual ones and the added, less the kept.
    """

    added: frozenset[str]
    numbers: tuple[float, ...]
    markers: frozenset[str]

    def marks(self, text: str) -> bool:
        """Whether a text is an added marker; spaces around it do not count."""
        return text.strip() in self.added


@lru_cache(maxsize=64)
def parse_missing(na_values: str) -> Missing:
    """Read the grammar of `na_values`; no text is wrong."""
    items = [item.strip() for item in na_values.split(",")]
    kept = {item.removeprefix("keep:") for item in items if item.startswith("keep:")}
    added = frozenset(item for item in items if item and not item.startswith("keep:"))
    numbers = tuple(sorted({value for item in added if (value := _number(item)) is not None}))
    return Missing(added, numbers, (USUAL | added) - kept)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
