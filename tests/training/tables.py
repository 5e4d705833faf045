"""Tables with one column of every kind, and cells of every type, for the tests of this folder."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from training.infer import infer_schema
from training.schema import Schema
from training.table import Table, table_from

#: Anything that a table's cell, or a request's field, may hold.
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        ["1", "0.5", " 2 ", "true", "No", "2020-01-02", "red", "NA", "-999", "1_0", "inf"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.none(), max_size=1),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.binary(max_size=3),
    st.just(pd.NA),
    st.just(pd.NaT),
)


def mixed_frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """A column of every kind, some with gaps, and a binary target."""
    rng = np.random.default_rng(seed)
    words = np.array(["lorem", "ipsum", "dolor", "sit", "amet", "elit"])
    frame = pd.DataFrame(
        {
            "id": rng.permutation(rows),
            "size [cm]": rng.normal(170, 10, rows).round(1),
            "count": rng.integers(0, 50, rows),
            "colour": rng.choice(["red", "green", "bl<ue"], rows),
            "smoker": rng.random(rows) < 0.3,
            "joined": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 9000, rows), "h"),
            "born": [
                f"{d:02d}.{m:02d}.19{y}"
                for d, m, y in zip(
                    rng.integers(1, 29, rows),
                    rng.integers(1, 13, rows),
                    rng.integers(50, 99, rows),
                    strict=True,
                )
            ],
            "note": [" ".join(rng.choice(words, 6)) + f" {i}" for i in range(rows)],
            "constant": "same",
            "y": np.where(rng.random(rows) < 0.4, "yes", "no"),
        }
    )
    for name in ("size [cm]", "colour", "joined", "born", "note"):
        frame.loc[rng.random(rows) < 0.1, name] = None
    return frame


def inferred(
    frame: pd.DataFrame, target: str | None = "y", **more: Any
) -> tuple[Table, Schema, list[str]]:
    """A table of the frame with its schema and notes."""
    table = table_from(frame)
    schema, notes = infer_schema(table, target, **more)
    return table, schema, notes
