"""A candidate while it is searched and refitted: its study, its process, what it has cost."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from training.study import Promise, Study, Trial
from training.worker import FitFold, Worker


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
    """A candidate while it is searched."""

    name: str
    study: Study
    folder: Path
    options: Options
    promise: Promise = field(default_factory=Promise)
    worker: Worker | None = None
    trial: Trial | None = None
    running: FitFold | None = None
    probe: Trial | None = None
    limit: int | None = None
    failures: int = 0
    reason: str = ""
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

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.end()
        self.worker, self.running = None, None

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
