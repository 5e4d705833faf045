"""Bodies that begin as others did: of these only the rows are read.

A client names the columns of each request anew, in the same bytes. What a body begins with, up to
its rows, is therefore known by the first of them; that the rest of another is one value of JSON
and what closes the two objects makes it the same table with other rows. (Of lists that are nested a
thousand times, which no cell is, two levels more are read then.)
"""

from collections.abc import Sequence
from typing import Any

import orjson

_FORM, _ROWS, _END = "dataframe_split", b'"data"', b"}}"
#: So many beginnings of so many bytes are kept at most, and so many bodies looked at for them.
_MOST, _LONGEST, _TRIES = 4, 16 << 10, 64


class Beginnings:
    """The beginnings that one worker knows, of `dataframe_split` with the schema's columns alone.

    Parameters
    ----------
    names : sequence of str
        The columns, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._table = {_FORM: {"columns": list(names), "data": None}}
        self._known: list[bytes] = []
        self._tries = _TRIES

    def rows(self, body: bytes) -> Any:
        """What is under `data`, if the body begins as one before; else None."""
        for beginning in self._known:
            if body.startswith(beginning) and body.endswith(_END):
                try:
                    return orjson.loads(body[len(beginning) : -len(_END)])
                except orjson.JSONDecodeError:
                    return None
        return None

    def learn(self, body: bytes) -> None:
        """Know the beginning of a body from now on, if only rows come after it."""
        # Threads learn too: one may be past a limit.
        if self._tries <= 0 or len(self._known) >= _MOST or not body.endswith(_END):
            return
        self._tries -= 1
        at = body.find(b"[", max(0, body.rfind(_ROWS, 0, _LONGEST)), _LONGEST)
        try:
            table = orjson.loads(body[:at] + b"null" + _END)
        except orjson.JSONDecodeError:
            return
        if table == self._table and body[:at] not in self._known:
            self._known.append(body[:at])
