"""Fits in the tests' own process use one thread: spinning ones slow each other down."""

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.training.problems import frame_of
from tests.training.trained import Trained, store_in, train_quietly


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    # The libraries must be there to be limited.
    import sklearn.ensemble  # noqa: F401

    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A training on features of every kind, with names and labels that are hard to keep."""
    frame = frame_of("all", "multiclass", 160)
    frame["y"] = frame["y"].map({"low": "[low]", "mid": "<mid>", "high": "hi, $g_h$"})
    frame["whole"] = np.arange(160) % 7
    frame = frame.rename(columns={"a": "a[b", "b": "1", "c": "l'o\"ur <x>, €:"})
    with store_in(tmp_path_factory.mktemp("trained")) as folder:
        frame.to_parquet("table.parquet")
        board = train_quietly(
            data="table.parquet",
            algorithms="decision_tree,gradient_boosting:sklearn,gradient_boosting:lightgbm",
            register="winner",
        )
        yield Trained(folder, frame, board)
