"""The search of one candidate: which configuration comes next, and what is known of it so far."""

import math
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.algorithms import Algorithm, Params
from training.errors import UserError, nearest
from training.problem import Problem
from training.worker import FoldResult

SEARCHES = ("tpe", "random", "grid", "none")
_GRID_POINTS = 3


@dataclass
class Trial:
    """One configuration and the folds it has been fitted on."""

    params: Params
    default: bool
    handle: Any = None
    folds: dict[int, FoldResult] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        scores = [result.score for result in self.folds.values()]
        defined = [score for score in scores if math.isfinite(score)]
        return float(np.mean(defined)) if defined else math.nan

    @property
    def std(self) -> float:
        scores = [result.score for result in self.folds.values()]
        defined = [score for score in scores if math.isfinite(score)]
        return float(np.std(defined)) if defined else math.nan

    @property
    def seconds(self) -> float:
        return sum(result.seconds for result in self.folds.values())


class Study:
    """Defaults first, then Optuna's sampler and pruner, one fold at a time.

    Parameters
    ----------
    algorithm : Algorithm
    problem : Problem
    search : {'tpe', 'random', 'grid', 'none'}
        `none` tries the first default only.
    greater_is_better : bool
        Of the selection metric.
    """

    def __init__(
        self, algorithm: Algorithm, problem: Problem, search: str, greater_is_better: bool
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._sign = 1.0 if greater_is_better else -1.0
        self._folds = len(problem.folds)
        defaults = algorithm.defaults(problem)
        self._pending = defaults[:1] if search == "none" else list(defaults)
        self._space = algorithm.space(problem)
        self._search = search
        self._sampler = _sampler(search, self._space, problem.seed)
        self._study = optuna.create_study(
            direction="maximize" if greater_is_better else "minimize",
            sampler=self._sampler,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0),
        )
        self.trials: list[Trial] = []
        self.states: list[str] = []
        self.best: Trial | None = None

    def next(self) -> Trial | None:
        """The next configuration; None if there is none left."""
        if self._pending:
            return Trial(self._pending.pop(0), default=True)
        if self._search == "none":
            return None
        if self._search == "grid" and self._sampler.is_exhausted(self._study):
            return None
        handle = self._study.ask(self._space)
        return Trial(dict(handle.params), default=False, handle=handle)

    def add(self, trial: Trial, fold: int, result: FoldResult) -> str:
        """Take in a fold's result. Returns `running`, `complete` or `pruned`."""
        trial.folds[fold] = result
        if trial.handle is not None and math.isfinite(result.score):
            trial.handle.report(result.score, step=fold)
        if len(trial.folds) == self._folds:
            return self._close(trial, "complete")
        if trial.handle is not None and trial.handle.should_prune():
            return self._close(trial, "pruned")
        return "running"

    def fail(self, trial: Trial) -> None:
        """Give a configuration up that could not be fitted."""
        import optuna

        if trial.handle is not None:
            self._study.tell(trial.handle, state=optuna.trial.TrialState.FAIL)
        self._keep(trial, "failed")

    def better(self, score: float, than: float) -> bool:
        """Whether one value of the selection metric is better than another."""
        return self._sign * score > self._sign * than

    def _close(self, trial: Trial, state: str) -> str:
        import optuna

        if not math.isfinite(trial.mean):
            self.fail(trial)
            return "complete"
        if trial.handle is None:
            self._study.add_trial(
                optuna.trial.create_trial(
                    params=trial.params,
                    distributions=self._space,
                    value=trial.mean,
                    intermediate_values={
                        fold: result.score
                        for fold, result in trial.folds.items()
                        if math.isfinite(result.score)
                    },
                )
            )
        elif state == "pruned":
            self._study.tell(trial.handle, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(trial.handle, trial.mean)
        improves = self.best is None or self.better(trial.mean, self.best.mean)
        if state == "complete" and improves:
            if self.best is not None:
                self._forget(self.best)
            self.best = trial
        self._keep(trial, state)
        return state

    def _keep(self, trial: Trial, state: str) -> None:
        self.trials.append(trial)
        self.states.append(state)
        if trial is not self.best:
            self._forget(trial)

    @staticmethod
    def _forget(trial: Trial) -> None:
        """Let go of predictions that nobody will ask for; the scores stay."""
        for fold, result in trial.folds.items():
            trial.folds[fold] = FoldResult(
                result.score, result.seconds, result.iterations, np.empty(0, np.float32)
            )

    def table(self) -> list[dict[str, Any]]:
        """The search as rows: trial, state, mean, std, seconds, folds and the parameters."""
        return [
            {
                "trial": number,
                "state": state,
                "default": trial.default,
                "mean": trial.mean,
                "std": trial.std,
                "folds": len(trial.folds),
                "seconds": trial.seconds,
                **{f"params.{name}": value for name, value in trial.params.items()},
            }
            for number, (trial, state) in enumerate(zip(self.trials, self.states, strict=True))
        ]


def check_search(search: str) -> None:
    """Refuse an unknown search with the valid ones."""
    if search not in SEARCHES:
        raise UserError(f"expected a search, got {search!r}; {nearest(search, SEARCHES)}")


def _sampler(search: str, space: dict[str, Any], seed: int) -> Any:
    from optuna import samplers

    if search == "random":
        return samplers.RandomSampler(seed=seed)
    if search == "grid":

        class Grid(samplers.GridSampler):
            def after_trial(self, *_: Any) -> None:
                """Optuna's would stop its own loop after the last point, and we have none."""

        return Grid(_grid(space), seed=seed)
    import warnings

    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=5)


def _grid(space: dict[str, Any]) -> dict[str, list[Any]]:
    """Every choice, and three points of every range: near its ends and in its middle."""
    return {name: _points(distribution) for name, distribution in space.items()}


def _points(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high = distribution.low, distribution.high
    shares = [(2 * i + 1) / (2 * _GRID_POINTS) for i in range(_GRID_POINTS)]
    if distribution.log:
        points = [math.exp(math.log(low) + s * math.log(high / low)) for s in shares]
    else:
        points = [low + s * (high - low) for s in shares]
    if isinstance(low, int):
        return sorted({min(high, max(low, round(point))) for point in points})
    return points


@dataclass
class Promise:
    """What a candidate has cost and gained, to share the budget by.

    The estimated cost for improvement of FLAML (Wang et al., MLSys 2021), without its sample sizes.
    """

    spent: float = 0.0
    at_best: float = 0.0
    before_best: float = 0.0
    gain: float = 0.0

    def improved(self, gain: float) -> None:
        self.before_best, self.at_best, self.gain = self.at_best, self.spent, gain

    def cost(self, gap: float) -> float:
        """Seconds until this candidate is expected to beat the best one, `gap` ahead of it."""
        own = max(self.spent - self.at_best, self.at_best - self.before_best, 1e-3)
        if gap <= 0:
            return own
        if self.gain <= 0:
            return own * 10
        return max(own, gap * (self.spent - self.before_best) / self.gain)


def draw_by_promise(costs: list[float], rng: random.Random) -> int:
    """A position, with probability inverse to its cost."""
    return rng.choices(range(len(costs)), weights=[1 / cost for cost in costs])[0]
