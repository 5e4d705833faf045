"""Models on the disk as MLflow holds them, made in a moment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tests.training.problems import prepared_of, quick
from training.algorithms import Params, find
from training.fit import fit
from training.model import Part, _write_data
from training.sample import FILE, write_sample
from training.scoring import Model


def write_model(
    folder: Path,
    frame: pd.DataFrame,
    candidates: Sequence[str],
    rows: int | None = None,
    params: Params | None = None,
) -> Path:
    """Fit candidates on a table with the target `y` and write the model that is their mean.

    Parameters
    ----------
    folder : Path
        Is made.
    frame : DataFrame
    candidates : sequence of str
    rows : int, optional
        Of the training rows, fit on so many only.
    params : dict, optional
        Other than a quick fit's.

    Returns
    -------
    Path
        `folder`, with `data/model` in it.
    """
    import skops.io

    prepared = prepared_of(frame)
    problem = prepared.problem
    data = folder / "data" / "model"
    parts = []
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("mlflow_version: 3.17.2\n")
    for candidate in candidates:
        algorithm = find(candidate)
        chosen = None if rows is None else np.arange(rows)
        fitted = fit(algorithm, problem, quick(algorithm, problem) | (params or {}), chosen)
        file = folder / f"{candidate.replace(':', '-')}.skops"
        skops.io.dump(fitted.pipeline, file)
        present = None if fitted.present is None else [int(code) for code in fitted.present]
        parts.append(Part(candidate, file, present, 1 / len(candidates)))
    _write_data(data, parts, prepared.subject.schema)
    example = frame.drop(columns="y").head(5)
    write_sample(data / FILE, example, Model(data).predict_raw(example))
    return folder
