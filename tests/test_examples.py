"""How Hypothesis is set: see conftest.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

_SHOWN = (
    "import tests.conftest; from hypothesis import settings; s = settings(); "
    "print(s.deadline, s.derandomize, s.database is None, s.print_blob, "
    "len(s.suppress_health_check))"
)


def test_no_example_is_timed() -> None:
    assert settings().deadline is None
    assert settings(max_examples=7).deadline is None


@pytest.mark.parametrize(
    ("ci", "shown"), [("true", "None True True True 1"), ("", "None False False False 0")]
)
def test_all_else_is_hypothesis_own_in_ci_and_elsewhere(ci: str, shown: str) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", _SHOWN],
        cwd=Path(__file__).parents[1],
        env=kept | ({"CI": ci} if ci else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == shown
