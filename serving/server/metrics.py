"""What the server counts, shared by its workers, and the text of `/metrics`.

The counts are an array of float64 in memory that all workers map: one row a worker, which alone
writes it, so that there are no locks; whichever worker is asked adds up the rows. A worker that
takes the place of one that died goes on with its row.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.server.errors import KINDS

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from serving.server.bundle import Bundle

PHASES = ("read", "predict", "write")
STATUSES = (200, 400, 401, 404, 405, 413, 415, 431, 500, 503)
#: Seconds.
BUCKETS = (
    *(25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

#: Why rows that were to be recorded are not: more than are wanted a second, more than can wait, the
#: disk does not take them, they are of no form that can be written, or the process that writes is
#: gone.
UNRECORDED = ("rate", "queue", "disk", "form", "process")

#: Seconds that `/metrics` waits for a worker which has answered and not yet counted.
_PATIENCE = 0.1

#: What a worker is and does now, and what it has done.
_NOW = _READY, _IN_FLIGHT, _CONNECTIONS, _ANSWERING = range(4)
_ROWS, _JOINED, _RECORDED, _UNSENT, _UNRECORDED = range(4, 9)
_FIXED = _UNRECORDED + len(UNRECORDED)


class Metrics:
    """The counts of one server.

    Parameters
    ----------
    bundle : Bundle
    routes : sequence of str
        Names of what is asked; the last is for all others.
    workers : int
    """

    def __init__(self, bundle: "Bundle", routes: list[str], workers: int) -> None:
        self._bundle = bundle
        self._routes = routes
        self._classes = [str(label) for label in bundle.schema.target.classes or ()]
        # What a model of others predicts is not known beforehand: its rows are counted, no more.
        self._edges = [] if self._classes or not bundle.expected.size else _edges(bundle.expected)
        self._status_at = {status: at for at, status in enumerate(STATUSES)}
        self._kind_at: dict[str, int] = {}
        at = _FIXED
        self._requests, at = at, at + len(routes) * len(STATUSES)
        for kind in KINDS:
            self._kind_at[kind], at = at, at + 1
        self._phases, at = at, at + len(PHASES) * (len(BUCKETS) + 2)
        self._values, at = at, at + (len(self._classes) or len(self._edges) + 2)
        self._width, self._workers = at, workers
        self._memory = mmap.mmap(-1, 8 * at * workers)
        self._row = self._of(0)
        self._due: tuple[np.ndarray, tuple[float, ...]] | None = None

    def take(self, worker: int) -> None:
        """Have this process write the row of a worker."""
        self._row = self._of(worker)
        self.clear(worker)

    def ready(self, is_ready: bool) -> None:
        """Say whether this worker answers."""
        self._row[_READY] = float(is_ready)

    def clear(self, worker: int) -> None:
        """A worker is gone."""
        row = self._of(worker)
        for at in _NOW:
            row[at] = 0.0

    def ready_workers(self) -> int:
        """How many workers answer."""
        return int(self._table()[:, _READY].sum())

    def connections(self, count: int) -> bool:
        """This worker has so many connections; whether that is more than another one has."""
        self._row[_CONNECTIONS] = count
        table = self._table()
        return bool(count > table[table[:, _READY] > 0, _CONNECTIONS].min(initial=count))

    def begin(self) -> None:
        """A prediction is asked for."""
        self._row[_IN_FLIGHT] += 1.0

    def end(self) -> None:
        """It has been answered."""
        self._row[_IN_FLIGHT] -= 1.0

    def answering(self, raw: np.ndarray, times: tuple[float, ...]) -> None:
        """These were predicted in these phases: `answered` counts them, as the client reads."""
        self._row[_ANSWERING] = 1.0  # until then `/metrics` waits
        self._due = raw, times

    def answered(self) -> None:
        """Count what `answering` said, if it did."""
        if self._due is None:
            return
        (raw, times), self._due = self._due, None
        try:
            self.phases(times)
            self.predictions(raw)
        finally:
            self._row[_ANSWERING] = 0.0

    def request(self, route: int, status: int) -> None:
        """A request was answered."""
        self._row[self._requests + route * len(STATUSES) + self._status_at[status]] += 1.0

    def error(self, kind: str) -> None:
        """A request was refused."""
        self._row[self._kind_at[kind]] += 1.0

    def joined(self, requests: int) -> None:
        """These requests shared a model call."""
        self._row[_JOINED] += requests

    def recorded(self, rows: int) -> None:
        """These rows are in a file.

        This and `unrecorded` for "disk" and "form" are the recording process's.
        """
        self._row[_RECORDED] += rows

    def unrecorded(self, reason: str, rows: int) -> None:
        """These rows were to be recorded and are not, for one of the reasons in `UNRECORDED`."""
        self._row[_UNRECORDED + UNRECORDED.index(reason)] += rows

    def unsent(self, rows: int) -> None:
        """As `unrecorded("process", …)`, for the thread that sends."""
        self._row[_UNSENT] += rows

    def phases(self, times: tuple[float, ...], requests: int = 1) -> None:
        """The phases of predictions, in the order of `PHASES`, took these seconds together."""
        row, start = self._row, self._phases
        for seconds in times:
            row[start + bisect_left(BUCKETS, seconds / requests)] += requests
            row[start + len(BUCKETS) + 1] += seconds
            start += len(BUCKETS) + 2

    def predictions(self, raw: np.ndarray) -> None:
        """These were predicted: values (n,) or probabilities (n, k)."""
        row, start, edges = self._row, self._values, self._edges
        row[_ROWS] += len(raw)
        if self._classes:
            codes = raw.argmax(axis=1)
            if len(raw) == 1:
                row[start + int(codes[0])] += 1.0
                return
            counts = np.bincount(codes)
        elif not edges:
            return
        else:
            row[start + len(edges) + 1] += float(raw.sum())
            if len(raw) == 1:
                row[start + bisect_left(edges, float(raw[0]))] += 1.0
                return
            counts = np.bincount(np.searchsorted(edges, raw))
        for at in counts.nonzero()[0].tolist():
            row[start + at] += float(counts[at])

    def render(self) -> tuple[bytes, bytes]:
        """All of it in Prometheus' text form, and the content type of that."""
        import prometheus_client

        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(self)
        return (
            prometheus_client.generate_latest(registry),
            prometheus_client.CONTENT_TYPE_LATEST.encode(),
        )

    def collect(self) -> "Iterator[Metric]":
        """The counts of all workers together."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        self._settle()
        counts = self._table().sum(axis=0).tolist()
        bundle = self._bundle
        facts = {"model": bundle.model, "version": bundle.version, "path": bundle.path}
        yield InfoMetricFamily("sixfold_model", "The version that is served.", facts)
        requests = CounterMetricFamily(
            "sixfold_requests", "Requests answered.", labels=["route", "status"]
        )
        at = self._requests
        for route in self._routes:
            for status in STATUSES:
                if counts[at]:
                    requests.add_metric([route, str(status)], counts[at])
                at += 1
        yield requests
        errors = CounterMetricFamily("sixfold_errors", "Requests refused.", labels=["kind"])
        for kind, place in self._kind_at.items():
            errors.add_metric([kind], counts[place])
        yield errors
        phases = HistogramMetricFamily(
            "sixfold_phase_seconds",
            "What a prediction's phases take; its share, where requests shared a model call.",
            labels=["phase"],
        )
        width = len(BUCKETS) + 2
        for number, phase in enumerate(PHASES):
            start = self._phases + number * width
            phases.add_metric([phase], *_histogram(BUCKETS, counts[start : start + width]))
        yield phases
        yield CounterMetricFamily("sixfold_rows", "Rows predicted.", value=counts[_ROWS])
        yield CounterMetricFamily(
            "sixfold_joined_requests", "Requests that shared a model call.", value=counts[_JOINED]
        )
        yield CounterMetricFamily(
            "sixfold_recorded_rows", "Rows written to files.", value=counts[_RECORDED]
        )
        dropped = CounterMetricFamily(
            "sixfold_unrecorded_rows", "Rows that could not be recorded.", labels=["reason"]
        )
        counts[_UNRECORDED + UNRECORDED.index("process")] += counts[_UNSENT]
        for place, reason in enumerate(UNRECORDED, _UNRECORDED):
            dropped.add_metric([reason], counts[place])
        yield dropped
        yield GaugeMetricFamily(
            "sixfold_in_flight", "Predictions under way.", value=counts[_IN_FLIGHT]
        )
        yield GaugeMetricFamily(
            "sixfold_connections", "Connections that are open.", value=counts[_CONNECTIONS]
        )
        yield GaugeMetricFamily("sixfold_workers", "Workers that answer.", value=counts[_READY])
        values = counts[self._values :]
        if self._classes:
            labels = CounterMetricFamily("sixfold_predictions", "Labels.", labels=["label"])
            for label, count in zip(self._classes, values, strict=True):
                labels.add_metric([label], count)
            yield labels
        elif self._edges:
            spread = HistogramMetricFamily("sixfold_prediction", "Values predicted.")
            spread.add_metric([], *_histogram(self._edges, values))
            yield spread

    def _settle(self) -> None:
        """Wait until what the workers have sent is counted."""
        until = perf_counter() + _PATIENCE
        for worker in range(self._workers):
            while self._of(worker)[_ANSWERING] and perf_counter() < until:
                sleep(0)

    def _of(self, worker: int) -> "memoryview[float]":
        return memoryview(self._memory).cast("d")[worker * self._width :][: self._width]

    def _table(self) -> np.ndarray:
        return np.frombuffer(self._memory, np.float64).reshape(self._workers, self._width)


def _edges(expected: np.ndarray) -> list[float]:
    """Twenty steps over the recorded predictions, and half their range to either side."""
    low, high = float(expected.min()), float(expected.max())
    margin = (high - low) / 2 or abs(high) / 2 or 1.0
    decimals = 2 - int(np.floor(np.log10(margin)))
    return sorted(
        {round(e, decimals) for e in np.linspace(low - margin, high + margin, 21).tolist()}
    )


def _histogram(edges: Any, counts: list[float]) -> tuple[list[tuple[str, float]], float]:
    names = [*map(repr, edges), "+Inf"]
    return list(zip(names, accumulate(counts[:-1]), strict=True)), counts[-1]
