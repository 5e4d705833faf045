"""Requests made from the server's own description of itself: none fails, none is misdescribed."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from serving.compile import compile_model
from tests.serving.foreign import bundle_of, save_table_model, save_tensor_model
from tests.serving.models import write_model
from tests.serving.server.running import running
from tests.training.problems import frame_of

#: Not whether exactly that is accepted which is described: MLflow's formats take more than is worth
#: describing, and no JSON Schema can say that a tensor's shape counts its data.
_LEFT_OUT = "positive_data_acceptance,negative_data_rejection"
_OPTIONS = ["--max-examples", "60", "--seed", "1", "--exclude-checks", _LEFT_OUT]


def trained(task: str, folder: Path) -> Path:
    """The bundle of a model of ours."""
    frame = frame_of("all", task, 200).drop(columns="t")
    model = write_model(folder / "model", frame, ["decision_tree"])
    compile_model(model, folder / "bundle", {"model": "churn", "version": "3"})
    return folder / "bundle"


def theirs(save: Callable[[Path], Path], folder: Path) -> Path:
    """The bundle of a model of others: MLflow and their code read the requests."""
    return bundle_of(save(folder / "model"), folder / "bundle")


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(partial(trained, "regression"), id="regression"),
        pytest.param(partial(trained, "multiclass"), id="multiclass"),
        pytest.param(partial(theirs, save_table_model), id="a table of others"),
        pytest.param(partial(theirs, save_tensor_model), id="a tensor of others"),
    ],
)
def test_schemathesis_finds_nothing(make: Callable[[Path], Path], tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    with running(make(tmp_path)) as server:
        address = f"http://127.0.0.1:{server.port}/openapi.json"
        done = subprocess.run(
            [program, "run", address, *_OPTIONS],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=500,
        )
        log = server.log()
    assert done.returncode == 0, done.stdout[-6_000:]
    assert "a request failed" not in log, log
