"""V2's binary tensor data: tensors behind the JSON, as Triton's client sends them by default.

Answers are JSON in any case, which such clients read as well.

https://github.com/kserve/kserve/blob/master/docs/predict-api/v2/binary_protocol.md
"""

from typing import Any

import numpy as np

from serving.server.bodies import parse_object
from serving.server.errors import bad_request

HEADER = b"inference-header-content-length"

_DTYPES = {"BOOL": "?", "BYTES": ""} | {
    f"{name}{8 * size}": f"<{kind}{size}"
    for name, kind, sizes in (("INT", "i", (1, 2, 4, 8)), ("UINT", "u", (1, 2, 4, 8)))
    for size in sizes
}
_DTYPES |= {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}

DATATYPES = frozenset(_DTYPES)


def parse_binary(body: bytes, header: bytes) -> dict[str, Any]:
    """A request as if it had come as JSON alone.

    Parameters
    ----------
    body : bytes
        JSON, and behind it the tensors that say how long they are.
    header : bytes
        The header `HEADER`: the length of the JSON.

    Raises
    ------
    Refused
        400: lengths that do not agree with each other.
    """
    length = int(header) if header.isdigit() and len(header) < 16 else -1
    if not 0 <= length <= len(body):
        raise bad_request("format", "expected the JSON's length in inference-header-content-length")
    request = parse_object(body[:length])
    rest = memoryview(body)[length:]
    inputs = request.get("inputs")
    for tensor in inputs if isinstance(inputs, list) else ():
        size = _size(tensor)
        if size is None:
            continue
        if size > len(rest):
            raise bad_request("format", "expected as many bytes as binary_data_size says")
        tensor["data"] = _values(rest[:size], tensor.get("datatype"))
        rest = rest[size:]
    if len(rest):
        raise bad_request("format", "expected as many bytes as binary_data_size says")
    return request


def _size(tensor: Any) -> int | None:
    """How long a tensor is behind the JSON, None if it is in it."""
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise bad_request("format", "expected binary_data_size as a whole number")
    return size


def _values(data: memoryview, datatype: Any) -> list[Any]:
    dtype = _DTYPES.get(datatype) if isinstance(datatype, str) else None
    if dtype is None:
        raise bad_request("format", f"expected datatypes in {', '.join(sorted(DATATYPES))}")
    if datatype == "BYTES":
        return _texts(data)
    try:
        found: list[Any] = np.frombuffer(data, dtype).tolist()
    except ValueError:
        raise bad_request("format", "expected whole values in binary data") from None
    return found


def _texts(data: memoryview) -> list[str]:
    """Texts, each behind its length in four bytes."""
    found = []
    at = 0
    while at < len(data):
        start = at + 4
        at = start + int.from_bytes(data[at:start], "little")
        if at > len(data):
            raise bad_request("format", "expected whole texts in binary data")
        found.append(bytes(data[start:at]).decode(errors="replace"))
    return found


def datatype_of(dtype: np.dtype) -> str:
    """The protocol's name of NumPy's type; texts for what it has none for."""
    for name, form in _DTYPES.items():
        if form and np.dtype(form) == dtype:
            return name
    return "BYTES"
