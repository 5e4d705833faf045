"""LightGBM's OpenMP where the system has none, as in `tests/e2e/test_plain_image.py`."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from pathlib import Path
from training import openmp
(copy, *_) = openmp._copies()
assert openmp._loads_renamed(copy)
print(Path("/proc/self/maps").read_text())
"""


def test_a_copy_is_loaded_under_the_name_that_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "memfd:libgomp.so.1" in done.stdout
