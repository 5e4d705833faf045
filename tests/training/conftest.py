"""Fits in the tests' own process use one thread: spinning ones slow each other down."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    # The libraries must be there to be limited.
    import scipy.linalg
    import sklearn.ensemble  # noqa: F401

    with threadpool_limits(1):
        yield
