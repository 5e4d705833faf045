"""Column names as a table can have them: texts, none of them twice, none empty."""

from collections.abc import Iterable
from typing import Any


def unique_names(names: Iterable[Any]) -> tuple[list[str], list[str]]:
    """Rename what is empty or there twice, the way pandas does.

    Returns
    -------
    names : list of str
        `Unnamed: 0` for an empty first name; `a`, `a.1` for two columns `a`.
    notes : list of str
        What was renamed because it was there twice.
    """
    given = [str(name) if str(name) else f"Unnamed: {i}" for i, name in enumerate(names)]
    taken = set(given)
    seen: set[str] = set()
    notes = []
    for position, name in enumerate(given):
        if name in seen:
            number = 1
            while f"{name}.{number}" in taken:
                number += 1
            given[position] = f"{name}.{number}"
            notes.append(f"there is more than one column {name!r}: one is now {given[position]!r}")
        taken.add(given[position])
        seen.add(given[position])
    return given, notes
