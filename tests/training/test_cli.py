"""The console command as a person runs it: exit codes, one line an error, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest
from click.testing import CliRunner, Result

from sixfold import main
from tests.training.problems import frame_of
from tests.training.trained import Trained, store_in

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    frame_of("numeric", "binary", 60).to_csv(tmp_path / "table.csv", index=False)
    with store_in(tmp_path) as folder:
        yield folder


def sixfold(*arguments: str) -> Result:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        return CliRunner().invoke(main, list(arguments))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def statuses() -> list[str]:
    runs: list[Any] = mlflow.search_runs(output_format="list", search_all_experiments=True)
    return [run.info.status for run in runs]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--algorithms", "svmm"], ["expected an algorithm, got 'svmm'", "'svm'"]),
        (["--algorithms", "gradient_boosting:xgb"], ["got 'xgb'", "xgboost"]),
        (["--search", "gird"], ["expected a search, got 'gird'", "'grid'"]),
        (["--metric", "accuracyy"], ["got 'accuracyy'", "'accuracy'"]),
        (["--metric", "rmse"], ["expected a binary metric, got 'rmse'", "valid: roc_auc"]),
        (["--task", "clasification"], ["expected a task", "'clasification'"]),
        (["--budget", "0"], ["expected a budget of more than 0 seconds, got 0", "budget=120"]),
        (["--budget", "nan"], ["got nan"]),
        (["--folds", "1"], ["expected at least 2 folds, got 1"]),
        (["--test-size", "1"], ["expected test_size between 0 and 1, got 1"]),
        (["--seed", "-1"], ["expected a seed", "got -1"]),
        (["--group", "a", "--time", "b"], ["expected group or time, got both", "leave one out"]),
        (["--target", "yy"], ["'yy'", "'y'"]),
        (["--group", "bb"], ["'bb'", "'b'"]),
        (["--max-memory", "lots"], ["expected max_memory from 256m to 1024t, got 'lots'", "2g"]),
        (["--isolate", "--memory", "lots"], ["expected --memory from 256m to 1024t, got 'lots'"]),
        (["--max-memory", "1m"], ["from 256m", "'1m'"]),
        (["--register", "a/b"], ["'a/b'", "register="]),
        (["--schema", "nowhere.json"], ["expected a schema file at 'nowhere.json'"]),
        (["--cpus", "1"], ["--isolate"]),
        (["--task", "regression"], ["'y'"]),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_and_exit_code_2(
    store: Path, arguments: list[str], expected: list[str]
) -> None:
    target = [] if "--target" in arguments else ["--target", "y"]
    done = sixfold("train", "table.csv", *target, *arguments)
    assert done.exit_code == 2, done.output
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("sixfold: expected")
    for text in expected:
        assert text in lines[-1]
    assert "Traceback" not in done.output
    assert not (store / "mlflow.db").exists() or statuses() == []


def test_a_missing_file_is_one_line_and_exit_code_2(store: Path) -> None:
    done = sixfold("train", "tabel.csv", "--target", "y")
    assert done.exit_code == 2
    assert done.stderr.strip().splitlines()[-1].startswith("sixfold: expected")
    assert "tabel.csv" in done.stderr


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://someone:secret@127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://127.0.0.1:port", "127.0.0.1:port"),
        ("nonsense://somewhere", "nonsense"),
        ("sqlite:////proc/nowhere/mlflow.db", "sqlite"),
    ],
)
@pytest.mark.parametrize("command", [["train", "table.csv", "--target", "y"], ["leaderboard"]])
def test_a_tracking_store_that_does_not_answer(
    store: Path, command: list[str], uri: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    done = sixfold(*command)
    assert done.exit_code == 2, done.output
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("sixfold: expected")
    assert expected in last
    assert "MLFLOW_TRACKING_URI" in last
    assert "secret" not in done.output


def test_a_wrong_command_is_answered_with_the_nearest() -> None:
    done = sixfold("leadrboard")
    assert done.exit_code == 2
    assert "leaderboard" in done.output


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['sixfold', 'train', '--help']; from sixfold import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'mlflow', 'sklearn', 'pandas', 'numpy', 'optuna', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--budget" in done.stdout


def test_the_leaderboard_of_the_latest_training_and_of_a_run(trained: Trained) -> None:
    latest = sixfold("leaderboard", "--json")
    assert latest.exit_code == 0, latest.output
    assert json.loads(latest.stdout) == trained.board
    again = sixfold("leaderboard", trained.board["run_id"], "--json")
    assert json.loads(again.stdout) == trained.board
    shown = sixfold("leaderboard").stdout
    for row in trained.board["candidates"]:
        assert row["name"] in shown


def test_a_run_that_is_no_training_has_no_leaderboard(trained: Trained) -> None:
    for run in ("nonsense", trained.row("decision_tree")["run_id"]):
        done = sixfold("leaderboard", run)
        assert done.exit_code == 2
        assert done.stderr.startswith("sixfold: expected")


def test_no_training_no_leaderboard(store: Path) -> None:
    done = sixfold("leaderboard")
    assert done.exit_code == 2
    assert "run `sixfold train` first" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_processes_and_marks_the_runs(store: Path, number: int) -> None:
    command = [
        sys.executable, "-m", "sixfold", "train", "table.csv", "--target", "y",
        "--budget", "300", "--algorithms", "random_forest,svm",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with (store / "said").open("w") as said:
        process = subprocess.Popen(
            command, cwd=store, stderr=said, env=environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        while "trial" not in (store / "said").read_text() and time.monotonic() < deadline:
            assert process.poll() is None, (store / "said").read_text()
            time.sleep(0.2)
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        os.killpg(process.pid, number)  # as a terminal does, to all of them
        assert process.wait(60) == 130
        text = (store / "said").read_text()
        assert text.strip().splitlines()[-1] == (
            "sixfold: interrupted; what was begun is marked so in MLflow"
        )
        assert "Traceback" not in text
        _, alive = psutil.wait_procs(below, timeout=10)
        assert not alive
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert statuses() == ["KILLED"]
