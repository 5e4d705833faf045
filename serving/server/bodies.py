"""What a request's body is, and JSON in it."""

import json
from typing import Any

import orjson

from serving.server.errors import Refused, bad_request

JSON, CSV = "application/json", "text/csv"


def media_type(value: bytes | None) -> str:
    """The media type of a content-type header: `JSON` or `CSV`.

    None is taken as JSON: clients of V2 send no content type.

    Raises
    ------
    Refused
        415: another type, another charset than UTF-8, or another parameter, as MLflow has it.
    """
    if value is None or value == b"application/json":
        return JSON
    kind, *pairs = (part.strip() for part in value.decode("latin-1").lower().split(";"))
    if kind not in (JSON, CSV):
        raise Refused(415, "content_type", f"expected content-type {JSON} or {CSV}")
    for pair in filter(None, pairs):
        name, _, given = pair.partition("=")
        if name.strip() != "charset" or given.strip().strip('"') not in ("utf-8", "utf8"):
            raise Refused(
                415, "content_type", "expected no parameter of the content-type but charset=utf-8"
            )
    return kind


def parse_object(body: bytes) -> dict[str, Any]:
    """A body as a JSON object; of duplicate keys the last counts.

    NaN and Infinity, which MLflow's clients write, are read as floats.

    Raises
    ------
    Refused
        400: not JSON, or no object.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = _lenient(body)
    if not isinstance(found, dict):
        raise bad_request("json", "expected a JSON object, got another type of value")
    return found


def _lenient(body: bytes) -> Any:
    """JSON as Python's own parser takes it: NaN, Infinity, and halves of surrogate pairs too."""
    try:
        return json.loads(body)
    except RecursionError:
        raise bad_request("json", "expected JSON of less than a thousand levels") from None
    except json.JSONDecodeError as error:
        raise bad_request(
            "json", f"expected JSON, got an error in line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:  # no UTF-8, or an integer of thousands of digits
        raise bad_request("json", "expected JSON in UTF-8, with numbers of usual length") from None
