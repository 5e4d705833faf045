"""The plain script: the fits of a finished training, with the same libraries, and nothing else.

No MLflow, no container, no search, no plot, no model file: what overhead is measured against.
`python -m benchmarks.plain FITS` takes the file that `overhead.py` writes.
"""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.trainings import Fit, learning_rows


def main(path: Path) -> int:
    """Do the fits, as many at a time as the training did; print how many there were."""
    from training import problem, worker
    from training.prepare import prepare
    from training.request import Request
    from training.resources import cpus
    from training.table import read_table

    asked = json.loads(path.read_text())
    wanted = [Fit(**item) for item in asked["fits"]]
    slots = min(cpus(), len({fit.candidate for fit in wanted}))
    threads = max(1, cpus() // slots)
    worker.prepare(threads)
    request = Request(**asked["request"])
    prepared = prepare(request, read_table(request.data))
    with TemporaryDirectory(prefix="sixfold-plain-") as folder:
        problem.save(prepared.problem, Path(folder))
        # The longest first, so that none is left running alone at the end.
        wanted.sort(key=lambda fit: fit.fold is not None)
        with ProcessPoolExecutor(slots, get_context("forkserver")) as pool:
            scores = list(pool.map(_task(Path(folder), threads), wanted))
    assert "mlflow" not in sys.modules, "the plain script has imported MLflow"
    print(len(scores))
    return 0


def _task(folder: Path, threads: int) -> Callable[[Fit], float]:
    from functools import partial

    return partial(_fit_and_score, folder, threads)


_opened: dict[Path, Any] = {}


def _fit_and_score(folder: Path, threads: int, wanted: Fit) -> float:
    import numpy as np

    from training.algorithms import find
    from training.evaluate import score
    from training.fit import fit, predict
    from training.problem import fold_rows, load, take

    if folder not in _opened:
        _opened[folder] = load(folder)
    problem = _opened[folder]
    if wanted.fold is None:
        rows, X, y = None, problem.X_test, problem.y_test
    else:
        whole, valid = fold_rows(problem, wanted.fold, None)
        limit = learning_rows(len(whole), wanted.share)
        rows, valid = fold_rows(problem, wanted.fold, limit)
        X, y = take(problem.X, valid), np.asarray(problem.y)[valid]
    fitted = fit(find(wanted.candidate), problem, wanted.params, rows, threads)
    return score(problem.metric, np.asarray(y), predict(fitted, X, problem.classes))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
