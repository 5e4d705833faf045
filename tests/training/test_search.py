"""The search with real processes: its budget, and candidates that fail, are killed or are slow."""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.training.problems import frame_of, prepared_of, problem_of
from training import worker
from training.contender import Contender, Options
from training.finish import Finish, Finished
from training.problem import Problem, save
from training.refit import refit
from training.search import Search, Tuned
from training.worker import Failure, FitFold, FoldResult, Worker

QUICK = ["decision_tree", "logistic_regression"]


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.scores: list[tuple[float, str, int, float]] = []
        self.failures: list[tuple[str, str]] = []

    def searched(self, elapsed: float, candidate: str, trial: int, score: float) -> None:
        self.scores.append((elapsed, candidate, trial, score))

    def failed(self, candidate: str, reason: str) -> None:
        self.failures.append((candidate, reason))


@pytest.fixture(scope="module", autouse=True)
def _server() -> None:
    worker.prepare(1)


@pytest.fixture
def problem() -> Problem:
    return problem_of("numeric", "binary", 120)


@pytest.fixture
def folder(problem: Problem, tmp_path: Path) -> Path:
    save(problem, tmp_path / "problem")
    return tmp_path / "problem"


@pytest.fixture
def begun() -> Iterator[list[Search]]:
    """Searches that are ended with the test, whatever happens."""
    made: list[Search] = []
    yield made
    for search in made:
        search.close()


def search_of(
    begun: list[Search],
    folder: Path,
    problem: Problem,
    candidates: list[str],
    heard: Heard | None = None,
    **options: float | str | None,
) -> Search:
    given = Options(**{"budget": 60.0, "search": "none", "slots": 2, "threads": 1} | options)  # type: ignore[arg-type]
    begun.append(Search(candidates, problem, folder, given, heard or Heard()))
    return begun[-1]


def children() -> list[psutil.Process]:
    """Processes below this one that run candidates."""
    return [p for p in psutil.Process().children(recursive=True) if p.status() != "zombie"]


def process_of(contender: Contender) -> int:
    assert contender.worker is not None
    pid = contender.worker._process.pid
    assert pid is not None
    return pid


def test_without_a_search_each_candidate_gets_its_first_default(
    begun: list[Search], folder: Path, problem: Problem
) -> None:
    heard = Heard()
    search = search_of(begun, folder, problem, [*QUICK, "gradient_boosting:lightgbm"], heard)
    tuned = search.tune()
    assert list(tuned) == [*QUICK, "gradient_boosting:lightgbm"]
    for name, item in tuned.items():
        assert isinstance(item, Tuned), item
        assert len(item.trials) == 1
        assert item.limit is None
        assert sorted(item.predictions) == list(range(len(problem.folds)))
        for fold, prediction in item.predictions.items():
            assert prediction.shape == (len(problem.folds[fold][1]), 2)
        assert ("iterations" in item.params) == (name == "gradient_boosting:lightgbm")
        assert 0.5 < item.mean <= 1
    assert not heard.failures
    assert len(heard.scores) == 3 * len(problem.folds)


def test_all_processes_end_with_the_search(
    begun: list[Search], folder: Path, problem: Problem
) -> None:
    search = search_of(begun, folder, problem, QUICK)
    search.tune()
    living = [process_of(contender) for contender in search.contenders if contender.worker]
    assert living
    search.close()
    assert not [pid for pid in living if psutil.pid_exists(pid)]


@pytest.mark.parametrize("kind", ["tpe"])
def test_a_search_uses_its_budget_and_no_more(
    begun: list[Search], folder: Path, problem: Problem, kind: str
) -> None:
    heard = Heard()
    search = search_of(begun, folder, problem, QUICK, heard, budget=2.0, search=kind)
    start = time.monotonic()
    tuned = search.tune()
    assert time.monotonic() - start < 1.15 * 2.0 + 5.0
    for item in tuned.values():
        assert isinstance(item, Tuned)
        assert len(item.trials) > 1
        scores = [row["mean"] for row in item.trials if row["state"] == "complete"]
        assert item.mean == max(scores)


def test_a_grid_that_is_done_ends_the_search(
    begun: list[Search], folder: Path, problem: Problem
) -> None:
    search = search_of(begun, folder, problem, ["logistic_regression"], search="grid")
    (tuned,) = search.tune().values()
    assert isinstance(tuned, Tuned)
    assert len(tuned.trials) == 2 + 3 * 2


def test_what_has_no_fold_within_the_budget_has_run_out_of_time(
    begun: list[Search], folder: Path, problem: Problem
) -> None:
    heard = Heard()
    search = search_of(begun, folder, problem, ["random_forest"], heard, budget=0.001)
    (found,) = search.tune().values()
    assert isinstance(found, Failure)
    assert "ran out of time" in found.reason
    assert "raise the budget" in found.reason


def test_a_candidate_that_is_killed_fails_alone_and_says_why(
    begun: list[Search], folder: Path, problem: Problem
) -> None:
    """A thread plays the operating system's killer: no process of the candidate lives long."""
    search = search_of(begun, folder, problem, ["decision_tree", "svm"])
    svm, over = search.contenders[1], threading.Event()

    def kill() -> None:
        while not over.wait(0.001):
            worker = svm.worker
            if worker is not None and worker.alive:
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(process_of(svm), signal.SIGKILL)

    os.kill(process_of_new(svm), signal.SIGSTOP)  # so that the first cannot be done before
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        tuned = search.tune()
    finally:
        over.set()
        killer.join()
    assert isinstance(tuned["decision_tree"], Tuned)
    failure = tuned["svm"]
    assert isinstance(failure, Failure)
    assert "killed" in failure.reason
    assert "memory" in failure.reason


def process_of_new(contender: Contender) -> int:
    contender.connection()
    return process_of(contender)


def test_a_process_killed_while_idle_is_replaced(
    begun: list[Search], folder: Path, problem: Problem, tmp_path: Path
) -> None:
    search = search_of(begun, folder, problem, ["decision_tree"])
    contender = search.contenders[0]
    os.kill(process_of_new(contender), signal.SIGKILL)
    assert contender.worker is not None
    contender.worker._process.join()
    tuned = search.tune()
    assert isinstance(tuned["decision_tree"], Tuned)
    os.kill(process_of(contender), signal.SIGKILL)
    contender.worker._process.join()
    ((name, done),) = refit(search.contenders, tuned, contender.options, tmp_path / "candidates")
    assert name == "decision_tree"
    assert isinstance(done, Finished), done


def test_a_request_to_a_dead_process_is_answered_with_its_death(folder: Path) -> None:
    dead = Worker("decision_tree", folder, 1, None)
    pid = dead._process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    dead._process.join()
    dead.send(FitFold({}, 0))
    answer = dead.receive()
    dead.end()
    assert isinstance(answer, Failure)
    assert "killed" in answer.reason


def test_a_fit_that_raises_says_what_and_the_process_goes_on(folder: Path) -> None:
    living = Worker("decision_tree", folder, 1, None)
    good = {"ccp_alpha": 0.0, "max_depth": 3, "min_samples_leaf": 1, "class_weight": "none"}
    living.send(FitFold(good | {"max_depth": -1}, 0))
    answer = living.receive()
    living.send(FitFold(good, 0))
    again = living.receive()
    living.end()
    assert isinstance(answer, Failure)
    assert "max_depth" in answer.reason
    assert "\n" not in answer.reason
    assert "Traceback" in answer.detail
    assert isinstance(again, FoldResult)


def test_a_candidate_that_raises_fails_after_three_attempts(
    begun: list[Search], problem: Problem, tmp_path: Path
) -> None:
    broken = replace(problem, y=problem.y.astype(float) + np.nan, task="regression", metric="rmse")
    save(broken, tmp_path / "broken")
    heard = Heard()
    search = search_of(begun, tmp_path / "broken", broken, ["svm"], heard, search="random")
    (found,) = search.tune().values()
    assert isinstance(found, Failure)
    assert "NaN" in found.reason
    assert "Traceback" in found.detail
    assert heard.failures == [("svm", found.reason)]
    assert len(search.contenders[0].study.trials) == 3


def test_a_metric_that_no_fold_defines_ends_the_search_and_says_so(
    begun: list[Search], problem: Problem, tmp_path: Path
) -> None:
    y = problem.y.copy()
    folds = []
    for fit, valid in problem.folds:
        folds.append((fit, valid[y[valid] == 0]))
    one_class = replace(problem, folds=tuple(folds))
    save(one_class, tmp_path / "one")
    search = search_of(begun, tmp_path / "one", one_class, ["decision_tree"], search="tpe")
    start = time.monotonic()
    (found,) = search.tune().values()
    assert isinstance(found, Failure)
    assert "roc_auc is not defined" in found.reason
    assert time.monotonic() - start < 30, "searched on for what it could not measure"


@pytest.mark.parametrize("megabytes", [48, 256], ids=["to load its library", "to fit"])
def test_a_candidate_that_needs_too_much_memory_fails_alone(
    begun: list[Search], tmp_path: Path, megabytes: int
) -> None:
    frame = frame_of("numeric", "regression", 30_000)
    for i in range(20):
        frame[f"x{i}"] = np.random.default_rng(i).normal(size=len(frame))
    problem = prepared_of(frame, folds=2).problem
    save(problem, tmp_path / "large")
    search = search_of(
        begun, tmp_path / "large", problem, ["random_forest"], max_memory=megabytes * 2**20, slots=1
    )
    (found,) = search.tune().values()
    assert isinstance(found, Failure)
    assert "memory" in found.reason


def test_numbers_keep_all_their_digits(begun: list[Search], tmp_path: Path) -> None:
    frame = frame_of("numeric", "regression", 120)
    frame["y"] += 1e9
    problem = prepared_of(frame).problem
    save(problem, tmp_path / "high")
    (tuned,) = search_of(begun, tmp_path / "high", problem, ["linear_regression"]).tune().values()
    assert isinstance(tuned, Tuned)
    for fold, prediction in tuned.predictions.items():
        valid = problem.folds[fold][1]
        rmse = math.sqrt(np.mean((problem.y[valid] - prediction) ** 2))
        assert rmse < 10
    assert tuned.mean == pytest.approx(
        np.mean([
            math.sqrt(np.mean((problem.y[problem.folds[f][1]] - p) ** 2))
            for f, p in tuned.predictions.items()
        ])
    )  # fmt: skip


def test_a_refit_on_a_class_short_table_survives_its_learning_curve(
    begun: list[Search], tmp_path: Path
) -> None:
    """A tenth of the rows has too few of each class to fit on; the candidate has not."""
    frame = frame_of("categorical", "regression", 200)
    frame["y"] = [f"class {i % 20}" for i in range(200)]
    problem = prepared_of(frame).problem
    save(problem, tmp_path / "short")
    names = ["linear_regression", "gradient_boosting:catboost"]
    search = search_of(begun, tmp_path / "short", problem, names)
    tuned = search.tune()
    options = search.contenders[0].options
    done = dict(refit(search.contenders, tuned, options, tmp_path / "candidates"))
    assert {name: type(item) for name, item in done.items()} == dict.fromkeys(names, Finished), done


def test_finish_is_told_by_the_same_process(folder: Path, problem: Problem, tmp_path: Path) -> None:
    living = Worker("decision_tree", folder, 1, None)
    params = {"ccp_alpha": 0.0, "max_depth": 3, "min_samples_leaf": 1, "class_weight": "none"}
    living.send(FitFold(params, 0))
    fold = living.receive()
    living.send(Finish(params, {0: fold.prediction}, tmp_path / "done"))
    done = living.receive()
    living.end()
    assert isinstance(done, Finished), done
    assert (tmp_path / "done/pipeline.skops").stat().st_size == done.model_bytes
    assert len(done.test_prediction) == len(problem.y_test)
    assert done.test_low <= done.test_scores["roc_auc"] <= done.test_high
    assert done.present == [0, 1]
    assert done.fold_scores["roc_auc"] == [pytest.approx(fold.score)]
    assert list((tmp_path / "done/plots").glob("*.png"))


def test_what_is_left_running_alone_is_helped(
    begun: list[Search], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes fit folds of the one candidate; its scores are those of one process."""
    monkeypatch.setattr("training.contender._HELP_SECONDS", 0.0)
    frame = frame_of("numeric", "binary", 900)
    problem = prepared_of(frame, folds=4).problem
    save(problem, tmp_path / "alone")
    helped = search_of(begun, tmp_path / "alone", problem, ["random_forest"], slots=2)
    (contender,) = helped.contenders
    seen: set[int] = set()
    take = helped._take

    def watched(owner: Contender, worker: Worker, elapsed: float) -> None:
        assert len(owner.at_work) <= 2
        seen.add(id(worker))
        take(owner, worker, elapsed)

    monkeypatch.setattr(helped, "_take", watched)
    (two,) = helped.tune().values()
    (one,) = (
        search_of(begun, tmp_path / "alone", problem, ["random_forest"], slots=1).tune().values()
    )
    assert isinstance(two, Tuned)
    assert isinstance(one, Tuned)
    assert len(seen) == 2
    assert not contender.helpers, "they end with the search"
    assert list(two.predictions) == list(range(4))
    for fold in range(4):
        np.testing.assert_array_equal(two.predictions[fold], one.predictions[fold])


def test_a_memory_limit_is_that_of_one_process(
    begun: list[Search], folder: Path, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.contender._HELP_SECONDS", 0.0)
    search = search_of(begun, folder, problem, ["random_forest"], slots=2, max_memory=2**33)
    monkeypatch.setattr(search, "_take", lambda *given: one_at_work(search, given))
    (tuned,) = search.tune().values()
    assert isinstance(tuned, Tuned)


def one_at_work(search: Search, given: tuple[Contender, Worker, float]) -> None:
    assert len(given[0].at_work) == 1
    Search._take(search, *given)
