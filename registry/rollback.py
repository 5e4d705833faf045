"""Back to the version that was in a stage before: one command, no gates, never without a note."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from registry import decisions, journal, store
from registry.history import stack_of
from registry.journal import Record
from registry.version import Version
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient


def roll_back(
    client: "MlflowClient",
    model: str,
    note: str,
    say: Callable[[str], None],
    to_version: str = "",
    stage: str = "Production",
) -> tuple[str | None, str]:
    """Put a version back that was in the stage.

    Parameters
    ----------
    client : MlflowClient
    model : str
    note : str
        Why; it is kept in the history.
    say : callable (str)
    to_version : str, default ''
        Any version that was in the stage; the last one before the present one if not given.
    stage : str, default 'Production'

    Returns
    -------
    before, now : str or None, str
        Versions.

    Raises
    ------
    UserError
        No note, nothing to go back to, or a version that never was in the stage.
    """
    if not note.strip():
        raise UserError("expected a note on why it is rolled back, got none; add --note '…'")
    found = store.registered_model(client, model)
    decisions.settle(client, model, say)
    current = store.in_stage(client, model, stage)
    known = [item for item in journal.read(client, model) if item.stage == stage]
    target = _target(client, model, stage, current, known, to_version)
    before = current.version if current else None
    with journal.recording(client, journal.ROLLED_BACK, target, stage, note) as run_id:
        grounds = "rolled back from " + (f"version {before}" if before else "none")
        decisions.decide(client, run_id, target, stage, grounds, target.description, {})
        decisions.carry_out(client, found.name, stage)
        journal.end(client, run_id, "promoted")
    return before, target.version


def _target(
    client: "MlflowClient",
    model: str,
    stage: str,
    current: Version | None,
    known: list[Record],
    wanted: str,
) -> Version:
    was_there = {item.version for item in known if item.decided} | {
        item.replaced for item in known if item.decided and item.replaced
    }
    now = current.version if current else ""
    if wanted:
        version = store.find_version(client, model, wanted)
        if wanted not in was_there or wanted == now:
            others = ", ".join(sorted(was_there - {now}, key=int)) or "none"
            raise UserError(
                f"expected a version of {model} that was in {stage} before, got {wanted}; there "
                f"are: {others}"
            )
        return version
    stack = stack_of(known)
    first = next((item for item in known if item.decided), None)
    if first and first.replaced:
        stack = [first.replaced, *stack]  # it was there before there were records
    while stack and stack[-1] == now:
        stack.pop()
    while stack:
        try:
            version = store.find_version(client, model, stack[-1])
        except UserError:  # it was deleted
            stack.pop()
            continue
        return version
    raise UserError(
        f"expected a version of {model} that was in {stage} before, got none: there is nothing to "
        "go back to; `sixfold history` shows what was there"
    )
