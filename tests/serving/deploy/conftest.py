"""A `kubectl` without a cluster, for the tests that deploy to Kubernetes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_STAND_IN = Path(__file__).with_name("kubectl_stand_in.py")


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """Put the stand-in into PATH; what it has by now."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {_STAND_IN} "$@"\n')
    program.chmod(0o755)
    store = tmp_path / "objects.json"
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("STAND_IN_STORE", str(store))
    return lambda: json.loads(store.read_text()) if store.exists() else {}
