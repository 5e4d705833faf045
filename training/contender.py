"""A candidate while it is searched and refitted: its study, its process, what it has cost."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.algorithms import find
from training.study import Promise, Study, Trial
from training.worker import Failure, FitFold, Worker

#: A first look at a candidate's cost, on tables with more fitting rows than this.
PROBE_ROWS = 5_000
#: A helper is for folds that take longer than its start.
_HELP_SECONDS = 1.0
#: What a row beyond an algorithm's `sample_rows` costs of one that is sampled: measured on forests.
_UNSAMPLED = 0.15


@dataclass(frozen=True)
class Options:
    """How to search.

    Attributes
    ----------
    budget : float
        Seconds of search over all candidates.
    search : {'tpe', 'random', 'grid', 'none'}
    slots : int
        How many candidates run at a time.
    threads : int
        Threads of each.
    max_memory : int or None
        Bytes of private memory of each.
    """

    budget: float
    search: str
    slots: int
    threads: int
    max_memory: int | None = None


@dataclass
class Contender:
    """A candidate while it is searched.

    It has a process of its own, and helpers, further ones, while no other candidate has work.
    """

    name: str
    study: Study
    folder: Path
    options: Options
    promise: Promise = field(default_factory=Promise)
    worker: Worker | None = None
    trial: Trial | None = None
    running: FitFold | None = None
    helpers: dict[Worker, FitFold | None] = field(default_factory=dict)
    probe: Trial | None = None
    limit: int | None = None
    failures: int = 0
    failure: Failure | None = None
    exhausted: bool = False

    def connection(self) -> Worker:
        """Its process; a new one if there is none, or if it was killed while it was idle."""
        if self.worker is not None and not self.worker.alive:
            self.stop()
        if self.worker is None:
            self.worker = Worker(
                self.name, self.folder, self.options.threads, self.options.max_memory
            )
        return self.worker

    def helper(self) -> Worker:
        """A further process of it, that has nothing to do."""
        for worker, request in list(self.helpers.items()):
            if request is None and worker.alive:
                return worker
        return Worker(self.name, self.folder, self.options.threads, self.options.max_memory)

    def dismiss(self) -> None:
        """End the helpers."""
        for worker in self.helpers:
            worker.end()
        self.helpers = {}

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.end()
        self.worker, self.running = None, None
        self.dismiss()

    def ask(self, request: FitFold) -> None:
        """Give a fold to its process, or to a helper while that is at work."""
        if self.running is None:
            self.connection().send(request)
            self.running = request
        else:
            worker = self.helper()
            worker.send(request)
            self.helpers[worker] = request

    def answer(self, worker: Worker) -> tuple[FitFold, Any]:
        """What was asked of one of its processes, and the answer."""
        if worker is self.worker:
            asked, self.running = self.running, None
        else:
            asked, self.helpers[worker] = self.helpers[worker], None
        assert asked is not None
        return asked, worker.receive()

    @property
    def at_work(self) -> dict[Worker, FitFold]:
        """Its processes that fit a fold now."""
        found = {worker: request for worker, request in self.helpers.items() if request}
        if self.worker is not None and self.running is not None:
            found[self.worker] = self.running
        return found

    def open_fold(self, folds: int) -> int | None:
        """The first of the trial's folds that is not fitted nor being fitted."""
        assert self.trial is not None
        taken = {*self.trial.folds, *(request.fold for request in self.at_work.values())}
        return next((fold for fold in range(folds) if fold not in taken), None)

    @property
    def best(self) -> Trial | None:
        """The best complete trial, else the first one as far as it came."""
        if self.study.best is not None:
            return self.study.best
        for trial in (self.trial, self.probe):
            if trial is not None and math.isfinite(trial.mean):
                return trial
        return None

    def fold_seconds(self) -> float:
        """What a fold has taken so far, on average."""
        trials = [*self.study.trials, *([self.trial] if self.trial else [])]
        seconds = [fold.seconds for trial in trials for fold in trial.folds.values()]
        return sum(seconds) / len(seconds) if seconds else 0.0

    def can_be_helped(self, folds: int, probed: bool) -> bool:
        """Whether a further process would shorten its first trial, whose cost is `probed`."""
        return (
            bool(self.at_work)
            and self.trial is not None
            and self.trial.default
            and (probed or self.limit is not None)
            and self.fold_seconds() > _HELP_SECONDS
            and self.open_fold(folds) is not None
        )

    def to_come(self, folds: int) -> float:
        """Seconds that the rest of its trial, or its first one, will take by what is known."""
        fold = self.fold_seconds()
        if not fold and self.probe is not None:
            asked = PROBE_ROWS if self.limit is None else self.limit
            fold = self.probe.seconds * self._cost(asked) / PROBE_ROWS
        return fold * (folds - (len(self.trial.folds) if self.trial else 0))

    def affordable(self, seconds: float) -> int:
        """How many rows a fold can be fitted on in this time, by what the probe has cost."""
        assert self.probe is not None
        cost = int(PROBE_ROWS * seconds / self.probe.seconds)
        most = self._sample_rows
        return cost if most is None or cost <= most else most + int((cost - most) / _UNSAMPLED)

    @property
    def _sample_rows(self) -> int | None:
        return find(self.name).sample_rows

    def _cost(self, rows: int) -> float:
        """What so many rows cost, in rows of the probe."""
        most = self._sample_rows
        return rows if most is None or rows <= most else most + (rows - most) * _UNSAMPLED
