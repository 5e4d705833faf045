"""The gates of one promotion, with a clock on them, in the store of the current folder.

`python -m benchmarks.promoted FILE MODEL` holds version 2 of a model against version 1, as in
Production, and writes the seconds and each gate's outcome as JSON.
"""

import json
import sys
import time
from pathlib import Path


def main(file: Path, model: str) -> int:
    """Gather the evidence and check all gates, those that are off by default among them."""
    from training.console import quieten

    quieten()
    from registry.evidence import gather
    from registry.gates import GATES, check
    from registry.policy import load_policy
    from registry.store import connect, find_version, read_facts, rows_reader

    client = connect()
    production, candidate = (
        read_facts(client, find_version(client, model, number)) for number in ("1", "2")
    )
    policy = load_policy(model, Path.cwd())
    start = time.perf_counter()
    evidence = gather(
        candidate,
        production,
        policy,
        approvals=(),
        say=lambda _: None,
        rows_of=rows_reader(client),
    )
    gathered = time.perf_counter()
    results = check(evidence)
    end = time.perf_counter()
    assert len(results) == len(GATES)
    assert evidence.rows is not None, evidence.no_rows
    assert evidence.production_probe is not None
    figures = {
        "rows": len(evidence.rows),
        "gather": gathered - start,
        "check": end - gathered,
        "predictions": evidence.candidate_probe.predict_seconds
        + evidence.production_probe.predict_seconds,
        "outcomes": {result.gate: result.outcome for result in results},
    }
    file.write_text(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
