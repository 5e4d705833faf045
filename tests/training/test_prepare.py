"""What all candidates are given of a table."""

import numpy as np

from tests.training.problems import frame_of, prepared_of


def test_the_targets_scale_is_that_of_the_training_rows() -> None:
    """Test rows are later ones here, and of another size."""
    frame = frame_of("numeric", "regression", 200)
    frame["t"] = np.arange(200.0)
    frame.loc[160:, "y"] *= 100
    problem = prepared_of(frame, time="t", test_size=0.2).problem
    assert problem.target_scale == np.std(problem.y)
    assert np.std(problem.y_test) > 10 * problem.target_scale
