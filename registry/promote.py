"""The way of one promotion, from top to bottom."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry import decisions, journal, store
from registry.approve import approvals
from registry.gates.result import Result
from registry.version import ALIASES, PROMOTION, Facts, Version
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: How often the gates are run anew because another version has reached the stage meanwhile.
_TRIES = 3


@dataclass(frozen=True)
class Asked:
    """What a user asks of a promotion.

    Attributes
    ----------
    stage : str
    dry_run : bool
        Run the gates, change and record nothing.
    data : str
        The table to compare on; '' is the candidate's own test split.
    note : str
    allow_schema_change, allow_dirty : bool
    folder : Path
        Where a `policy.toml` may be.
    """

    stage: str = "Production"
    dry_run: bool = False
    data: str = ""
    note: str = ""
    allow_schema_change: bool = False
    allow_dirty: bool = False
    folder: Path = Path()


@dataclass(frozen=True)
class Promotion:
    """What came of it.

    Attributes
    ----------
    version : Version
        As it was before.
    stage : str
    replaced : str
        The version that was in the stage; '' if none was.
    outcome : {'promoted', 'refused', 'passed', 'unchanged'}
        `passed`: a dry run's gates let it through. `unchanged`: it is there already.
    results : list of Result
    run_id : str
        The record; '' for a dry run.
    """

    version: Version
    stage: str
    replaced: str
    outcome: str
    results: list[Result]
    run_id: str

    @property
    def failed(self) -> list[Result]:
        """The gates that stop it."""
        return [result for result in self.results if result.stops]


def promote(
    client: "MlflowClient", model: str, number: str, asked: Asked, say: Callable[[str], None]
) -> Promotion:
    """Run a version's gates and, if they let it through, bring it into the stage.

    Parameters
    ----------
    client : MlflowClient
    model : str
    number : str
        The version; '' is the newest one.
    asked : Asked
    say : callable (str)
        Is told what happens.

    Raises
    ------
    UserError
        What was asked for cannot be done; nothing was changed.
    MlflowException
        The store failed half-way; the next command finishes or undoes it.
    """
    from registry.policy import load_policy

    version = store.find_version(client, model, number)
    policy = load_policy(model, asked.folder)
    if version.stage == "Production" and asked.stage != "Production":
        raise UserError(
            f"expected a version that is not in Production, got {version.name}; promote another "
            "one there first"
        )
    facts = store.read_facts(client, version)
    if not asked.dry_run:
        decisions.settle(client, model, say)
        version = store.find_version(client, model, version.version)
    current = store.in_stage(client, model, asked.stage)
    if _is_there(client, version, asked.stage):
        say(f"{version.name} is in {asked.stage} already")
        return Promotion(version, asked.stage, version.version, "unchanged", [], "")
    if asked.dry_run:
        results = _judged(
            client, facts, _compared(client, model, asked, current), asked, policy, say
        )
        stops = any(result.stops for result in results)
        before = current.version if current else ""
        outcome = "refused" if stops else "passed"
        return Promotion(version, asked.stage, before, outcome, results, "")
    with journal.recording(client, journal.PROMOTED, version, asked.stage, asked.note) as run_id:
        for _ in range(_TRIES):
            before = current.version if current else ""
            against = _compared(client, model, asked, current)
            results = _judged(client, facts, against, asked, policy, say)
            current = store.in_stage(client, model, asked.stage)
            if (current.version if current else "") == before:
                break
            say(f"{asked.stage} has changed meanwhile: comparing with what is there now")
        _keep(client, run_id, version, asked.stage, results, policy.text)
        if any(result.stops for result in results):
            journal.keep_grounds(client, run_id, grounds(results), before)
            journal.end(client, run_id, "refused", _reasons(results))
            return Promotion(version, asked.stage, before, "refused", results, run_id)
        _decide(client, run_id, facts, against, asked, results)
        done = decisions.carry_out(client, model, asked.stage)
        journal.end(client, run_id, "promoted")
    if done.run_id != run_id:
        say(f"version {done.version} was promoted by {done.user} right after and holds the stage")
    return Promotion(version, asked.stage, before, "promoted", results, run_id)


def grounds(results: list[Result]) -> str:
    """The gates in short."""
    from registry.describe import counted

    failed = [result.gate for result in results if result.outcome == "failed"]
    said = f"gates: {counted(results) or 'none'}"
    return f"{said} ({', '.join(failed)})" if failed else said


def plain(promotion: Promotion) -> dict[str, Any]:
    """A promotion as JSON has it."""
    return {
        "model": promotion.version.model,
        "version": promotion.version.version,
        "stage": promotion.stage,
        "replaced": promotion.replaced or None,
        "outcome": promotion.outcome,
        "run_id": promotion.run_id or None,
        "gates": [asdict(result) for result in promotion.results],
    }


def _is_there(client: "MlflowClient", version: Version, stage: str) -> bool:
    """Whether the version is in the stage by a decision, alias and all."""
    if version.stage != stage or ALIASES[stage] not in version.aliases:
        return False
    latest = decisions.newest(client, version.model, stage)
    return bool(latest and latest.run_id == version.tags.get(PROMOTION))


def _compared(
    client: "MlflowClient", model: str, asked: Asked, current: Version | None
) -> Version | None:
    """The version to compare with: in the stage, or where Staging is empty, in Production."""
    if current is not None or asked.stage == "Production":
        return current
    return store.in_stage(client, model, "Production")


def _judged(
    client: "MlflowClient",
    facts: Facts,
    against: Version | None,
    asked: Asked,
    policy: Any,
    say: Callable[[str], None],
) -> list[Result]:
    from registry.evidence import gather
    from registry.gates import check

    if against is not None and against.version == facts.version.version:
        against = _decided_before(client, facts.version, asked.stage)
    production = store.read_facts(client, against) if against else None
    evidence = gather(
        facts,
        production,
        policy,
        approvals=approvals(client, facts.version),
        data=asked.data,
        allow_schema_change=asked.allow_schema_change,
        allow_dirty=asked.allow_dirty,
        say=say,
        rows_of=store.rows_reader(client),
    )
    say("checking the gates")
    return check(evidence)


def _decided_before(client: "MlflowClient", version: Version, stage: str) -> Version | None:
    """For a version that was moved into the stage by hand: what was decided to be there."""
    latest = decisions.newest(client, version.model, stage)
    if latest is None or latest.version == version.version:
        return None
    if not store.has_version(client, version.model, latest.version):  # it was deleted
        return None
    return store.find_version(client, version.model, latest.version)


def _keep(
    client: "MlflowClient",
    run_id: str,
    version: Version,
    stage: str,
    results: list[Result],
    policy: str,
) -> None:
    from registry.picture import draw_gates

    with TemporaryDirectory(prefix="sixfold-") as folder:
        title = f"{version.name} to {stage}"
        picture = draw_gates(results, Path(folder, "gates.png"), title=title, note=store.user())
        files: dict[str, str | bytes] = {
            "gates.json": json.dumps([asdict(result) for result in results], indent=1),
            "gates.png": picture.read_bytes(),
            "policy.toml": policy,
        }
        journal.keep(client, run_id, files)
    journal.keep_table(client, run_id, results)


def _decide(
    client: "MlflowClient",
    run_id: str,
    facts: Facts,
    against: Version | None,
    asked: Asked,
    results: list[Result],
) -> None:
    from registry.describe import describe, version_tags

    who = store.user()
    other = against if against and against.version != facts.version.version else None
    description = describe(
        facts,
        results,
        production=store.read_facts(client, other) if other else None,
        stage=asked.stage,
        who=who,
        when=time.time(),
        note=asked.note,
    )
    tags = version_tags(facts, results, who)
    decisions.decide(
        client, run_id, facts.version, asked.stage, grounds(results), description, tags
    )


def _reasons(results: list[Result]) -> str:
    return " ".join(f"{result.gate}: {result.sentence}" for result in results if result.stops)
