"""A whole table's predictions, by the image that serves: rows go through it some at a time.

The image's container answers on this machine; parts of the table are read, sent and written in
turn, several at once, so that memory does not grow with the table.
"""

import json
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import numpy as np

from serving.batches import Output, Source, check_kept, open_source, parts
from serving.exchange import columns_of, tensors
from serving.server.bundle import PYFUNC
from serving.server.signature import parse_signature
from training.console import json_option, one_line, quieten
from training.errors import SixfoldError, UserError
from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

_PATIENCE = 300
_MEMORY = "2g"
_PREDICTION = "prediction"


@dataclass(frozen=True)
class Predicted:
    """A table's predictions.

    Attributes
    ----------
    model, version : str
    source, out : str
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
        The table cannot be read or lacks a column, the output cannot be written, or one of those
        of `serving.serve.start`.
    SixfoldError
        The server fails.
    """
    from serving.serve import start, stop
    from training.sources import fetch

    with tempfile.TemporaryDirectory(prefix="sixfold-") as name:
        folder = Path(name)
        found = fetch(source, folder)
        if not isinstance(found, Path):
            raise UserError(f"expected a file of rows, got {source}; `sixfold train` takes that")
        table = open_source(found, source)
        check_kept(table, keep)
        remote = out.startswith("s3://")
        output = Output(folder / Path(out).name if remote else Path(out))
        served = start(client, model, number, 0, 0, _MEMORY, say)
        try:
            schema = _schema(served)
            asked = _Asked(served.url, model, schema, keep)
            say(f"predicting {source}")
            _write(table, schema, asked, output, advance)
            if not output.rows:
                raise UserError(f"expected rows to predict, got none in {source}")
            output.close()
        finally:
            output.discard()
            stop(served)
        if remote:
            from training.sources.s3 import send

            send(output.path, out)
    return Predicted(model, asked.version, source, out, output.rows, output.columns)


def _write(
    table: Source,
    schema: Schema,
    asked: "_Asked",
    output: Output,
    advance: Callable[[int, int | None], None],
) -> None:
    with ThreadPoolExecutor(asked.at_once) as threads:
        waiting: deque[Future[dict[str, Any]]] = deque()

        def take() -> None:
            output.write(waiting.popleft().result())
            advance(output.rows, table.rows)

        try:
            for part in parts(table, schema):
                if len(waiting) > asked.at_once:
                    take()
                waiting.append(threads.submit(asked.predictions, part))
            while waiting:
                take()
        finally:
            for left in waiting:
                left.cancel()


class _Asked:
    """The server, asked for predictions of parts of a table."""

    #: Requests at one time: one is predicted while the next is read and the last written.
    at_once = 4

    def __init__(self, url: str, model: str, schema: Schema, keep: Sequence[str]) -> None:
        import requests

        self.version = ""
        self._url = f"{url}/v2/models/{quote(model, safe='')}/infer"
        self._schema = schema
        self._keep = keep
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=self.at_once)
        self._session.mount("http://", adapter)

    def predictions(self, part: "pd.DataFrame") -> dict[str, Any]:
        """Columns to write: those that are kept, the prediction, and a probability a class."""
        import orjson
        import requests

        body = orjson.dumps(
            {"inputs": list(tensors(part, self._schema))}, option=orjson.OPT_SERIALIZE_NUMPY
        )
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._session.post(self._url, body, headers=headers, timeout=_PATIENCE)
        except requests.RequestException as error:
            raise SixfoldError(f"the server has not answered: {type(error).__name__}") from None
        found = orjson.loads(answer.content)
        if answer.status_code != 200:
            kind = UserError if answer.status_code < 500 else SixfoldError
            raise kind(f"the table was refused: {found.get('message', answer.status_code)}")
        self.version = found["model_version"]
        outputs = {output["name"]: output for output in found["outputs"]}
        columns: dict[str, Any] = {name: part[name].to_numpy() for name in self._keep}
        if "predict_proba" in outputs:
            shape = outputs["predict_proba"]["shape"]
            shares = np.asarray(outputs.pop("predict_proba")["data"]).reshape(shape)
        else:
            shares = np.empty((0, 0))
        for name, output in outputs.items():
            base = _PREDICTION if name == "predict" else f"{_PREDICTION}_{name}"
            columns |= columns_of(base, output)
        for label, share in zip(self._schema.target.classes or (), shares.T, strict=True):
            columns[f"probability_{label}"] = share
        return columns


def _schema(served: Any) -> Schema:
    from serving.base import read_file
    from serving.engine import connect
    from serving.image import BUNDLE

    def read(name: str) -> bytes:
        return read_file(connect(), served.tag, f"{BUNDLE}/{name}")

    if json.loads(read("bundle.json"))["path"] != PYFUNC:
        return Schema.from_json(read("schema.json").decode())
    signature = parse_signature(json.loads(read("signature.json")))
    if signature.is_tensor:
        raise UserError(
            "expected a model that takes the columns of a table, got one whose signature is "
            "tensors; send them to /invocations or by V2 (`sixfold serve`)"
        )
    return signature.schema()


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

    kept = [name.strip() for name in keep.split(",") if name.strip()]
    client = connect()
    with reported("predicting"), _Bar() as bar:
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
