"""A bundle is served if it is whole and its model is the one that was recorded."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from serving.server.bundle import OnnxPredictor, load_predictor, read_bundle
from serving.server.cells import Cells
from serving.server.errors import Unservable
from tests.serving.server.bundles import LEVELS, MIXED, NUMBERS, Linear, sample_rows, write_bundle
from training.schema import Schema


@pytest.mark.parametrize("schema", [NUMBERS, MIXED, LEVELS], ids=lambda schema: schema.task)
def test_predicts_as_recorded(tmp_path: Path, schema: Schema) -> None:
    model = write_bundle(tmp_path, schema)
    bundle = read_bundle(tmp_path)
    predictor = load_predictor(bundle)
    raw = predictor.predict(predictor.read(bundle.sample_cells()))
    np.testing.assert_allclose(raw, model.predict(sample_rows(schema)), rtol=1e-12)


@pytest.mark.parametrize("schema", [NUMBERS, LEVELS], ids=lambda schema: schema.task)
def test_a_row_alone_is_predicted_as_among_others(tmp_path: Path, schema: Schema) -> None:
    write_bundle(tmp_path, schema)
    bundle = read_bundle(tmp_path)
    predictor = load_predictor(bundle)
    rows = predictor.read(bundle.sample_cells())
    with ThreadPoolExecutor(3) as threads:  # large bodies, even of one row, have threads
        alone = list(threads.map(predictor.predict, [rows[at : at + 1] for at in range(len(rows))]))
    np.testing.assert_allclose(np.concatenate(alone), predictor.predict(rows), rtol=1e-12)


def test_rows_alone_in_several_threads(tmp_path: Path) -> None:
    model = write_bundle(tmp_path, NUMBERS)
    bundle = read_bundle(tmp_path)
    predictor = OnnxPredictor(bundle)

    def differences(seed: int) -> float:
        rows = np.random.default_rng(seed).normal(size=(300, 6))
        found = []
        for row in rows:
            read = predictor.read(Cells(rows=[row.tolist()]))
            sleep(0)  # another thread may read its own now
            found.append(predictor.predict(read)[0])
        return float(np.abs(np.array(found) - model.raw(rows)).max())

    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(differences, range(8))) < 1e-9


def test_another_model_is_not_served(tmp_path: Path) -> None:
    write_bundle(tmp_path, MIXED)
    Linear(MIXED, seed=1).write(tmp_path / "model.onnx")
    with pytest.raises(Unservable, match="expected the recorded predictions, got others in"):
        load_predictor(read_bundle(tmp_path))


def test_a_model_of_another_schema_is_not_served(tmp_path: Path) -> None:
    write_bundle(tmp_path, MIXED)
    Linear(NUMBERS).write(tmp_path / "model.onnx")
    with pytest.raises(Unservable, match="recorded sample"):
        load_predictor(read_bundle(tmp_path))


def test_a_damaged_model_is_not_served(tmp_path: Path) -> None:
    write_bundle(tmp_path, MIXED)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(Unservable, match=r"model\.onnx") as error:
        load_predictor(read_bundle(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["bundle.json", "schema.json", "sample.json"])
@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_damaged_bundle(tmp_path: Path, file: str, content: str | None) -> None:
    write_bundle(tmp_path, NUMBERS)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    with pytest.raises(Unservable, match="expected a bundle in") as error:
        read_bundle(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("facts", "message"), [({"format": 2}, "format"), ({"path": "c"}, "path")])
def test_a_bundle_of_another_kind(tmp_path: Path, facts: dict[str, Any], message: str) -> None:
    write_bundle(tmp_path, NUMBERS, **facts)
    with pytest.raises(Unservable, match=message):
        read_bundle(tmp_path)


def test_a_bundle_without_a_sample(tmp_path: Path) -> None:
    write_bundle(tmp_path, NUMBERS)
    (tmp_path / "sample.json").write_text(json.dumps({"rows": [], "predictions": []}))
    with pytest.raises(Unservable, match="recorded sample"):
        read_bundle(tmp_path)
