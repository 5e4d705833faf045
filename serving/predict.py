"""A whole table's predictions, by the image that serves: rows go through it some at a time.

The image's container answers on this machine; parts of the table are read, sent and written in
turn, several at once, so that memory does not grow with the table.
"""

import json
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serving.asking import MOST, PATIENCE, PREDICTION, Asked, taken
from serving.batches import Part, open_source, parts
from serving.output import Output, check_apart, check_kept, check_unlike
from serving.server.bundle import PYFUNC
from serving.server.signature import Signature, parse_signature
from training.console import json_option, one_line, quieten
from training.errors import UserError
from training.schema import Schema

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MEMORY = "2g"


@dataclass(frozen=True)
class Predicted:
    """A table's predictions.

    Attributes
    ----------
    model, version : str
    source, out : str
        Without credentials.
    rows : int
    columns : list of str
        Of the file that was written.
    """

    model: str
    version: str
    source: str
    out: str
    rows: int
    columns: list[str]


def predict(
    client: "MlflowClient",
    model: str,
    number: str,
    source: str,
    out: str,
    keep: Sequence[str],
    say: Callable[[str], None],
    advance: Callable[[int, int | None], None],
) -> Predicted:
    """Write the predictions of a table's rows, in their order.

    Parameters
    ----------
    client : MlflowClient
    model : str
    number : str
        '' for the version in Production.
    source, out : str
        Local paths or `s3://` addresses; CSV or Parquet.
    keep : sequence of str
        Columns of the table to be written beside the predictions.
    say : callable
        Told each step.
    advance : callable
        Told how many rows are done, and of how many, if that is known.

    Raises
    ------
    UserError
        The table cannot be read or lacks a column, one that is kept is called like a prediction's,
        a row is too large, the output is the table itself or cannot be written, or one of those
        of `serving.serve.start`.
    SixfoldError
        The server fails.
    """
    from registry.store import reported
    from serving.build import find
    from serving.engine import connect, drop
    from serving.serve import image_of, run, stop
    from training.sources import fetch, s3, without_credentials

    remote = _is_remote(out)
    shown, shown_out = without_credentials(source), without_credentials(out)
    if remote:
        s3.check_apart(source, out)
        s3.check_writable(out)
    with tempfile.TemporaryDirectory(prefix="sixfold-") as name, ExitStack() as stack:
        folder = Path(name)
        found = fetch(source, folder)
        if not isinstance(found, Path):
            raise UserError(f"expected a file of rows, got {shown}; `sixfold train` takes that")
        table = open_source(found, shown)
        path = folder / f"predictions{Path(out).suffix}" if remote else Path(out)
        check_apart(found, path, shown_out)
        check_kept(table, keep, path.suffix)
        check_unlike(keep, [PREDICTION])
        output = Output(path, shown_out)
        stack.callback(output.discard)
        with reported("reading the registry"):
            version = find(client, model, number)
        engine = connect()
        tag = image_of(client, engine, version, say, here=True)
        schema, signature = _asked_for(engine, tag)
        check_unlike(keep, taken(schema, signature, keep))
        limits = {"SIXFOLD_MAX_SECONDS": str(PATIENCE), "SIXFOLD_MAX_BODY": str(MOST)}
        served = run(engine, tag, 0, 0, _MEMORY, {"environment": limits})
        try:
            asked = Asked(served.url, model, schema)
            say(f"predicting {shown}")
            _write(parts(table, schema, keep), table.rows, asked, output, advance)
            if not output.rows:
                raise UserError(f"expected rows to predict, got none in {shown}; give some")
            output.close()
            stop(served)
        except BaseException:
            drop(served.container)  # what it is at, nobody waits for
            raise
        if remote:
            _send(output.path, out, say)
    return Predicted(model, asked.version, shown, shown_out, output.rows, output.columns)


def _is_remote(out: str) -> bool:
    """Whether the predictions go to S3; UserError if they are to go where nothing is written."""
    scheme, colon, _ = out.partition("://")
    if colon and scheme.lower() != "s3" and not Path(out).parent.is_dir():
        raise UserError(
            f"expected a local path or s3:// with --out, got an address under {scheme}:; name one "
            "of these"
        )
    return bool(colon) and scheme.lower() == "s3"


def _send(path: Path, out: str, say: Callable[[str], None]) -> None:
    """Bring the predictions to their address, or keep them on this machine."""
    from training.sources import s3

    try:
        s3.send(path, out)
    except BaseException as error:  # an interrupt, too
        kept = Path(tempfile.mkdtemp(prefix="sixfold-")) / path.name
        path.rename(kept)
        where = f"the predictions are kept in {kept}; copy them there"
        if isinstance(error, UserError):
            raise UserError(f"{error}; {where}") from None
        say(where)
        raise


def _write(
    given: Iterable[Part],
    rows: int | None,
    asked: Asked,
    output: Output,
    advance: Callable[[int, int | None], None],
) -> None:
    waiting: deque[Future[list[dict[str, Any]]]] = deque()

    def take() -> None:
        for columns in waiting.popleft().result():
            output.write(columns)
        advance(output.rows, rows)

    threads = ThreadPoolExecutor(asked.at_once)
    try:
        for part in given:
            if len(waiting) > asked.at_once:
                take()
            waiting.append(threads.submit(asked.predictions, part))
        while waiting:
            take()
    finally:
        # Not waited for: after an error requests may be under way, until the server is gone.
        threads.shutdown(wait=False, cancel_futures=True)


def _asked_for(engine: Any, tag: str) -> tuple[Schema, Signature | None]:
    """What an image takes; its signature, if Sixfold has not trained the model."""
    from serving.base import read_file
    from serving.image import BUNDLE

    def read(name: str) -> bytes:
        return read_file(engine, tag, f"{BUNDLE}/{name}")

    if json.loads(read("bundle.json"))["path"] != PYFUNC:
        return Schema.from_json(read("schema.json").decode()), None
    signature = parse_signature(json.loads(read("signature.json")))
    if signature.is_tensor:
        raise UserError(
            "expected a model that takes the columns of a table, got one whose signature is "
            "tensors; send them to /invocations or by V2 (`sixfold serve`)"
        )
    return signature.schema(), signature


@click.command("predict")
@click.argument("model")
@click.argument("table", metavar="TABLE")
@click.option("--out", required=True, help="Where to write: a .parquet or .csv, or s3://.")
@click.option("--version", default="", help="Default: the one in Production.")
@click.option("--keep", default="", help="Columns to copy beside the predictions: a comma list.")
@json_option
@one_line
def command(model: str, table: str, out: str, version: str, keep: str, as_json: bool) -> None:
    """Write MODEL's predictions of all rows of a table.

    They come from the image that serves it. TABLE is a CSV or Parquet file of any length: a path,
    s3:// or http(s)://. The rows stay in their order; classes come with a column of probabilities
    each.

    \b
    sixfold predict churn data/new.csv --out predictions.parquet --keep customer_id
    """
    quieten()
    from registry.store import connect, reported
    from serving.engine import reported as engine_reported

    kept = [name.strip() for name in keep.split(",") if name.strip()]
    client = connect()
    with reported("predicting"), engine_reported("predicting"), _Bar() as bar:
        done = predict(client, model, version, table, out, kept, bar.say, bar.advance)
    if as_json:
        click.echo(json.dumps(asdict(done), indent=1))
        return
    click.echo(f"{done.rows:,} rows by {done.model} version {done.version}: {done.out}")


class _Bar:
    """How far it is: a bar in a terminal, else a line now and then."""

    _EVERY = 10.0

    def __enter__(self) -> "_Bar":
        from rich.console import Console
        from rich.progress import Progress

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = Progress(console=self._console, transient=True)
        self._task: Any = None
        self._told = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False)

    def advance(self, done: int, rows: int | None) -> None:
        if self._console.is_terminal:
            if self._task is None:
                self._bar.start()
                self._task = self._bar.add_task("rows", total=rows)
            self._bar.update(self._task, completed=done, description=f"{done:,} rows")
        elif time.monotonic() - self._told > self._EVERY:
            self._told = time.monotonic()
            self.say(f"{done:,}{f' of {rows:,}' if rows else ''} rows")
