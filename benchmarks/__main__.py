"""Measures: `python -m benchmarks [NAME]... [--json] [--write] [--rounds N] [--minutes N]`."""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from benchmarks import endurance, overhead, promotion, registry, scaling, serving, tracking
from benchmarks.report import Result, machine, machine_line, write

_MEASUREMENTS: dict[str, Callable[..., Result]] = {
    "overhead": overhead.measure,
    "tracking": tracking.measure,
    "promotion": promotion.measure,
    "registry": registry.measure,
    "serving": serving.measure,
    "scaling": scaling.measure,
    "endurance": endurance.measure,
}
_QUIET = 10.0
_README = Path(__file__).with_name("README.md")


def main() -> int:
    """Measure, and print ratios; returns 1 if something is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(_MEASUREMENTS)}; default: all"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs behind each median (default 3)")
    parser.add_argument("--minutes", type=float, default=3, help="of endurance (default 3)")
    parser.add_argument(
        "--candidates", default="", metavar="NAME,...", help="of serving and scaling (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--write", action="store_true", help="write the tables into README.md")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(_MEASUREMENTS))
    if unknown:
        parser.error(f"expected {', '.join(_MEASUREMENTS)}, got {unknown[0]!r}")
    chosen = [name for name in given.candidates.split(",") if name]
    measurements = _MEASUREMENTS | {
        "serving": partial(serving.measure, candidates=chosen),
        "scaling": partial(scaling.measure, candidates=chosen),
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends children, removes folders
    results = []
    for name in given.names or _MEASUREMENTS:
        _say(f"measuring {name}, rounds: {given.rounds}")
        busy = psutil.cpu_percent(interval=2)
        if busy > _QUIET:
            _say(f"other work takes {busy:.0f} % of this machine: its figures will be too high")
        result = measurements[name](given.minutes if name == "endurance" else given.rounds)
        results.append(result)
        if not given.json:
            print(f"\n{result.name}\n\n{result.markdown()}", flush=True)
        if given.write:
            write(_README, [result])
    if given.json:
        figures = {result.name: result.figures for result in results}
        print(json.dumps({"machine": machine(), **figures}, indent=1))
    else:
        print(machine_line())
    return int(not all(figure["within"] for result in results for figure in result.figures))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
