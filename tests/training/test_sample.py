"""The rows and predictions that go with a model."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from tests.training.trained import Trained
from training.sample import FILE, read_sample, write_sample


def test_values_of_every_kind_are_kept(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "number": [0.1 + 0.2, np.nan],
            "whole": pd.array([2**62, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "text": ["a\n[b", None],
            "when": pd.to_datetime(["2024-02-03T04:05:06Z", None], utc=True),
            "endless": [np.inf, -np.inf],
        }
    )
    write_sample(tmp_path / FILE, rows, np.array([[0.1, 0.9], [1 / 3, 2 / 3]]))
    records, predictions = read_sample(tmp_path / FILE)
    assert predictions.tolist() == [[0.1, 0.9], [1 / 3, 2 / 3]]
    assert records[0] == {
        "number": 0.1 + 0.2,
        "whole": 2**62,
        "flag": True,
        "text": "a\n[b",
        "when": "2024-02-03T04:05:06+00:00",
        "endless": None,
    }
    assert set(records[1].values()) == {None}


@pytest.mark.parametrize(
    "name", ["decision_tree", "gradient_boosting:sklearn", "gradient_boosting:lightgbm", "ensemble"]
)
def test_a_logged_model_predicts_its_sample(trained: Trained, name: str, tmp_path: Path) -> None:
    uri = trained.row(name)["model_uri"]
    folder = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(tmp_path))
    records, predictions = read_sample(Path(folder, "data", "model", FILE))
    model = mlflow.pyfunc.load_model(folder).get_raw_model()
    assert len(records) == 5
    again = model.predict_raw(pd.DataFrame(records))
    np.testing.assert_allclose(again, predictions, rtol=1e-9, atol=1e-12)
