"""The coefficients of linear candidates, by the names a person knows."""

from typing import Any

import numpy as np

from training.problem import Problem


def coefficients(pipeline: Any, problem: Problem) -> list[tuple[str, float]] | None:
    """Coefficients on the standardised features, the largest first.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted candidate.
    problem : Problem

    Returns
    -------
    list of (feature, coefficient) or None
        None where the model is not linear in its features. With several classes, the coefficient
        of largest size over the classes.
    """
    matrix = _matrix(pipeline[-1])
    if matrix is None:
        return None
    matrix = np.atleast_2d(matrix)
    strongest = np.abs(matrix).argmax(axis=0)
    values = matrix[strongest, np.arange(matrix.shape[1])]
    names = _names(pipeline[0], problem)
    if len(names) != len(values):
        return None
    pairs = [(name, float(value)) for name, value in zip(names, values, strict=True)]
    return sorted(pairs, key=lambda pair: -abs(pair[1]))


def _matrix(model: Any) -> Any:
    """The coefficients inside a model, through calibration and target scaling."""
    if hasattr(model, "calibrated_classifiers_"):
        return _matrix(model.calibrated_classifiers_[0].estimator)
    if hasattr(model, "regressor_"):
        return _matrix(model.regressor_)
    if hasattr(model, "steps"):
        return None
    return getattr(model, "coef_", None)


def _names(preprocess: Any, problem: Problem) -> list[str]:
    features = np.array([feature.name for feature in problem.features], dtype=object)
    names = []
    for part, transformer, positions in preprocess.transformers_:
        if part == "remainder":
            continue
        chosen = features[np.atleast_1d(positions)]
        if part == "categorical":
            names += _level_names(transformer, chosen, problem)
        elif part.startswith("text_"):
            width = transformer[-1].n_components
            names += [f"{chosen[0]} (topic {i + 1})" for i in range(width)]
        else:
            plain = [
                str(name).split("__")[-1] for name in transformer.get_feature_names_out(chosen)
            ]
            names += [_readable(name) for name in plain]
    return names


def _readable(name: str) -> str:
    prefix = "missingindicator_"
    return f"{name.removeprefix(prefix)} is missing" if name.startswith(prefix) else name


def _level_names(encoder: Any, chosen: Any, problem: Problem) -> list[str]:
    names = []
    for name, levels, infrequent in zip(
        chosen, encoder.categories_, _infrequent(encoder), strict=True
    ):
        known = problem.levels.get(str(name), ())
        rare = set() if infrequent is None else set(infrequent)
        for level in levels:
            if level in rare:
                continue
            missing = level is None or level != level
            label = "missing" if missing else known[int(level)] if known else str(int(level))
            names.append(f"{name} = {label}")
        if rare:
            names.append(f"{name} = rare")
    return names


def _infrequent(encoder: Any) -> Any:
    found = getattr(encoder, "infrequent_categories_", None)
    return [None] * len(encoder.categories_) if found is None else found
