"""CSV and TSV files, most of them against what pandas wrote."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import UserError
from training.formats import delimited, read_file
from training.missing import parse_missing

_PLAIN = parse_missing("")

_TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=12
)
_CELLS = {
    "whole": st.integers(-(2**53), 2**53),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "word": _TEXTS.map(lambda text: "w" + text),
    "truth": st.booleans(),
}


@st.composite
def _frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(sorted(_CELLS)), min_size=2, max_size=5))
    names = draw(
        st.lists(
            _TEXTS.map(lambda text: "n" + text),
            min_size=len(kinds),
            max_size=len(kinds),
            unique=True,
        )
    )
    columns = {
        name: draw(st.lists(_CELLS[kind], min_size=rows, max_size=rows))
        for name, kind in zip(names, kinds, strict=True)
    }
    return pd.DataFrame(columns)


def _read(folder: Path, text: str | bytes, na_values: str = "") -> pd.DataFrame:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, parse_missing(na_values), "table.csv")[0]


@settings(max_examples=150, deadline=None)
@given(frame=_frames(), separator=st.sampled_from(list(delimited.SEPARATORS)))
def test_what_pandas_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame, separator: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    frame.to_csv(path, index=False, sep=separator)
    read, notes = read_file(path, _PLAIN, "table.csv")
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert notes == []


@pytest.mark.parametrize("separator", list(delimited.SEPARATORS))
def test_separator_is_found_though_texts_hold_the_others(tmp_path: Path, separator: str) -> None:
    text = '"a,b;c|d\te, f; g| h\t"'
    rows = [f"1{separator}{text}", f"2{separator}{text}"]
    frame = _read(tmp_path, "\n".join([f"x{separator}text", *rows]))
    assert frame.columns.tolist() == ["x", "text"]
    assert frame["text"].tolist() == [text.strip('"')] * 2


def test_rows_that_all_hold_another_separator_do_not_mislead(tmp_path: Path) -> None:
    frame = _read(tmp_path, "id,path\n" + "".join(f"{i},a|b|c|{i}\n" for i in range(20)))
    assert frame.columns.tolist() == ["id", "path"]


def test_a_separator_that_the_header_holds_is_likelier(tmp_path: Path) -> None:
    """By `;` the only row has one field more than the header, as where row names have no name."""
    frame = _read(tmp_path, "n\tm\nw;\t0.5\n")
    assert frame.columns.tolist() == ["n", "m"]


def test_decimal_comma(tmp_path: Path) -> None:
    frame = _read(tmp_path, "a;b;c\n1,5;x;3\n-2,25;y, z;4\n")
    assert frame["a"].tolist() == [1.5, -2.25]
    assert frame["b"].tolist() == ["x", "y, z"]


def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert _read(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n").columns.tolist() == ["a", "b"]


def test_quoted_name_after_a_byte_order_mark(tmp_path: Path) -> None:
    frame = _read(tmp_path, '\ufeff"a, x",b\n1,2\n')
    assert frame.columns.tolist() == ["a, x", "b"]
    assert frame.iloc[0].tolist() == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    frame = _read(tmp_path, "größe,wert\ngroß,1\nklein – „so“,2\n".encode(encoding))
    assert frame.columns.tolist() == ["größe", "wert"]
    assert frame["größe"].tolist() == ["groß", "klein – „so“"]


def test_a_byte_that_is_not_utf8_far_behind_the_sample(tmp_path: Path) -> None:
    text = b"a,b\n" + b"".join(b"%d,word\n" % i for i in range(60_000)) + b"1,caf\xe9\n"
    assert _read(tmp_path, text)["b"].iloc[-1] == "café"


def test_line_breaks_inside_quotes(tmp_path: Path) -> None:
    frame = _read(tmp_path, 'a,b\n"one\ntwo\r\nthree",1\n"say ""x""",2\n')
    assert frame["a"].tolist() == ["one\ntwo\r\nthree", 'say "x"']


def test_names_that_are_there_twice_or_empty(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,a,,a.1,7\n1,2,3,4,5\n")
    frame, notes = read_file(path, _PLAIN, "t.csv")
    assert frame.columns.tolist() == ["a", "a.2", "Unnamed: 2", "a.1", "7"]
    assert notes == ["there is more than one column 'a': one is now 'a.2'"]
    assert frame.iloc[0].tolist() == [1, 2, 3, 4, 5]


def test_rows_with_one_field_more_than_the_header(tmp_path: Path) -> None:
    named = _read(tmp_path, "a,b\nr1,1,2\nr2,3,4\n")
    assert named.columns.tolist() == ["Unnamed: 0", "a", "b"]
    trailing = _read(tmp_path, "a,b\n1,2,\n3,4,\n")
    assert trailing[["a", "b"]].to_numpy().tolist() == [[1, 2], [3, 4]]


def test_short_rows_are_filled_and_long_ones_refused(tmp_path: Path) -> None:
    assert _read(tmp_path, "a,b,c\n1,2,3\n4,5\n")["c"].isna().tolist() == [False, True]
    with pytest.raises(UserError, match=r"line 3, saw 4"):
        _read(tmp_path, "a,b,c\n1,2,3\n4,5,6,7\n1,2,3\n")


def test_a_type_is_found_over_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pieces of a thousand rows: what is a number in the first is a word in the last.
    monkeypatch.setattr(delimited, "_CELLS", 1)
    rows = [f"{i:05d},{i},{i % 2 == 0},,{i}" for i in range(2500)]
    frame = _read(tmp_path, "\n".join(["torn,whole,truth,late,real", *rows, "end,1,True,word,0.5"]))
    assert frame["torn"].iloc[0] == "00000"
    assert frame["torn"].iloc[-1] == "end"
    assert frame["whole"].dtype == np.int64
    assert frame["truth"].dtype == bool
    assert frame["late"].notna().sum() == 1
    assert frame["real"].dtype == np.float64
    assert len(frame) == 2501


def test_columns_that_change_between_truths_numbers_and_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "_CELLS", 1)
    rows = ["True,1"] * 1000 + [",2"] * 1000 + ["False,True"] * 1000
    frame = _read(tmp_path, "\n".join(["gaps,torn", *rows]))
    assert frame["gaps"].isna().sum() == 1000
    assert set(frame["gaps"].dropna()) == {True, False}
    assert frame["torn"].unique().tolist() == ["1", "2", "True"]


def test_markers_of_missing_values(tmp_path: Path) -> None:
    text = "x,y,z\n1,NA,a\n?,None,b\n-999,NULL,c\n-999.0,n/a,\n"
    plain = _read(tmp_path, text)
    assert plain["y"].isna().all()
    assert plain["x"].tolist() == ["1", "?", "-999", "-999.0"]
    kept = _read(tmp_path, text, "?,-999,keep:NA,keep:None")
    assert kept["x"].isna().tolist() == [False, True, True, True]
    assert kept["y"].fillna("gone").tolist() == ["NA", "None", "gone", "gone"]


def test_a_marker_after_a_space(tmp_path: Path) -> None:
    frame = _read(tmp_path, "x, t\n1, ?\n2, a\n?, b\n", "?")
    assert frame["x"].isna().tolist() == [False, False, True]
    assert frame[" t"].isna().tolist() == [True, False, False]
    assert frame[" t"][1] == " a"


def test_header_only_and_blank_lines(tmp_path: Path) -> None:
    assert len(_read(tmp_path, "a,b\n")) == 0
    assert len(_read(tmp_path, "\n\na,b\n\n1,2\n\n\n")) == 1


def test_a_sample_that_ends_within_a_quoted_field(tmp_path: Path) -> None:
    long = "word, " * 60_000
    frame = _read(tmp_path, f'a;b\n1;"{long}"\n2;"x"\n')
    assert frame.shape == (2, 2)
    assert frame["b"].iloc[0] == long


def test_tsv_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("a,b\tc\n1,2\t3\n")
    assert read_file(path, _PLAIN, "t.tsv")[0].columns.tolist() == ["a,b", "c"]


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"table\.csv, which is damaged") as error:
        _read(tmp_path, 'a,b\n1,"open\n2,3\n')
    assert "\n" not in str(error.value)


def test_zero_bytes(tmp_path: Path) -> None:
    assert _read(tmp_path, "a,b\n1,2\n\0\0\n").columns.tolist() == ["a", "b"]


def test_a_word_far_behind_does_not_cost_numbers_their_zeros(tmp_path: Path) -> None:
    """pandas finds types block by block, of a million cells, several of which are in one piece."""
    rest = ",1" * 29
    header = "code" + "".join(f",c{i}" for i in range(29))
    text = "\n".join([header, *["007" + rest] * 60_000, "A1" + rest])
    assert _read(tmp_path, text)["code"].value_counts().to_dict() == {"007": 60_000, "A1": 1}


@pytest.mark.parametrize("rows", ["1,2,3,4\n1,2,3", "1,2,3,\n1,2,3,4"])
def test_a_row_longer_than_the_header(tmp_path: Path, rows: str) -> None:
    """As the first row, or where the first has one more that is empty."""
    with pytest.raises(UserError, match=r"has 3 names, a row has 4 fields") as error:
        _read(tmp_path, f"a,b,c\n{rows}\n5,6,7\n")
    assert "\n" not in str(error.value)
