"""`sixfold compare`: two versions side by side, on the terminal, as JSON and as a page."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from training.console import json_option, one_line, print_table, quieten, say, write_report

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from registry.compare import Comparison
    from registry.version import Facts


def versus(client: "MlflowClient", model: str, first: str, second: str) -> "tuple[Comparison, str]":
    """Compare two versions of a model by what is recorded of them.

    Parameters
    ----------
    client : MlflowClient
    model, first, second : str
        The registered model and the numbers of its versions.

    Returns
    -------
    Comparison, str
        And the page that shows it, as HTML.

    Raises
    ------
    UserError
        No such model or version, one that Sixfold has not trained, or a file that a training leaves
        is not there.
    MlflowException
        The store has not answered.
    """
    from registry import curves, store
    from registry.common_rows import pair_of
    from registry.compare import compare
    from registry.recorded import read_recorded
    from registry.report import page
    from training.errors import UserError

    if first == second:
        raise UserError(f"expected two versions of {model}, got {first} twice; name another one")

    def facts(number: str) -> "Facts":
        return store.read_facts(client, store.find_version(client, model, number))

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(facts, (first, second))
    recorded = read_recorded(client, (one, other))
    pair = pair_of(one, other, recorded)
    comparison = compare(one, other, recorded, pair)
    figures = curves.of_versions((one, other), recorded, pair)
    importance = curves.importances(one.importance, other.importance)
    return comparison, page(comparison, figures, importance)


@click.command()
@click.argument("model")
@click.argument("first")
@click.argument("second")
@click.option(
    "--report",
    default=None,
    metavar="FILE",
    help="Where the page is written; default: MODEL-FIRST-SECOND.html here, under `mlflow run` "
    "among its run's artifacts; '' for none.",
)
@json_option
@one_line
def compare(model: str, first: str, second: str, report: str | None, as_json: bool) -> None:
    """Compare two versions of MODEL, FIRST and SECOND.

    It prints a table, and writes a page with the curves of both. Nothing is predicted anew: what
    their trainings recorded is compared, on the rows that both were tested on where there are any.
    The page needs no network and no script.

    \b
    sixfold compare churn 5 7
    sixfold compare churn 5 7 --report review.html
    """
    quieten()
    from registry import store

    client = store.connect()
    with store.reported("comparing"):
        comparison, text = versus(client, model, first, second)
    path = _file_name(f"{model}-{first}-{second}") if report is None else report
    if as_json:
        from registry.compare import plain

        click.echo(json.dumps(plain(comparison), indent=1))
    else:
        from registry.side_by_side import table

        print_table(table(comparison))
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id and report is None:  # of `mlflow run`, whose container's files go with it
        client.log_text(run_id, text, path)
        say(f"the page is {path} in the artifacts of run {run_id}")
    elif path:
        write_report(path, text)
        say(f"the page is in {path}")


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".") + ".html"
