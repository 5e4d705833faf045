"""What a candidate's next fold costs, before it is asked for."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.problems import problem_of
from training.algorithms import find
from training.contender import Contender, Options
from training.problem import Problem
from training.study import Study, Trial
from training.worker import FoldResult


@pytest.fixture
def problem() -> Problem:
    return problem_of("numeric", "binary", 120)


def test_a_study_belongs_to_a_contender(problem: Problem, tmp_path: Path) -> None:
    options = Options(1.0, "none", 1, 1)
    contender = Contender("svm", Study(find("svm"), problem, "none", True), tmp_path, options)
    assert contender.best is None
    assert contender.fold_seconds() == 0
    contender.stop()


@pytest.mark.parametrize(
    ("name", "seconds", "rows"),
    [
        ("decision_tree", 10.0, 50_000),
        ("random_forest", 5.0, 25_000),
        # Its trees take no more rows from here on, so that more cost little.
        ("random_forest", 13.0, 150_000),
    ],
)
def test_the_rows_that_a_fold_can_afford(
    problem: Problem, tmp_path: Path, name: str, seconds: float, rows: int
) -> None:
    options = Options(1.0, "none", 1, 1)
    contender = Contender(name, Study(find(name), problem, "none", True), tmp_path, options)
    contender.probe = Trial({}, default=True, folds={0: FoldResult(0.5, 1.0, None, np.ones(1))})
    assert contender.affordable(seconds) == pytest.approx(rows, abs=1)
    contender.limit = rows
    assert contender.to_come(1) == pytest.approx(seconds, rel=1e-3)
