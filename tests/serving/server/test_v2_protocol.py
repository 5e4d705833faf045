"""V2's tensors become the same cells as MLflow's rows; outputs are those that were chosen."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.server.bundle import read_bundle
from serving.server.errors import Refused
from serving.server.tables import Tables
from serving.server.v2_protocol import V2Protocol
from tests.serving.server.bundles import LEVELS, MIXED, NUMBERS, ROW, write_bundle
from training.schema import Schema

RAW = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
SECRET = "s3cret"


def protocol(folder: Path, schema: Schema) -> V2Protocol:
    write_bundle(folder, schema)
    names = [column.name for column in schema.used]
    return V2Protocol(read_bundle(folder), Tables(names, 100))


@pytest.fixture
def mixed(tmp_path: Path) -> V2Protocol:
    return protocol(tmp_path, LEVELS)


def tensors(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": "BYTES",
            "data": [row[name] for row in rows],
        }
        for name in rows[0]
    ]


def parse(protocol: V2Protocol, request: Any) -> tuple[list[list[Any]], Any]:
    body = json.dumps(request).encode()
    cells, write = protocol.parse(body, {b"content-type": b"application/json"})
    return [list(row) for row in cells.rows()], lambda raw: json.loads(write(raw))


def test_columns_as_tensors(mixed: V2Protocol) -> None:
    expected = [[row[column.name] for column in LEVELS.used] for row in (ROW, ROW | {"count": 7})]
    inputs = tensors(ROW | {"more": 1}, ROW | {"more": 2, "count": 7})
    assert parse(mixed, {"inputs": inputs})[0] == expected
    for tensor in inputs:
        tensor["shape"] = [2, 1]
    assert parse(mixed, {"inputs": inputs})[0] == expected
    for tensor in inputs:
        tensor["data"] = [[value] for value in tensor["data"]]
    assert parse(mixed, {"inputs": inputs[::-1]})[0] == expected


def test_one_tensor_of_all_columns(tmp_path: Path) -> None:
    v2 = protocol(tmp_path, NUMBERS)
    rows: list[list[Any]] = [[1.0, 2.0, 3.0, 4.0, 5.0, None], [0.0] * 6]
    tensor = {"name": "rows", "shape": [2, 6], "datatype": "FP64", "data": rows}
    assert parse(v2, {"inputs": [tensor]})[0] == rows
    tensor["data"] = [*rows[0], *rows[1]]
    assert parse(v2, {"inputs": [tensor]})[0] == rows


def test_outputs_are_all_or_those_chosen(mixed: V2Protocol) -> None:
    inputs = tensors(ROW, ROW)
    labels = {"name": "predict", "datatype": "INT64", "shape": [2], "data": [30, 1]}
    shares: dict[str, Any] = {"name": "predict_proba", "datatype": "FP64", "shape": [2, 3]}
    shares["data"] = RAW.ravel().tolist()
    for chosen, expected in [
        (None, [labels, shares]),
        ([], [labels, shares]),
        (["predict"], [labels]),
        (["predict_proba", "predict"], [shares, labels]),
    ]:
        request: dict[str, Any] = {"inputs": inputs, "id": "7"}
        if chosen is not None:
            request["outputs"] = [{"name": name} for name in chosen]
        answer = parse(mixed, request)[1](RAW)
        assert answer["outputs"] == expected
        assert (answer["model_name"], answer["model_version"], answer["id"]) == ("churn", "3", "7")


@pytest.mark.parametrize(
    ("schema", "datatype", "data"),
    [(NUMBERS, "FP64", [0.5, -1.0]), (MIXED, "BOOL", [True, False])],
    ids=["regression", "binary"],
)
def test_labels_have_their_own_type(
    tmp_path: Path, schema: Schema, datatype: str, data: list[Any]
) -> None:
    v2 = protocol(tmp_path, schema)
    raw = np.array([0.5, -1.0]) if schema is NUMBERS else np.array([[0.1, 0.9], [0.8, 0.2]])
    names = {column.name: 1 for column in schema.used}
    answer = parse(v2, {"inputs": tensors(names, names)})[1](raw)
    assert answer["outputs"][0] == {
        "name": "predict",
        "datatype": datatype,
        "shape": [2],
        "data": data,
    }
    assert len(answer["outputs"]) == len(v2.model()["outputs"])


def test_metadata(mixed: V2Protocol) -> None:
    model = mixed.model()
    assert (model["name"], model["versions"]) == ("churn", ["3"])
    kinds = {item["name"]: item["datatype"] for item in model["inputs"]}
    assert kinds["size [cm]"] == "FP64"
    assert kinds["smoker"] == "BOOL"
    assert kinds["grade"] == "INT64"
    assert kinds["born"] == "BYTES"
    assert "note" not in kinds
    assert model["outputs"][1]["shape"] == [-1, 3]


def changed(**changes: Any) -> dict[str, Any]:
    first, *others = tensors(ROW)
    return {"inputs": [first | changes, *others]}


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({}, "format"),
        ({"inputs": []}, "format"),
        ({"inputs": {}}, "format"),
        ({"inputs": [SECRET]}, "format"),
        ({"inputs": tensors(ROW), "id": 7}, "format"),
        ({"inputs": tensors(ROW), "outputs": [{"name": SECRET}]}, "params"),
        ({"inputs": tensors(ROW), "outputs": [{"name": [SECRET]}]}, "params"),
        ({"inputs": tensors(ROW), "outputs": SECRET}, "format"),
        ({"inputs": tensors(ROW)[1:]}, "columns"),
        ({"inputs": tensors(ROW) + tensors(ROW)[:1]}, "columns"),
        (changed(datatype=SECRET), "format"),
        (changed(datatype=["FP64"]), "format"),
        (changed(shape=[2]), "rows"),
        (changed(shape=[1, 1, 1]), "format"),
        (changed(shape=[-1]), "format"),
        (changed(shape=[True]), "format"),
        (changed(shape=[1.0]), "format"),
        (changed(shape=[1 << 62]), "rows"),
        (changed(shape=[1, 2], data=[[1, 2]]), "format"),
        (changed(shape=[1, 2], data=[[1]]), "rows"),
        (changed(shape=[0], data=[]), "rows"),
        (changed(data=SECRET), "format"),
        (changed(name=7), "format"),
    ],
)
def test_refused(mixed: V2Protocol, request_: Any, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(mixed, request_)
    assert (refused.value.status, refused.value.kind) == (400, kind)
    assert SECRET not in refused.value.message


@pytest.mark.parametrize("name", [7, ["a"], "half of \ud800"])
def test_a_name_that_cannot_be_answered_is_refused(mixed: V2Protocol, name: Any) -> None:
    with pytest.raises(Refused, match="expected id as a text") as caught:
        parse(mixed, {"id": name, "inputs": tensors(ROW)})
    assert caught.value.status == 400
