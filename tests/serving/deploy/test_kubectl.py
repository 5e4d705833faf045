"""What kubectl says of the cluster, and what it does not."""

import json
from pathlib import Path

import pytest

from serving.deploy.kubectl import Kubectl


@pytest.mark.parametrize(
    ("printed", "code", "version"),
    [
        ({"major": "1", "minor": "31"}, 0, "1.31"),
        ({"major": "1", "minor": "27+"}, 0, "1.27"),
        ({"major": "1", "minor": ""}, 0, ""),
        ({"major": "1"}, 0, ""),
        ("none", 0, ""),
        ({"major": "1", "minor": "31"}, 1, ""),
    ],
)
def test_the_version_of_a_cluster_that_may_not_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: object, code: int, version: str
) -> None:
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(printed)}'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Kubectl().version() == version
