"""Tensors behind the JSON are the values that they would be in it."""

import json
from typing import Any

import numpy as np
import pytest

from serving.server.errors import Refused
from serving.server.v2_binary import parse_binary

KINDS = {
    "BOOL": [True, False],
    "INT8": [-1, 2],
    "INT64": [-(2**63), 5],
    "UINT16": [0, 65535],
    "FP16": [0.5, -2.0],
    "FP32": [0.25, -8.0],
    "FP64": [0.1, -1e300],
}


def tensor(name: str, datatype: str, data: bytes) -> dict[str, Any]:
    size = {"binary_data_size": len(data)}
    return {"name": name, "shape": [2], "datatype": datatype, "parameters": size}


def parse(inputs: Any, data: bytes, header: int | None = None) -> Any:
    text = json.dumps({"inputs": inputs}).encode()
    return parse_binary(text + data, b"%d" % (len(text) if header is None else header))


def test_every_datatype() -> None:
    inputs, parts = [], []
    for datatype, values in KINDS.items():
        name = datatype.lower().replace("fp", "float")
        parts.append(np.array(values, name).tobytes())
        inputs.append(tensor(datatype, datatype, parts[-1]))
    texts = b"".join(len(text).to_bytes(4, "little") + text for text in ("é".encode(), b""))
    inputs += [tensor("text", "BYTES", texts), {"name": "json", "data": [1, 2]}]
    found = parse(inputs, b"".join([*parts, texts]))["inputs"]
    assert {item["name"]: item["data"] for item in found} == KINDS | {
        "text": ["é", ""],
        "json": [1, 2],
    }


@pytest.mark.parametrize(
    ("datatype", "said", "data", "header"),
    [
        ("FP64", 16, b"\0" * 15, None),
        ("FP64", 15, b"\0" * 15, None),
        ("FP64", 16, b"\0" * 17, None),
        ("BYTES", 5, b"\x02\0\0\0a", None),
        ("BYTES", 3, b"\x02\0\0", None),
        ("TEXT", 1, b"a", None),
        ("FP64", -1, b"", None),
        ("FP64", "16", b"\0" * 16, None),
        ("FP64", 16, b"\0" * 16, 10_000),
        ("FP64", 16, b"\0" * 16, -1),
    ],
)
def test_refused(datatype: str, said: Any, data: bytes, header: int | None) -> None:
    given = tensor("a", datatype, b"") | {"parameters": {"binary_data_size": said}}
    with pytest.raises(Refused) as refused:
        parse([given], data, header)
    assert refused.value.status == 400
