"""Gradient boosting, one file an engine.

Every engine grows trees until a held-out tenth of the fold's fitting rows stops improving, for at
most `ITERATIONS`. The refit on all rows grows the median of the folds' best numbers.

Numbers are predicted on a target of mean 0 and deviation 1: the engines keep labels in single
precision, which a target like 1e9 ± 10 does not survive.
"""

ITERATIONS = 2_000
PATIENCE = 30


def iterations(params: dict[str, object]) -> int:
    """The number of trees to grow at most: fixed for a refit, else the limit."""
    return int(str(params.get("iterations", ITERATIONS)))
