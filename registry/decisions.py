"""What is decided about a model's stages, and how it becomes true.

A decision is written before anything is changed, and what it says is then made true. So a process
that dies leaves either no decision, or one that anybody can carry out: `settle` does, at the start
of the next command. There is no lock. Of two decisions at once the later one holds: whoever has
changed a stage looks again for a newer decision, until there is none (`carry_out`).
"""

import json
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from registry import journal, store
from registry.journal import DECIDED, FROM, GROUNDS, OUTCOME, STAGE, Record
from registry.version import ALIASES, PROMOTION, Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: The version's description and tags, as a decision makes them.
SHOWN = "version.json"
#: A record of another machine's process that has been begun this long ago is nobody's any more;
#: one that was decided is carried out by whoever comes next.
_ABANDONED, _DECIDED_BY_NOW = 3_600.0, 60.0
_TRIES = 5


def decide(
    client: "MlflowClient",
    run_id: str,
    version: Version,
    stage: str,
    grounds: str,
    description: str,
    tags: Mapping[str, str],
) -> None:
    """Write that a version is to be in a stage. From here on it is carried out, by whomever.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
        The record's, begun.
    version : Version
    stage : str
    grounds : str
        The gates in short, or why there were none.
    description : str
        The version's, in Markdown, once it is in the stage.
    tags : mapping of str to str
        The version's.
    """
    journal.keep(
        client, run_id, {SHOWN: json.dumps({"description": description, "tags": dict(tags)})}
    )
    before = newest(client, version.model, stage)
    current = store.in_stage(client, version.model, stage)
    # Machines' clocks differ; a later decision must come after an earlier one all the same.
    decided = max(time.time(), before.decided + 1e-3 if before else 0.0)
    journal.tag(
        client,
        run_id,
        {
            FROM: current.version if current else "",
            GROUNDS: grounds,
            OUTCOME: "decided",
            DECIDED: f"{decided:.6f}",
        },
    )


def carry_out(client: "MlflowClient", model: str, stage: str) -> Record:
    """Make true what the newest decision about a stage says, and go on until there is no newer one.

    Every step may be repeated: two processes that do this at once end with the same result.
    """
    while True:
        decision = newest(client, model, stage)
        assert decision is not None, "nothing was decided"
        _repeated(partial(_apply, client, decision))
        latest = newest(client, model, stage)
        if latest is not None and latest.run_id == decision.run_id:
            return decision


def settle(client: "MlflowClient", model: str, say: Callable[[str], None]) -> None:
    """Finish or undo what a process has begun that is no more, and say so."""
    for record in journal.read(client, model, running=True):
        what = f"the {record.kind} of {model} version {record.version} to {record.stage}"
        if record.outcome in ("decided", "promoted"):
            if journal.lives(record, _DECIDED_BY_NOW):
                continue
            decision = newest(client, model, record.stage)
            assert decision is not None, "this one was decided"
            if not store.has_version(client, model, decision.version):
                why = f"interrupted, and version {decision.version} was deleted meanwhile"
                journal.end(client, record.run_id, "interrupted", why)
                say(f"closed {what}, which {record.user} had begun: {why}")
                continue
            carry_out(client, model, record.stage)
            journal.end(client, record.run_id, "promoted")
            say(f"finished {what}, which {record.user} had begun and which was interrupted")
        elif not journal.lives(record, _ABANDONED):
            why = "interrupted before anything was decided; nothing was changed"
            journal.end(client, record.run_id, "interrupted", why)
            say(f"closed {what}, which {record.user} had begun: {why}")


def newest(client: "MlflowClient", model: str, stage: str) -> Record | None:
    """The latest decision about a stage of a model."""
    experiment = journal.experiment_of(client, model)
    if experiment is None:
        return None
    found = client.search_runs(
        [experiment],
        f"tags.`{STAGE}` = '{stage}' and {journal.IS_DECIDED}",
        order_by=journal.NEWEST_FIRST,
        max_results=1,
    )
    return journal.record_of(found[0]) if found else None


def _apply(client: "MlflowClient", decision: Record) -> None:
    model, version, stage = decision.model, decision.version, decision.stage
    # One transaction in the store: the new version comes in and the old one goes out.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # stages are deprecated, and asked for
        client.transition_model_version_stage(model, version, stage, archive_existing_versions=True)
    client.set_registered_model_alias(model, ALIASES[stage], version)
    aliases = store.registered_model(client, model).aliases or {}
    for other, alias in ALIASES.items():
        if other != stage and str(aliases.get(alias)) == version:
            client.delete_registered_model_alias(model, alias)
    shown = _shown(client, decision)
    if shown["description"]:
        client.update_model_version(model, version, shown["description"])
    for name, value in {**shown["tags"], PROMOTION: decision.run_id}.items():
        client.set_model_version_tag(model, version, name, value)


def _repeated(step: Callable[[], None]) -> None:
    """Take a step that may be repeated, again if need be.

    Two processes that write the same tag or alias at once collide in the store: one of them fails.
    """
    from mlflow.exceptions import MlflowException

    for attempt in range(_TRIES):
        try:
            return step()
        except MlflowException:
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.1 * 2**attempt)
    return None


def _shown(client: "MlflowClient", decision: Record) -> dict[str, Any]:
    text = store.read_texts({SHOWN: (client.get_run(decision.run_id), SHOWN)})[SHOWN]
    shown: dict[str, Any] = json.loads(text) if text else {"description": "", "tags": {}}
    return shown
