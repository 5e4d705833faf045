"""Requests made from the server's own description of itself: none fails, none is misdescribed."""

import subprocess
import sys
from pathlib import Path

import pytest

from serving.compile import compile_model
from tests.serving.models import write_model
from tests.serving.server.running import running
from tests.training.problems import frame_of

#: Not whether exactly that is accepted which is described: MLflow's formats take more than is worth
#: describing, and no JSON Schema can say that a tensor's shape counts its data.
_LEFT_OUT = "positive_data_acceptance,negative_data_rejection"
_OPTIONS = ["--max-examples", "60", "--seed", "1", "--exclude-checks", _LEFT_OUT]


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_schemathesis_finds_nothing(task: str, tmp_path: Path) -> None:
    frame = frame_of("all", task, 200).drop(columns="t")
    model = write_model(tmp_path / "model", frame, ["decision_tree"])
    compile_model(model, tmp_path / "bundle", {"model": "churn", "version": "3"})
    program = Path(sys.executable).with_name("schemathesis")
    with running(tmp_path / "bundle") as server:
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
    assert "failed" not in log, log
