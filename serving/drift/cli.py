"""`sixfold drift`."""

import json
import sys

import click

from training.console import json_option, one_line, print_table, quieten, say, write_report


@click.command("drift")
@click.argument("model")
@click.option("--version", default="", help="Default: the one in Production.")
@click.option(
    "--recordings",
    default="recordings",
    show_default=True,
    metavar="FOLDER",
    help="What servers have recorded: a folder, or s3://BUCKET/PREFIX.",
)
@click.option("--since", default="", metavar="TIME", help="ISO 8601 (UTC), or 7d, 12h, 30m ago.")
@click.option("--until", default="", metavar="TIME", help="As --since; default: now.")
@click.option(
    "--truth",
    default="",
    metavar="TABLE",
    help="What has turned out to be true: the columns request, row and the target's.",
)
@click.option("--report", default="", metavar="FILE", help="Also write the page there.")
@click.option(
    "--fail-on-drift", "--fail_on_drift", is_flag=True, help="Exit code 1 if it has drifted."
)
@json_option
@one_line
def command(
    model: str,
    version: str,
    recordings: str,
    since: str,
    until: str,
    truth: str,
    report: str,
    fail_on_drift: bool,
    as_json: bool,
) -> None:
    """Compare what MODEL was asked with what it was trained on.

    A server that is told to record keeps requests and predictions; each column of them is held
    against the training table, the predictions against those on the test rows, and, where the
    truth is known, the score against that of the test rows. It becomes an MLflow run with a page.

    \b
    sixfold drift churn --since 7d
    sixfold drift churn --truth data/churned.csv --fail-on-drift
    """
    quieten()
    from registry.store import connect, reported
    from serving.drift.compare import DRIFTED
    from serving.drift.logged import log
    from serving.drift.page import page
    from serving.drift.recordings import window
    from serving.drift.run import drift as compare
    from serving.drift.wording import plain, sentence, table
    from training.tracking import point_to

    wanted = window(since, until)
    client = connect()
    found = compare(client, model, version, recordings, wanted, truth, say)
    text = page(found)
    if report:
        write_report(report, text)
    with reported("recording the comparison"):
        run_id, link = log(client, found, text)
        point_to(client, run_id)
    if as_json:
        click.echo(json.dumps(plain(found, run_id, link), indent=1))
    else:
        print_table(table(found))
        click.echo(sentence(found))
        click.echo(f"the report is among the artifacts of run {run_id}: {link}")
    if fail_on_drift and found.verdict == DRIFTED:
        sys.exit(1)
