"""Bodies and their types."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server.bodies import CSV, JSON, media_type, parse_object
from serving.server.errors import Refused

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_json_as_python_reads_it(record: dict[str, Any]) -> None:
    for text in (json.dumps(record), json.dumps(record, ensure_ascii=False)):
        try:
            body = text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8
            continue
        assert json.dumps(parse_object(body)) == json.dumps(json.loads(body))


def test_of_duplicate_keys_the_last_counts() -> None:
    assert parse_object(b'{"a": 1, "a": 2}') == {"a": 2}
    assert parse_object(b'{"a": 1, "a": NaN, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"nope", b"[1]", b"1", b'"x"', b"{", b'{"a": 1}}', b"\xff\xfe", b'{"a": "\xff"}'),
        *(b'{"a": ' + b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}", b"null"),
    ],
)
def test_refused_without_repeating_it(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parse_object(body)
    assert (refused.value.status, refused.value.kind) == (400, "json")
    assert "nope" not in refused.value.message


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, JSON),
        (b"application/json", JSON),
        (b"Application/JSON; charset=UTF-8", JSON),
        (b'application/json;charset="utf-8"', JSON),
        (b"application/json;", JSON),
        (b"text/csv", CSV),
        (b"text/csv; charset=utf-8", CSV),
    ],
)
def test_media_types(value: bytes | None, kind: str) -> None:
    assert media_type(value) == kind


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"text/plain", b"application/json; charset=latin-1", b"application/json; format=x"),
        *(b"application/vnd.apache.parquet", b"multipart/form-data; boundary=s3cret"),
    ],
)
def test_other_media_types(value: bytes) -> None:
    with pytest.raises(Refused) as refused:
        media_type(value)
    assert refused.value.status == 415
    assert "s3cret" not in refused.value.message
