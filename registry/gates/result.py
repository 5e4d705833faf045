"""What a gate finds, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Finding:
    """What a gate answers.

    Attributes
    ----------
    outcome : {'passed', 'failed', 'skipped'}
        Skipped: the gate has no meaning here.
    sentence : str
        What was found, with its numbers, in one sentence.
    figure, threshold : float, optional
        The number that decides, and what it is held against.
    details : mapping
        More, as JSON has it: for the record, the picture and the comparison.
    """

    outcome: str
    sentence: str
    figure: float | None = None
    threshold: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A gate's finding under the policy.

    Attributes
    ----------
    gate : str
    outcome : {'passed', 'failed', 'skipped'}
    enforce : {'enforce', 'warn'}
        As the policy has it.
    figure, threshold : float or None
    sentence : str
    details : dict
        JSON has all of it.
    """

    gate: str
    outcome: str
    enforce: str
    figure: float | None
    threshold: float | None
    sentence: str
    details: dict[str, Any]

    @property
    def stops(self) -> bool:
        """Whether the promotion must not go on."""
        return self.outcome == FAILED and self.enforce == "enforce"


def outcome(passed: bool) -> str:
    """`passed` or `failed`."""
    return PASSED if passed else FAILED
