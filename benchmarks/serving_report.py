"""What the loads of serving images come to: each candidate's worst, the images, all figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.load import Load
from benchmarks.report import Result, show, table

#: One row and a hundred: times the requests a second of MLflow's image.
_FASTER = {1: 50.0, 100: 25.0}
_LESS_CPU = 80.0  # times MLflow's a request of one row
_OF_ECHO = 0.6  # of its requests of one row
_SIZE, _SLIM = 0.45, 200e6  # of MLflow's image, bytes
_START, _MEMORY, _BUILD = 0.8, 100e6, 3.0  # seconds and bytes of two workers; a further version's
_NAMES = {"sixfold": "Sixfold", "mlflow": "MLflow", "bentoml": "BentoML", "echo": "echo"}
_MANY = 2  # workers, where a limit names them

Case = tuple[int, int, int]


@dataclass
class Figures:
    """What was measured of one server with one candidate; lists have an entry a round.

    Attributes
    ----------
    loads, cpu : dict of (workers, rows, connections) to list
        Loads, and seconds of CPU a request.
    start, memory : dict of workers to list
        Seconds from the container's start to the first prediction, and bytes after all loads.
    """

    loads: dict[Case, list[Load]] = field(default_factory=dict)
    cpu: dict[Case, list[float]] = field(default_factory=dict)
    start: dict[int, list[float]] = field(default_factory=dict)
    memory: dict[int, list[int]] = field(default_factory=dict)

    def middle(self, case: Case) -> dict[str, float]:
        """Medians of the rounds: `rate`, `p50`, `p99`, `cpu`."""
        loads = self.loads[case]
        found = {name: median(getattr(one, name) for one in loads) for name in _OF_LOAD}
        return {**found, "cpu": median(self.cpu[case])}


_OF_LOAD = ("rate", "p50", "p99")


@dataclass
class Costs:
    """What images cost before they answer.

    Attributes
    ----------
    size : dict of server to int
        Bytes of the others' images.
    build : dict of server to float
        Seconds that the others' images took.
    built : list of dict
        What `sixfold build` has said of each version, in order.
    slim : int
        Bytes of the largest slim image.
    """

    size: dict[str, int] = field(default_factory=dict)
    build: dict[str, float] = field(default_factory=dict)
    built: list[dict[str, Any]] = field(default_factory=list)
    slim: int = 0


def report(
    candidates: Sequence[str], found: dict[tuple[str, str], Figures], costs: Costs
) -> Result:
    """Compare with the limits.

    Parameters
    ----------
    candidates : sequence of str
    found : dict of (candidate, server) to Figures
    costs : Costs

    Returns
    -------
    Result
        Its figures are those of each case and candidate, and of the images.
    """
    cases = [
        _case(name, case, found) for name in candidates for case in found[name, "sixfold"].loads
    ]
    images = _images(found, costs)
    rounds = max(len(loads) for one in found.values() for loads in one.loads.values())
    rows = [_worst(name, [one for one in cases if one["candidate"] == name]) for name in candidates]
    workers = sorted({one["workers"] for one in cases}, reverse=True)
    folded = [
        _folded(count, [one for one in cases if one["workers"] == count]) for count in workers
    ]
    more = [_images_table(images), *folded]
    return Result("serving", _what(rounds), _WORST, rows, [*cases, images], "\n\n".join(more))


def _case(candidate: str, case: Case, found: dict[tuple[str, str], Figures]) -> dict[str, Any]:
    workers, rows, connections = case
    servers = {name: found[candidate, name].middle(case) for name in _NAMES}
    ours, stock, echo = (servers[name] for name in ("sixfold", "mlflow", "echo"))
    faster, less_cpu = ours["rate"] / stock["rate"], stock["cpu"] / ours["cpu"]
    of_echo = ours["rate"] / echo["rate"]
    within = faster >= _FASTER[rows]
    if rows == 1:
        within = within and less_cpu >= _LESS_CPU and of_echo >= _OF_ECHO
    return {
        "candidate": candidate,
        "workers": workers,
        "rows": rows,
        "connections": connections,
        "servers": servers,
        "faster": faster,
        "less_cpu": less_cpu,
        "of_echo": of_echo,
        "within": within,
    }


def _images(found: dict[tuple[str, str], Figures], costs: Costs) -> dict[str, Any]:
    """What each server takes besides CPU; the worst of ours, the best of the others."""
    again = [one["seconds"] for one in costs.built[1:]]
    beyond = [sum(seconds.values()) - seconds["download"] for seconds in again]
    start, memory = {}, {}
    for name in _NAMES:
        of_server = [figures for (_, server), figures in found.items() if server == name]
        start[name] = median(t for one in of_server for t in one.start[_MANY])
        worst = max if name == "sixfold" else min
        memory[name] = worst(b for one in of_server for b in one.memory[_MANY])
    size = {"sixfold": max(one["bytes"] for one in costs.built), **costs.size}
    return {
        "bytes": size,
        "slim_bytes": costs.slim,
        "own_bytes": max(one["own_bytes"] for one in costs.built),
        "build_seconds": {"sixfold": sum(costs.built[0]["seconds"].values()), **costs.build},
        "further_build_seconds": max(beyond) if beyond else None,
        "start_seconds": start,
        "memory_bytes": memory,
        "within": (
            size["sixfold"] <= _SIZE * size["mlflow"]
            and costs.slim <= _SLIM
            and start["sixfold"] <= _START
            and memory["sixfold"] <= _MEMORY
            and max(beyond, default=0) <= _BUILD
        ),
    }


def _what(rounds: int) -> str:
    return (
        f"One row: at least {_FASTER[1]:.0f} times the requests a second of MLflow's own image of "
        f"the same version, at most 1/{_LESS_CPU:.0f} of its CPU a request, at least "
        f"{_OF_ECHO:.0%} of the requests of an echo of JSON on the same server; 100 rows: at least "
        f"{_FASTER[100]:.0f} times MLflow's requests. Of each limit the worst case is shown, of "
        f"one worker and two, 1, 8 and 32 connections; of {rounds} rounds the median"
    )


_WORST = [
    "candidate",
    "1 row: faster than MLflow (50)",
    "less CPU (80)",
    "of the echo (0.6)",
    "faster than BentoML",
    "100 rows: faster than MLflow (25)",
    "faster than BentoML",
    "within",
]


def _worst(candidate: str, cases: list[dict[str, Any]]) -> list[str]:
    one, many = ([case for case in cases if case["rows"] == rows] for rows in _FASTER)

    def least(some: list[dict[str, Any]], name: str) -> float:
        return min(float(case[name]) for case in some)

    def than_bentoml(some: list[dict[str, Any]]) -> str:
        servers = [case["servers"] for case in some]
        return (
            f"{min(one['sixfold']['rate'] / one['bentoml']['rate'] for one in servers):.0f} times"
        )

    return [
        candidate,
        f"{least(one, 'faster'):.0f} times",
        f"{least(one, 'less_cpu'):.0f} times",
        f"{least(one, 'of_echo'):.2f}",
        than_bentoml(one),
        f"{least(many, 'faster'):.0f} times",
        than_bentoml(many),
        "yes" if all(case["within"] for case in cases) else "NO",
    ]


def _images_table(images: dict[str, Any]) -> str:
    heading = ["", "image", "`--slim`", "first build", "further version", "first answer", "memory"]
    slim, further = images["slim_bytes"], images["further_build_seconds"]
    rows = []
    for name, shown in _NAMES.items():
        ours = name == "sixfold"
        rows.append(
            [
                shown,
                _megabytes(images["bytes"].get(name)),
                _megabytes(slim if ours else None),
                _seconds(images["build_seconds"].get(name)),
                _seconds(further if ours else None),
                _seconds(images["start_seconds"][name]),
                _megabytes(images["memory_bytes"][name]),
            ]
        )
    limits = [
        f"{_SIZE:.0%} of MLflow's",
        _megabytes(_SLIM),
        "",
        _seconds(_BUILD),
        _seconds(_START),
        _megabytes(_MEMORY),
    ]
    rows.append(["limit", *limits])
    own = images["own_bytes"]
    told = (
        "Sixfold's image is the largest of all candidates', of which a version's own layer is at "
        f"most {show(own / 1e3)} kB; builds are without the base and the model's download, further "
        "versions the slowest. Two workers first answer after so many seconds; after all loads "
        "they hold so much memory, Sixfold's the most of all candidates', the others' the least: "
        f"{'within' if images['within'] else 'NOT within'}."
    )
    return f"{told}\n\n{table(heading, rows)}"


def _folded(workers: int, cases: list[dict[str, Any]]) -> str:
    """All figures of so many workers, in a part that a reader opens."""
    heading = ["candidate", "rows / connections"]
    for what in ("requests/s", "p50 / p99, ms", "CPU µs a request"):
        heading += [f"{what}, {name}" for name in _NAMES.values()]
    rows = []
    for case in cases:
        servers = [case["servers"][name] for name in _NAMES]
        rows.append(
            [
                case["candidate"],
                f"{case['rows']} / {case['connections']}",
                *[show(one["rate"]) for one in servers],
                *[f"{show(one['p50'] * 1e3)} / {show(one['p99'] * 1e3)}" for one in servers],
                *[show(one["cpu"] * 1e6) for one in servers],
                "yes" if case["within"] else "NO",
            ]
        )
    title = f"All figures of {workers} worker{'s' if workers > 1 else ''}"
    shown = table([*heading, "within"], rows)
    return f"<details><summary>{title}</summary>\n\n{shown}\n\n</details>"


def _megabytes(count: float | None) -> str:
    return "" if count is None else f"{count / 1e6:,.0f} MB"


def _seconds(count: float | None) -> str:
    return "" if count is None else show(count, "s")
