"""The counts of all workers add up, and Prometheus' own parser reads them."""

from pathlib import Path
from threading import Thread
from time import sleep

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.server.bundle import read_bundle
from serving.server.metrics import STATUSES, Metrics
from tests.serving.server.bundles import LEVELS, NUMBERS, write_bundle
from training.schema import Schema


def metrics_of(folder: Path, schema: Schema, workers: int = 2) -> Metrics:
    write_bundle(folder, schema)
    return Metrics(read_bundle(folder), ["here", "other"], workers)


def counts(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Values by the sample's name and its labels' values."""
    text, kind = metrics.render()
    assert kind.startswith(b"text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_was_answered_is_waited_for(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, LEVELS)
    metrics.take(1)
    answer = np.array([[0.1, 0.2, 0.7]]), (1e-5, 2e-5, 3e-5)
    metrics.answering(*answer)

    def count() -> None:
        sleep(0.02)
        metrics.answered()

    counting = Thread(target=count)
    counting.start()
    assert counts(metrics)["sixfold_rows_total",] == 1
    counting.join()
    metrics.answered()  # nothing more
    metrics.answering(*answer)  # and is stopped or killed
    assert counts(metrics)["sixfold_rows_total",] == 1
    metrics.clear(1)
    assert metrics._of(1)[:4].tolist() == [0.0] * 4


def test_workers_add_up(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, LEVELS)
    for worker in (0, 1):
        metrics.take(worker)
        metrics.ready(True)
        metrics.begin()
        metrics.request(0, 200)
        metrics.request(1, 404)
        metrics.error("path")
        metrics.phases((0.0, 0.003, 20.0))
        metrics.predictions(np.array([[0.1, 0.2, 0.7], [0.9, 0.1, 0.0]]))
        metrics.joined(3)
    found = counts(metrics)
    assert found["sixfold_requests_total", "here", "200"] == 2
    assert found["sixfold_requests_total", "other", "404"] == 2
    assert found["sixfold_errors_total", "path"] == 2
    assert found["sixfold_rows_total",] == 4
    assert found["sixfold_predictions_total", "1"] == found["sixfold_predictions_total", "30"] == 2
    assert found["sixfold_predictions_total", "2"] == 0
    assert found["sixfold_phase_seconds_count", "predict"] == 2
    assert found["sixfold_phase_seconds_sum", "predict"] == pytest.approx(0.006)
    assert found["sixfold_phase_seconds_bucket", "10.0", "write"] == 0
    assert found["sixfold_phase_seconds_bucket", "+Inf", "write"] == 2
    assert found["sixfold_phase_seconds_bucket", "2.5e-05", "read"] == 2
    assert found["sixfold_phase_seconds_bucket", "0.0025", "predict"] == 0
    assert found["sixfold_phase_seconds_bucket", "0.005", "predict"] == 2
    assert found["sixfold_in_flight",] == found["sixfold_workers",] == 2
    assert found["sixfold_joined_requests_total",] == 6
    assert found["sixfold_model_info", "churn", "onnx", "3"] == 1


def test_a_worker_that_takes_the_place_of_another_counts_on(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, LEVELS)
    metrics.take(1)
    metrics.ready(True)
    metrics.begin()
    metrics.request(0, 200)
    metrics.clear(1)
    assert metrics.ready_workers() == 0
    metrics.take(1)
    metrics.request(0, 200)
    found = counts(metrics)
    assert found["sixfold_in_flight",] == 0
    assert found["sixfold_requests_total", "here", "200"] == 2


def test_which_worker_has_most_connections(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, LEVELS)
    metrics.take(1)
    metrics.ready(True)
    assert not metrics.connections(2), "the other one is not ready yet"
    metrics.take(0)
    metrics.ready(True)
    assert not metrics.connections(2)
    assert metrics.connections(3)
    assert not metrics.connections(1)
    assert counts(metrics)["sixfold_connections",] == 3


@pytest.mark.parametrize("size", [1, 100])
def test_values_fall_where_they_belong(tmp_path: Path, size: int) -> None:
    metrics = metrics_of(tmp_path, NUMBERS, 1)
    expected = read_bundle(tmp_path).expected
    low, high = float(expected.min()), float(expected.max())
    raw = np.linspace(low, high, size) if size > 1 else np.array([high])
    metrics.predictions(raw)
    metrics.predictions(np.array([1e9]))
    found = counts(metrics)
    buckets = {
        float(key[1]): value
        for key, value in found.items()
        if key[0] == "sixfold_prediction_bucket"
    }
    for edge, count in buckets.items():
        assert count == (np.append(raw, 1e9) <= edge).sum()
    assert buckets[float("inf")] == size + 1


def test_every_status_has_a_place(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, LEVELS)
    for status in STATUSES:
        metrics.request(1, status)
    found = counts(metrics)
    assert all(found["sixfold_requests_total", "other", str(status)] == 1 for status in STATUSES)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e6, 1e6 + 1e-3], [-5.0, 5.0], [3.0, 3.0]])
def test_any_recorded_predictions_give_steps(tmp_path: Path, values: list[float]) -> None:
    write_bundle(tmp_path, NUMBERS)
    bundle = read_bundle(tmp_path)
    object.__setattr__(bundle, "expected", np.array(values))
    metrics = Metrics(bundle, ["other"], 1)
    metrics.predictions(np.array(values))
    buckets = [key for key in counts(metrics) if key[0] == "sixfold_prediction_bucket"]
    assert len(buckets) > 10
