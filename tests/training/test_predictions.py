"""Predictions written and read back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.problems import TASKS, problem_of
from training.predictions import read_predictions, write_predictions


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("folds", [(0,), (0, 1, 2), (2, 0)])
def test_predictions_come_back(task: str, folds: tuple[int, ...], tmp_path: Path) -> None:
    problem = problem_of("numeric", task)
    rng = np.random.default_rng(0)
    width = (problem.classes,) if problem.classification else ()
    held = {fold: rng.random((len(problem.folds[fold][1]), *width)) for fold in folds}
    test = rng.random((len(problem.y_test), *width))
    write_predictions(tmp_path / "p.parquet", problem, held, test)
    found, tested = read_predictions(tmp_path / "p.parquet")
    assert sorted(found) == sorted(folds)
    for fold, values in held.items():
        assert (found[fold] == values).all()
    assert (tested == test).all()


def test_more_than_ten_classes_stay_in_order(tmp_path: Path) -> None:
    problem = replace(problem_of("numeric", "multiclass"), classes=12)
    test = np.random.default_rng(0).random((len(problem.y_test), 12))
    held = {0: np.random.default_rng(1).random((len(problem.folds[0][1]), 12))}
    write_predictions(tmp_path / "p.parquet", problem, held, test)
    found, tested = read_predictions(tmp_path / "p.parquet")
    assert (tested == test).all()
    assert (found[0] == held[0]).all()
