"""`sixfold register`, `promote`, `approve`, `rollback`, `history` and `audit`."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from training.console import json_option, one_line, print_table, quieten, say

_to = click.option(
    "--to", "stage", default="Production", show_default=True, help="Production or Staging."
)
_stage = click.option("--stage", default="Production", show_default=True, help="Or Staging.")


@click.command()
@click.argument("model")
@click.option(
    "--run", default="", help="The training's run, or a candidate's. Default: the latest."
)
@click.option("--algorithm", default="", help="Another candidate than the winner: svm, …")
@json_option
@one_line
def register(model: str, run: str, algorithm: str, as_json: bool) -> None:
    """Make a training's winner a version of MODEL.

    \b
    sixfold register churn --run 4340ac6f04224edc941749b28890d96c
    sixfold register churn --algorithm gradient_boosting:lightgbm
    """
    quieten()
    from registry.register import register as run_register
    from registry.store import connect, reported

    client = connect()
    with reported("registering"):
        candidate, version = run_register(client, model, run, algorithm)
    if as_json:
        click.echo(json.dumps({"model": model, "version": version, "candidate": candidate}))
    else:
        how = f"sixfold promote {shlex.quote(model)}"
        click.echo(f"{candidate} is {model} version {version}; next: {how}")


@click.command()
@click.argument("model")
@click.option("--version", default="", help="Default: the newest one.")
@_to
@click.option("--dry-run", "--dry_run", is_flag=True, help="Run the gates; change nothing.")
@click.option("--data", default="", help="Table to compare on; default: the version's test rows.")
@click.option("--note", default="", help="Kept in the history.")
@click.option(
    "--allow-schema-change",
    "--allow_schema_change",
    is_flag=True,
    help="Let other inputs than Production's through, this time.",
)
@click.option(
    "--allow-dirty", "--allow_dirty", is_flag=True, help="Let changed files through, this time."
)
@click.option(
    "--to-registry",
    "--to_registry",
    default="",
    metavar="URI",
    help="Copy the version, its training and its record to another tracking server.",
)
@json_option
@one_line
def promote(model: str, version: str, to_registry: str, as_json: bool, **asked: Any) -> None:
    """Bring a version of MODEL into Production through its gates.

    The gates and their thresholds are those of registry/policy.toml, and of a policy.toml in the
    current folder over it. Exit code 1: a gate has refused it, and the registry is as it was.

    \b
    sixfold promote churn
    sixfold promote churn --version 7 --to Staging --dry-run
    """
    quieten()
    from registry.store import connect, reported

    client = connect()
    if to_registry:
        with reported("copying"):
            _copy(client, model, version, to_registry, as_json)
        return
    from registry import promote as promotions
    from registry.store import stage_named
    from training.tracking import point_to

    wanted = promotions.Asked(folder=Path.cwd(), **{**asked, "stage": stage_named(asked["stage"])})
    with reported("promoting"):
        found = promotions.promote(client, model, version, wanted, say)
    point_to(client, found.run_id)
    if as_json:
        click.echo(json.dumps(promotions.plain(found), indent=1))
    else:
        _show_promotion(found)
    if found.outcome == "refused":
        sys.exit(1)


@click.command()
@click.argument("model")
@click.option("--version", default="", help="Default: the newest one.")
@click.option("--note", default="", help="What was looked at.")
@one_line
def approve(model: str, version: str, note: str) -> None:
    """Approve of a version of MODEL, as one whom the policy lists."""
    quieten()
    from registry.approve import approve as run_approve
    from registry.policy import load_policy
    from registry.store import connect, find_version, reported
    from training.tracking import point_to

    client = connect()
    with reported("approving"):
        found = find_version(client, model, version)
        approval = run_approve(client, found, load_policy(model, Path.cwd()), note)
    point_to(client, approval.run_id)
    click.echo(f"{found.name} is approved by {approval.user} (run {approval.run_id})")


@click.command()
@click.argument("model")
@click.option("--to-version", "--to_version", default="", help="Default: the one before.")
@click.option("--note", default="", help="Why; must be given.")
@_stage
@one_line
def rollback(model: str, to_version: str, note: str, stage: str) -> None:
    """Put back the version of MODEL that was in Production before. No gates, but a note.

    \b
    sixfold rollback churn --note "scores of yesterday's batch were off"
    """
    quieten()
    from registry.rollback import roll_back
    from registry.store import connect, reported, stage_named

    client = connect()
    with reported("rolling back"):
        before, now = roll_back(client, model, note, say, to_version, stage_named(stage))
    click.echo(f"{model} version {now} is in {stage_named(stage)} again, in place of {before}")


@click.command()
@click.argument("model")
@_stage
@json_option
@one_line
def history(model: str, stage: str, as_json: bool) -> None:
    """Show what of MODEL was in Production, and on what grounds.

    From when to when, by whom, with their notes; then the promotions that were refused.
    """
    quieten()
    from registry import history as histories
    from registry.store import connect, reported, stage_named

    client = connect()
    with reported("reading the history"):
        found = histories.read_history(client, model, stage_named(stage))
    if as_json:
        click.echo(json.dumps(histories.plain(found), indent=1))
    else:
        print_table(histories.table(found))


@click.command()
@click.argument("model", default="", metavar="[MODEL]")
@json_option
@one_line
def audit(model: str, as_json: bool) -> None:
    """Say whether anything has come into a stage past its gates.

    Of one MODEL, or of all. Exit code 1: there is, and the command that mends it is said.
    """
    quieten()
    from registry import audit as audits
    from registry.store import connect, reported

    client = connect()
    with reported("auditing"):
        found = audits.audit(client, model)
    if as_json:
        click.echo(json.dumps(audits.plain(found), indent=1))
    else:
        for item in found.findings:
            click.echo(f"{item.model}: {item.what}; mend it: {item.mend}")
        click.echo(
            f"{found.models} models, {found.staged} versions in a stage, "
            f"{len(found.findings)} findings"
        )
    if found.findings:
        sys.exit(1)


def _copy(client: Any, model: str, version: str, uri: str, as_json: bool) -> None:
    from registry import journal, store
    from registry.copy import copy_version

    found = store.find_version(client, model, version)
    store.read_facts(client, found)
    records = [
        record.run_id
        for record in journal.read(client, model)
        if record.version == found.version and not record.running
    ]
    number, known = copy_version(found, uri, records=records, say=say)
    if as_json:
        told = {"model": model, "version": found.version, "there": number, "was_there": known}
        click.echo(json.dumps(told))
    elif known:
        click.echo(f"{found.name} is there already, as version {number}")
    else:
        click.echo(f"{found.name} is copied, as version {number} there")


def _show_promotion(found: Any) -> None:
    if found.results:
        from rich.box import SIMPLE
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=SIMPLE, title=f"{found.version.name} to {found.stage}")
        for heading in ("gate", "", "figure", "threshold", "found"):
            shown.add_column(heading)
        colours = {"passed": "green", "failed": "red", "skipped": "dim"}
        for result in found.results:
            warns = result.outcome == "failed" and not result.stops
            mark = "warning" if warns else result.outcome
            shown.add_row(
                Text(result.gate),
                Text(mark, "yellow" if warns else colours[result.outcome]),
                *(Text("" if x is None else f"{x:.4g}") for x in (result.figure, result.threshold)),
                Text(result.sentence),
            )
        print_table(shown)
    said = {
        "promoted": f"{found.version.name} is in {found.stage}"
        + (f", in place of version {found.replaced}" if found.replaced else ""),
        "refused": f"{found.version.name} is refused by {len(found.failed)} of its gates: "
        + ", ".join(result.gate for result in found.failed)
        + "; the registry is as it was",
        "passed": f"{found.version.name} would be let through to {found.stage}",
        "unchanged": f"{found.version.name} is in {found.stage} already; nothing was changed",
    }[found.outcome]
    click.echo(said + (f" (run {found.run_id})" if found.run_id else ""))
