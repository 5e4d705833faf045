"""What a BentoML user writes to serve one of our models: its pipelines, requests joined to batches.

Runs in an image of its own (bentoml_image.py), with the model's folder in /model.
"""

import os
from pathlib import Path
from typing import Any

import bentoml  # type: ignore[import-not-found]
import pandas as pd

from training.scoring import Model  # the model's own copy


@bentoml.service(
    workers=int(os.environ.get("WORKERS", "1")), logging={"access": {"enabled": False}}
)
class Candidate:
    """A model without MLflow around it, which is faster than with it."""

    def __init__(self) -> None:
        self.model = Model(Path("/model/data/model"))

    # Not a DataFrame: BentoML 1.4.40 cannot tell how many rows one has, and answers no request.
    @bentoml.api(batchable=True, max_batch_size=1_000)
    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """A label or number a row."""
        predicted: list[Any] = self.model.predict(pd.DataFrame(rows)).tolist()
        return predicted
