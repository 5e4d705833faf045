"""The search: one budget of seconds shared over all candidates, fold by fold.

Every candidate's first default comes first. Then half of the budget is shared evenly, the other
half by what each candidate costs and promises. Candidates run side by side, one process each, as
many at a time as there are cores; what is left over at the end of the defaults fits their folds.
"""

import math
import random
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from training.algorithms import Params, find
from training.contender import PROBE_ROWS, Contender, Options
from training.evaluate import METRICS
from training.problem import Problem
from training.study import Study, Trial, draw_by_promise
from training.worker import Failure, FitFold, FoldResult, Worker

_LEAST_ROWS = 2_000
#: The cross-validation of the first default may take this share of a candidate's even share.
_DEFAULT_SHARE = 0.5
#: A candidate that has no score at the end of the budget may go on until this share of it.
_GRACE = 1.12
_ATTEMPTS = 3


class Listener(Protocol):
    """Is told how the search goes (see `progress.py`)."""

    def searched(self, elapsed: float, candidate: str, trial: int, score: float) -> None: ...

    def failed(self, candidate: str, reason: str) -> None: ...


@dataclass(frozen=True)
class Tuned:
    """A candidate after its search.

    Attributes
    ----------
    params : dict
        The best configuration, `iterations` included for boosting.
    predictions : dict of fold to ndarray
        Its predictions on the folds' validation rows.
    mean, std : float
        Of the selection metric over the folds.
    limit : int or None
        How many fitting rows a fold had at most, where the budget did not allow all.
    trials : list of dict
        The search as a table.
    seconds : float
        What the search of this candidate took.
    """

    params: Params
    predictions: dict[int, np.ndarray]
    mean: float
    std: float
    limit: int | None
    trials: list[dict[str, Any]]
    seconds: float


class Search:
    """The search over all candidates of one training, and their last steps.

    Parameters
    ----------
    candidates : list of str
        Names in `algorithms.TABLE`.
    problem : Problem
    folder : Path
        Where `problem.save` wrote it.
    options : Options
    listener : Listener
    """

    def __init__(
        self,
        candidates: list[str],
        problem: Problem,
        folder: Path,
        options: Options,
        listener: Listener,
    ) -> None:
        self._problem = problem
        self._options = options
        self._listener = listener
        self._metric = METRICS[problem.metric]
        self._random = random.Random(problem.seed)  # noqa: S311  shares a budget, keeps no secret
        self._folds = len(problem.folds)
        self.contenders = [
            Contender(
                name,
                Study(find(name), problem, options.search, self._metric.greater_is_better),
                folder,
                options,
            )
            for name in candidates
        ]

    def close(self) -> None:
        """End all processes."""
        for contender in self.contenders:
            contender.stop()

    def tune(self) -> dict[str, Tuned | Failure]:
        """Search until the budget is gone or nothing is left to try."""
        start = time.monotonic()
        budget = self._options.budget
        while True:
            elapsed = time.monotonic() - start
            self._fill(elapsed)
            running = [c for c in self.contenders if c.at_work]
            if not running:
                break
            self._cut(running, elapsed)
            limits = [budget if c.best else budget * _GRACE for c in running if c.at_work]
            if not limits:
                continue
            patience = max(0.0, min(limits) - elapsed)
            connections: dict[Any, tuple[Contender, Worker]] = {
                worker.connection: (c, worker) for c in running for worker in c.at_work
            }
            for ready in wait(list(connections), timeout=min(patience, 1.0)):
                contender, worker = connections[ready]
                if worker in contender.at_work:  # not ended meanwhile, with another that failed
                    self._take(contender, worker, time.monotonic() - start)
        for contender in self.contenders:
            contender.dismiss()
        return {c.name: self._result(c) for c in self.contenders}

    def _fill(self, elapsed: float) -> None:
        """Give free slots work while the budget lasts."""
        while sum(len(c.at_work) for c in self.contenders) < self._options.slots:
            contender = self._choose(elapsed) or self._to_help(elapsed)
            if contender is None:
                return
            self._dispatch(contender)

    def _choose(self, elapsed: float) -> Contender | None:
        left = self._options.budget - elapsed
        if left <= 0:
            return None
        idle = [c for c in self.contenders if not c.at_work and self._can_go_on(c, left)]
        unscored = [c for c in idle if c.study.best is None]
        if unscored:
            to_come = {c.name: c.to_come(self._folds) for c in unscored}
            # The longest first, so that none is left running alone at the end, if all have time.
            if all(to_come.values()) and sum(to_come.values()) <= left * self._options.slots / 2:
                return max(unscored, key=lambda c: to_come[c.name])
            return min(unscored, key=lambda c: c.promise.spent)
        # What is begun comes first: an unfinished trial has cost time and says nothing yet.
        begun = [c for c in idle if c.trial]
        if begun:
            return begun[0]
        even = 0.5 * self._options.budget * self._options.slots / len(self.contenders)
        behind = [c for c in idle if c.promise.spent < even]
        if behind:
            return min(behind, key=lambda c: c.promise.spent)
        if not idle:
            return None
        costs = [c.promise.cost(self._gap(c)) for c in idle]
        return idle[draw_by_promise(costs, self._random)]

    def _to_help(self, elapsed: float) -> Contender | None:
        """Whose first default to fit a further fold of, where no other candidate has work."""
        if elapsed >= self._options.budget or self._options.max_memory:
            return None  # a candidate's memory is that of one process
        probed = self._fitting_rows() <= PROBE_ROWS
        able = [c for c in self.contenders if c.can_be_helped(self._folds, probed)]
        return max(able, key=lambda c: c.to_come(self._folds), default=None)

    def _can_go_on(self, contender: Contender, left: float) -> bool:
        if contender.exhausted or contender.failures >= _ATTEMPTS:
            return False
        if contender.study.best is None:
            return True
        done = len(contender.trial.folds) if contender.trial else 0
        return contender.fold_seconds() * (self._folds - done) <= left

    def _dispatch(self, contender: Contender) -> None:
        if contender.trial is None:
            contender.trial = contender.study.next()
            if contender.trial is None:
                contender.exhausted = True
                return
        limit = contender.limit
        if limit is None and contender.probe is None and self._fitting_rows() > PROBE_ROWS:
            limit = PROBE_ROWS
        fold = contender.open_fold(self._folds)
        assert fold is not None
        contender.ask(FitFold(contender.trial.params, fold, limit))

    def _take(self, contender: Contender, worker: Worker, elapsed: float) -> None:
        """Take in what one of a candidate's processes has answered."""
        asked, answer = contender.answer(worker)
        trial = contender.trial
        assert trial is not None
        if isinstance(answer, Failure):
            contender.stop()
            contender.failures += 1
            contender.failure = answer
            contender.study.fail(trial)
            contender.trial = None
            if contender.best is None and contender.failures >= _ATTEMPTS:
                self._listener.failed(contender.name, answer.reason)
            return
        assert isinstance(answer, FoldResult)
        contender.promise.spent += answer.seconds
        if asked.limit == PROBE_ROWS and contender.probe is None:
            self._learn_cost(contender, trial, answer)
            return
        previous = contender.study.best
        state = contender.study.add(trial, asked.fold, answer)
        if state != "running":
            contender.trial = None
            if not math.isfinite(trial.mean):
                contender.failures += 1
                contender.failure = Failure(
                    f"{self._problem.metric} is not defined on any fold's validation rows, which "
                    "have one class only; use metric=log_loss, or fewer folds"
                )
            best = contender.study.best
            if best is trial:
                gain = abs(previous.mean - best.mean) if previous else 0.0
                contender.promise.improved(gain)
        score = contender.study.best.mean if contender.study.best else math.nan
        self._listener.searched(elapsed, contender.name, len(contender.study.trials), score)

    def _learn_cost(self, contender: Contender, trial: Trial, answer: FoldResult) -> None:
        """From a fold on few rows, decide how many rows the search can afford."""
        contender.probe = Trial(trial.params, default=True, folds={0: answer})
        share = self._options.budget * self._options.slots / len(self.contenders)
        affordable = contender.affordable(_DEFAULT_SHARE * share / self._folds)
        contender.limit = min(self._fitting_rows(), max(_LEAST_ROWS, affordable))

    def _cut(self, running: list[Contender], elapsed: float) -> None:
        """End what runs past the budget, except what would have no score at all."""
        for contender in running:
            limit = self._options.budget * (1.0 if contender.best else _GRACE)
            if elapsed >= limit:
                contender.stop()
                if contender.best is None:
                    contender.failures = _ATTEMPTS
                    contender.failure = Failure(
                        f"ran out of time: no fold of its first configuration was done in "
                        f"{elapsed:.0f} s; raise the budget"
                    )
                    self._listener.failed(contender.name, contender.failure.reason)

    def _gap(self, contender: Contender) -> float:
        means = [c.study.best.mean for c in self.contenders if c.study.best]
        best = max(means) if self._metric.greater_is_better else min(means)
        assert contender.study.best is not None
        return abs(best - contender.study.best.mean)

    def _fitting_rows(self) -> int:
        return max(len(rows) for rows, _ in self._problem.folds)

    def _result(self, contender: Contender) -> Tuned | Failure:
        best = contender.best
        if best is None:
            return contender.failure or Failure(
                f"ran out of time: the budget of {self._options.budget:g} s was gone before its "
                "first fold; raise the budget"
            )
        chosen = [r.iterations for r in best.folds.values() if r.iterations is not None]
        params = dict(best.params)
        if chosen:
            params["iterations"] = max(1, int(np.median(chosen)))
        limit = contender.limit
        if best is contender.probe:
            limit = PROBE_ROWS
        if limit is not None and limit >= self._fitting_rows():
            limit = None
        return Tuned(
            params=params,
            predictions={fold: best.folds[fold].prediction for fold in sorted(best.folds)},
            mean=best.mean,
            std=best.std,
            limit=limit,
            trials=contender.study.table(),
            seconds=contender.promise.spent,
        )
