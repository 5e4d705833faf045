"""One training with a clock on everything that is drawn, saved and written to MLflow.

`python -m benchmarks.tracked FILE DATA` writes the seconds of each candidate's parts as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(file: Path, data: str) -> int:
    """Train with defaults, and time what `training.candidates.finished` and its drawing take."""
    from training import candidates, cli

    seconds: dict[str, dict[str, float]] = {}
    record = candidates.finished

    def timed(name: str, tuned: Any, result: Any, *others: Any) -> Any:
        start = time.perf_counter()
        outcome = record(name, tuned, result, *others)
        seconds[name] = {
            "plots": result.seconds.get("plots", 0.0),
            "save": result.seconds.get("save", 0.0),
            "write": time.perf_counter() - start,
        }
        return outcome

    setattr(candidates, record.__name__, timed)
    cli.train.main([data, "--search", "none", "--quiet"], standalone_mode=False)
    file.write_text(json.dumps(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
