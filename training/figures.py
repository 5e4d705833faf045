"""A candidate's figures as MLflow's metrics."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from training.finish import Finished
    from training.search import Tuned


def candidate_metrics(
    tuned: "Tuned", finished: "Finished", metric: str, model_id: str
) -> "list[Metric]":
    """A candidate's figures, under the same names for all candidates of a task.

    Parameters
    ----------
    tuned, finished : Tuned, Finished
    metric : str
        The selection metric.
    model_id : str
        The logged model that the scores are of.
    """
    found = [
        metric_of(f"fold_{name}", value, step=fold)
        for name, values in finished.fold_scores.items()
        for fold, value in enumerate(values)
    ]
    for name, values in finished.fold_scores.items():
        found.append(metric_of(f"cv_{name}", _mean(values), model_id=model_id))
    found += [
        metric_of(f"test_{name}", value, model_id=model_id)
        for name, value in finished.test_scores.items()
    ]
    single = {
        f"cv_{metric}_std": tuned.std,
        f"test_{metric}_low": finished.test_low,
        f"test_{metric}_high": finished.test_high,
        "fit_seconds": finished.fit_seconds,
        "search_seconds": tuned.seconds,
        "trials": len(tuned.trials),
        "predict_seconds_per_row": finished.predict_seconds_per_row,
        "model_bytes": finished.model_bytes,
    }
    if tuned.limit is not None:
        single["search_rows"] = tuned.limit
    found += [metric_of(name, value) for name, value in single.items()]
    return [item for item in found if item.value == item.value]


def _mean(values: list[float]) -> float:
    defined = [value for value in values if value == value]
    return sum(defined) / len(defined)


def metric_of(name: str, value: float, step: int = 0, model_id: str | None = None) -> "Metric":
    """One figure as MLflow keeps it, as of now."""
    from mlflow.entities import Metric

    return Metric(name, float(value), int(time.time() * 1_000), step, model_id=model_id)
