"""A server that is asked for the predictions of parts of a table."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from serving.batches import Part
from serving.exchange import columns_of, tensors
from serving.output import check_unlike
from serving.server.settings import Settings
from serving.server.signature import Signature
from training.errors import SixfoldError, UserError
from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

#: Seconds that a part may take in the server.
PATIENCE = 300
PREDICTION = "prediction"
_PROBABILITY = "probability_"
#: Bytes of a request above which its rows are sent in two.
_ENOUGH = 16 << 20
#: Bytes of a request that the server is to take.
MOST = Settings().max_body


class Asked:
    """The server, asked for predictions of parts of a table.

    Attributes
    ----------
    version : str
        The one that has answered.
    """

    #: Parts at one time: one is predicted while the next is read and the last written.
    at_once = 4

    def __init__(self, url: str, model: str, schema: Schema) -> None:
        import requests

        self.version = ""
        self._url = f"{url}/v2/models/{quote(model, safe='')}/infer"
        self._schema = schema
        self._session = requests.Session()
        self._session.trust_env = False  # its proxy does not reach this machine's own ports
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=self.at_once)
        self._session.mount("http://", adapter)

    def predictions(self, part: Part) -> list[dict[str, Any]]:
        """Columns to write: those that are kept, the prediction, and a probability a class.

        Returns
        -------
        list of dict
            One for each request that the part took, in the rows' order.

        Raises
        ------
        UserError
            A row is too large, the server refuses one, or a column is there twice.
        SixfoldError
            The server fails.
        """
        body = self._body(part.frame)
        if len(body) > _ENOUGH and len(part.frame) > 1:
            del body
            return [columns for half in part.halves() for columns in self.predictions(half)]
        if len(body) > MOST:
            raise UserError(
                f"expected rows of at most {MOST / 2**20:.3g} MiB as JSON, got "
                f"{len(body) / 2**20:.3g} MiB in row {part.first:,}; shorten its texts or leave it "
                "out"
            )
        predicted = self._columns(self._answer(body))
        check_unlike(list(part.kept), predicted)
        return [{**part.kept, **predicted}]

    def _body(self, frame: "pd.DataFrame") -> bytes:
        import orjson

        return orjson.dumps(
            {"inputs": list(tensors(frame, self._schema))}, option=orjson.OPT_SERIALIZE_NUMPY
        )

    def _answer(self, body: bytes) -> dict[str, dict[str, Any]]:
        import orjson
        import requests

        headers = {"Content-Type": "application/json"}
        try:
            # The server is to say first that it takes too long.
            answer = self._session.post(self._url, body, headers=headers, timeout=PATIENCE + 30)
        except requests.RequestException as error:
            raise SixfoldError(f"the server has not answered: {type(error).__name__}") from None
        found = orjson.loads(answer.content)
        if answer.status_code != 200:
            kind = UserError if answer.status_code < 500 else SixfoldError
            raise kind(f"the table was refused: {found.get('message', answer.status_code)}")
        self.version = found["model_version"]
        return {output["name"]: output for output in found["outputs"]}

    def _columns(self, outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        if "predict_proba" in outputs:
            shape = outputs["predict_proba"]["shape"]
            shares = np.asarray(outputs.pop("predict_proba")["data"]).reshape(shape)
        else:
            shares = np.empty((0, 0))
        for name, output in outputs.items():
            columns |= columns_of(_base(name), output)
        for label, share in zip(self._schema.target.classes or (), shares.T, strict=True):
            columns[f"{_PROBABILITY}{label}"] = share
        return columns


def taken(schema: Schema, signature: Signature | None, names: Iterable[str]) -> list[str]:
    """Those of the names that a model's predictions have, as far as can be known beforehand.

    Parameters
    ----------
    schema : Schema
    signature : Signature, optional
        Of a model that Sixfold has not trained.
    names : iterable of str
    """
    if signature is None:
        known = {PREDICTION, *(f"{_PROBABILITY}{item}" for item in schema.target.classes or ())}
        return [name for name in names if name in known]
    bases = {PREDICTION, *(_base(field.name or "predict") for field in signature.outputs)}
    pattern = re.compile(rf"({'|'.join(map(re.escape, sorted(bases)))})(_\d+)?")
    return [name for name in names if pattern.fullmatch(name)]


def _base(output: str) -> str:
    """What a model's output is called in the file."""
    return PREDICTION if output == "predict" else f"{PREDICTION}_{output}"
