"""`sixfold train` and `sixfold leaderboard`."""

import json
import os
from typing import Any

import click

from training.console import one_line, print_table, quieten


@click.command()
@click.argument("data", default="sklearn:breast_cancer", metavar="[DATA]")
@click.option("--target", default="", help="Column to predict. Built-in sets have their own.")
@click.option(
    "--task", default="auto", show_default=True, help="auto, regression, binary or multiclass."
)
@click.option(
    "--algorithms",
    default="all",
    show_default=True,
    help="all, or a comma list; an engine after a colon: svm,gradient_boosting:xgboost.",
)
@click.option(
    "--budget", default=120.0, show_default=True, help="Seconds of search over all candidates."
)
@click.option("--search", default="tpe", show_default=True, help="tpe, random, grid or none.")
@click.option("--folds", default=5, show_default=True, help="Folds of the cross-validation.")
@click.option(
    "--metric",
    default="auto",
    show_default=True,
    help="What is selected by. auto: roc_auc (binary), log_loss (multiclass), rmse (regression).",
)
@click.option(
    "--test-size", "--test_size", default=0.2, show_default=True, help="Share of rows to test on."
)
@click.option("--group", default="", help="Column whose groups are never split.")
@click.option("--time", default="", help="Column to split forward in time by.")
@click.option("--register", default="", help="Registered model the winner becomes a version of.")
@click.option("--seed", default=0, show_default=True, help="Of everything random.")
@click.option("--max-memory", "--max_memory", default="", help="Memory of one candidate, e.g. 2g.")
@click.option(
    "--na-values",
    "--na_values",
    default="",
    help="What else counts as missing: '?,-999'; 'keep:NA' makes NA a value again.",
)
@click.option("--schema", default="", help="JSON file that overrides what is inferred.")
@click.option("--isolate", is_flag=True, help="Train each candidate in a container of its own.")
@click.option("--cpus", default=0.0, help="With --isolate: cores of a container; default: a share.")
@click.option("--memory", default="", help="With --isolate: memory of a container, e.g. 2g.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON.")
@click.option("--quiet", is_flag=True, help="Say nothing but warnings and failures.")
@one_line
def train(
    as_json: bool, quiet: bool, isolate: bool, cpus: float, memory: str, **given: Any
) -> None:
    """Train, tune and compare the six algorithms on a table.

    DATA is a CSV, TSV, Parquet, Feather or JSON Lines file, packed or not: a local path, s3://,
    http(s)://, an MLflow artifact (runs:/…, mlflow-artifacts:/…), or sklearn:NAME for a set that
    comes with scikit-learn.

    \b
    sixfold train data/churn.csv --target churned
    sixfold train sklearn:wine --budget 30 --algorithms svm,random_forest
    """
    quieten()
    from training.errors import UserError
    from training.isolate import Limits
    from training.progress import Progress
    from training.request import Request
    from training.run import train as run
    from training.tracking import DATA_VARIABLE, PARENT_VARIABLE, QUIET_VARIABLE

    if (cpus or memory) and not isolate:
        raise UserError("expected --isolate with --cpus and --memory; add it, or use --max-memory")
    parent = os.environ.get(PARENT_VARIABLE)
    if parent:
        given["data"] = os.environ.get(DATA_VARIABLE) or given["data"]
    quiet = quiet or bool(os.environ.get(QUIET_VARIABLE))
    limits = Limits(cpus, memory) if isolate else None
    board = run(Request(**given), Progress(quiet), limits, parent)
    if not parent:
        _show(board, as_json)


@click.command()
@click.argument("run", default="", metavar="[RUN]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, the best candidate first.")
@one_line
def leaderboard(run: str, as_json: bool) -> None:
    """Show the leaderboard of a training, the latest by default.

    RUN is the id of its parent run.
    """
    quieten()
    from training.history import read_leaderboard

    _show(read_leaderboard(run), as_json)


def _show(board: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(board, indent=1))
        return
    from training.leaderboard import table

    print_table(table(board))
