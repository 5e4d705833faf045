"""What a policy may say: each gate's settings with their types and ranges, and those at the top.

The values are in `policy.toml`; here is only what they may be. A new setting is a line here, a line
there, and its use in the gate.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from training.errors import nearest

ENFORCE = ("enforce", "warn", "off")

#: Answers what is wrong with a value, '' if nothing.
Check = Callable[[Any], str]


def between(low: float, high: float = math.inf) -> Check:
    """A number in a range, both ends included."""

    def check(value: Any) -> str:
        if low <= value <= high:
            return ""
        return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"

    return check


def one_of(*names: str) -> Check:
    """One of some words."""

    def check(value: Any) -> str:
        shown = ", ".join(f'"{name}"' for name in names)
        return "" if value in names else f"one of {shown}; {nearest(str(value), names)}"

    return check


def metrics(value: Mapping[str, float]) -> str:
    """Names of metrics, with a number each."""
    from training.evaluate import METRICS

    for name in value:
        if name not in METRICS:
            return f"metrics' names, not {name!r}; {nearest(name, METRICS)}"
    return ""


def distinct(value: tuple[str, ...]) -> str:
    """Each name once, none empty."""
    if len(set(value)) == len(value) and all(name.strip() for name in value):
        return ""
    return "each name once, none empty"


Enforce = Annotated[str, one_of(*ENFORCE)]
Names = Annotated[tuple[str, ...], distinct]
Share = Annotated[float, between(0, 1)]
Count = Annotated[int, between(1)]
Resamples = Annotated[int, between(100, 100_000)]


@dataclass(frozen=True)
class Settings:
    """What every gate has."""

    enforce: Enforce


@dataclass(frozen=True)
class Loads(Settings):
    seconds: Annotated[float, between(1, 86_400)]


@dataclass(frozen=True)
class Signature(Settings):
    pass


@dataclass(frozen=True)
class Quality(Settings):
    above_baseline: Share
    margin: Share
    judge: Annotated[str, one_of("estimate", "interval")]
    min_rows: Count
    resamples: Resamples
    thresholds: Annotated[Mapping[str, float], metrics]


@dataclass(frozen=True)
class Slices(Settings):
    columns: Names
    top: Annotated[int, between(1, 100)]
    margin: Share
    min_rows: Annotated[int, between(2)]
    resamples: Resamples


@dataclass(frozen=True)
class Calibration(Settings):
    max_ece: Share
    max_brier: Annotated[float, between(0, 2)]
    bins: Annotated[int, between(2, 1_000)]


@dataclass(frozen=True)
class Latency(Settings):
    p95_ms: Annotated[float, between(0)]
    max_megabytes: Annotated[float, between(0)]
    calls: Annotated[int, between(20, 10_000)]


@dataclass(frozen=True)
class Fairness(Settings):
    columns: Names
    max_parity_difference: Share
    max_odds_difference: Share
    min_rows: Count


@dataclass(frozen=True)
class Freshness(Settings):
    max_days: Annotated[float, between(0)]


@dataclass(frozen=True)
class Lineage(Settings):
    allow_dirty: bool


@dataclass(frozen=True)
class Approving(Settings):
    pass


@dataclass(frozen=True)
class Top:
    """What stands at the top of a policy, before the gates."""

    approvers: Names
    approvals: Annotated[int, between(0, 1_000)]
    trainer_may_approve: bool


#: A gate's table in the policy -> its settings; in the order of the gates.
TABLES: dict[str, type[Settings]] = {
    "loads": Loads,
    "signature": Signature,
    "quality": Quality,
    "slices": Slices,
    "calibration": Calibration,
    "latency": Latency,
    "fairness": Fairness,
    "freshness": Freshness,
    "lineage": Lineage,
    "approval": Approving,
}
