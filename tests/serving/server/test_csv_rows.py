"""CSV is read as pandas reads it at training, with what is malformed refused."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server.csv_rows import CsvReader
from serving.server.errors import Refused
from serving.server.rows import RowReader
from serving.server.tables import Tables
from tests.serving.server.bundles import LEVELS, MIXED, ROW
from training.features import conform
from training.schema import Schema

NAMES = [column.name for column in MIXED.used]


def reader(schema: Schema = MIXED) -> CsvReader:
    return CsvReader(schema, Tables([column.name for column in schema.used], 100))


def read(text: str | bytes, schema: Schema = MIXED) -> np.ndarray:
    body = text if isinstance(text, bytes) else text.encode()
    return RowReader(schema).read(reader(schema).read(body))


ROWS = st.fixed_dictionaries(
    {
        "size [cm]": st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-9, 9)),
        "count": st.one_of(st.none(), st.integers(-(10**6), 10**6)),
        "amount": st.one_of(st.none(), st.sampled_from(["1,234.50", "$3", "x\ny", 'say "no"'])),
        "colour": st.one_of(st.none(), st.sampled_from(["red", "bl<ue", "1", "  red", "ré,d"])),
        "grade": st.one_of(st.none(), st.integers(0, 4)),
        "smoker": st.one_of(st.none(), st.booleans()),
        "joined": st.one_of(st.none(), st.datetimes().map(lambda moment: moment.isoformat())),
        "born": st.one_of(st.none(), st.dates().map(lambda day: day.strftime("%d.%m.%Y"))),
        "more": st.text("ab", max_size=2),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5), st.sampled_from([MIXED, LEVELS]))
def test_as_pandas_reads_it(rows: list[dict[str, Any]], schema: Schema) -> None:
    text = pd.DataFrame(rows, dtype=object).to_csv(index=False)
    strings = {column.name: object for column in schema.used if column.dtype == "string"}
    # MLflow reads columns of strings so; others make it fail, and are read here as pandas does.
    frame = pd.read_csv(io.StringIO(text), dtype=strings)
    np.testing.assert_array_equal(read(text, schema), conform(frame, schema))


def test_columns_in_any_order_with_spaces_and_bom() -> None:
    text = ",".join(reversed(NAMES)) + "\n" + "31.12.1980,2020-01-02,yes,2.0,red,$1, 3,1.5\n\n  \n"
    expected = read(",".join(NAMES) + "\r\n1.5,3,1,red,2,True,2020-01-02,31.12.1980")
    np.testing.assert_array_equal(read(text), expected)
    np.testing.assert_array_equal(read(b"\xef\xbb\xbf" + text.encode()), expected)


def test_markers_are_those_of_the_schema() -> None:
    line = ",".join(NAMES) + "\n?,-999,NA,?,-999,NULL,nan,None"
    assert np.isnan(read(line, LEVELS)).all()


def test_a_number_is_a_level_however_it_is_written() -> None:
    head = ",".join(NAMES)
    found = read(head + "".join(f"\n,,,1,{grade},,," for grade in ("2", "2.0", "02", " 2", "2_0")))
    place = [feature.name for feature in MIXED.features].index("grade")
    np.testing.assert_array_equal(found[:, place], [1, 1, 1, 1, np.nan])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "csv"),
        ("\n\n", "csv"),
        (",".join(NAMES), "rows"),
        (",".join(NAMES) + "\n1,2", "rows"),
        (",".join(NAMES) + "\n1,2,3,4,5,6,7,8,9", "rows"),
        (",".join([*NAMES, "count"]) + "\n1,2,3,4,5,6,7,8,9", "columns"),
        ("count\n1", "columns"),
        (",".join(NAMES) + '\n"1,2,3,4,5,6,7,8', "csv"),
        (b"\xff\xfe", "csv"),
    ],
)
def test_refused(text: str | bytes, kind: str) -> None:
    body = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(Refused) as refused:
        reader().read(body)
    assert (refused.value.status, refused.value.kind) == (400, kind)


def test_long_fields_are_read() -> None:
    long = "x" * 200_000
    assert np.isnan(read(",".join(NAMES) + f"\n,,,{long},,,,")).all()


def test_too_many_rows() -> None:
    line = "\n" + ",".join(str(value).replace(",", "") for value in ROW.values())
    with pytest.raises(Refused) as refused:
        reader().read((",".join(NAMES) + line * 101).encode())
    assert refused.value.status == 413
