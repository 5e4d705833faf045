"""What was in a stage, from when to when, by whom, and on what grounds: read from the records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from registry import journal, store
from registry.journal import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Period:
    """A time in which a version was in the stage.

    Attributes
    ----------
    version : str
    since : float
        Seconds since the epoch.
    until : float or None
        None: it still is.
    record : Record
        The decision that brought it in.
    """

    version: str
    since: float
    until: float | None
    record: Record


@dataclass(frozen=True)
class History:
    """A model's history in one stage.

    Attributes
    ----------
    model, stage : str
    periods : list of Period
        The newest first.
    attempts : list of Record
        Promotions that were refused, interrupted or failed, and approvals; the newest first.
    now : str or None
        The version in the stage now.
    by_hand : bool
        Whether that is another one than was decided: it was moved past the gates.
    """

    model: str
    stage: str
    periods: list[Period]
    attempts: list[Record]
    now: str | None
    by_hand: bool


def read_history(client: "MlflowClient", model: str, stage: str = "Production") -> History:
    """Read a model's history.

    Raises
    ------
    UserError
        No such model.
    """
    found = store.registered_model(client, model)
    current = next(
        (str(v.version) for v in found.latest_versions or [] if v.current_stage == stage), None
    )
    records = [item for item in journal.read(client, model) if item.stage in (stage, "")]
    periods = periods_of(records)
    decided = periods[0].version if periods else None
    attempts = [item for item in reversed(records) if not item.decided]
    return History(model, stage, periods, attempts, current, current != decided)


def periods_of(records: Sequence[Record]) -> list[Period]:
    """The times between decisions, the newest first.

    Parameters
    ----------
    records : sequence of Record
        In the order of time.
    """
    decided = [record for record in records if record.decided]
    ends = [*(record.decided for record in decided[1:]), None]
    periods = [
        Period(record.version, record.decided, until, record)
        for record, until in zip(decided, ends, strict=False)  # of no decision there is no end
    ]
    return periods[::-1]


def stack_of(records: Sequence[Record]) -> list[str]:
    """The versions that rollbacks go back through, the one in the stage last.

    A promotion is put on top; a rollback takes off all that came after the version it goes to.
    """
    stack: list[str] = []
    for record in records:
        if not record.decided:
            continue
        if record.kind == journal.ROLLED_BACK and record.version in stack:
            while stack[-1] != record.version:
                stack.pop()
        elif not stack or stack[-1] != record.version:
            stack.append(record.version)
    return stack


def plain(history: History) -> dict[str, Any]:
    """The history as JSON has it; times in ISO 8601, UTC."""
    return {
        "model": history.model,
        "stage": history.stage,
        "version_now": history.now,
        "moved_by_hand": history.by_hand,
        "periods": [
            {
                "version": period.version,
                "from": moment(period.since),
                "until": None if period.until is None else moment(period.until),
                "kind": period.record.kind,
                "by": period.record.user,
                "host": period.record.host,
                "grounds": period.record.grounds,
                "note": period.record.note,
                "commit": period.record.commit,
                "run_id": period.record.run_id,
            }
            for period in history.periods
        ],
        "attempts": [
            {
                "version": record.version,
                "when": moment(record.began),
                "kind": record.kind,
                "outcome": record.outcome,
                "by": record.user,
                "grounds": record.grounds,
                "note": record.note,
                "run_id": record.run_id,
            }
            for record in history.attempts
        ],
    }


def table(history: History) -> Any:
    """The history as a table for the terminal (rich)."""
    from rich.box import SIMPLE
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE, title=f"{history.model}: what was in {history.stage}")
    for heading in ("version", "from (UTC)", "until", "by", "grounds"):
        shown.add_column(heading)
    for period in history.periods:
        record = period.record
        grounds = f"{record.kind}: {record.grounds}" + (f"; {record.note}" if record.note else "")
        until = "now" if period.until is None else moment(period.until)[:19]
        if period.until is None and history.by_hand:
            until = "?"
        since = moment(period.since)[:19]
        shown.add_row(*map(Text, (period.version, since, until, record.user, grounds)))
    lines: list[Any] = [shown]
    if history.by_hand:
        there = f"version {history.now}" if history.now else "no version"
        lines.append(
            Text(f"now {there} is there, moved past the gates: see `sixfold audit`", "bold red")
        )
    for record in history.attempts:
        said = f"{moment(record.began)[:19]} {record.kind} of version {record.version} by "
        said += f"{record.user}: {record.outcome}"
        lines.append(Text("; ".join(filter(None, (said, record.grounds, record.note))), "dim"))
    return Group(*lines)


def moment(seconds: float) -> str:
    """A moment in ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
