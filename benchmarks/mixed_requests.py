"""Requests of every kind that a prediction server gets: good ones, odd ones, and no HTTP at all."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GOOD = frozenset({200})
BAD = frozenset({400, 404, 405, 413, 415})
NO_HTTP = "no HTTP"
_JSON = "application/json"
_CELLS: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**70,
        10**400,
        -1e308,
        "",
        "1",
        " 2 ",
        "NaN",
        "1e999",
        "\x00",
    ),
    *("colour-0001", "2020-01-02", "\uff13", "x" * 1_000, [], [1, [2]], {}, {"a": None}),
)


@dataclass(frozen=True)
class Ask:
    """A request as it goes over the wire.

    Attributes
    ----------
    kind : str
    raw : bytes
    statuses : frozenset of int
        That are right.
    predictions : list, optional
        That are right.
    manner : {'at once', 'slowly', 'left'}
        In pieces with pauses; or the client is gone before it has sent, or read, all.
    """

    kind: str
    raw: bytes
    statuses: frozenset[int] = GOOD
    predictions: list[Any] | None = None
    manner: str = "at once"


class Asks:
    """Makes requests for a model.

    Parameters
    ----------
    model : str
    rows : list of dict
        That it knows how to predict.
    predictions : list
        Of these rows.
    """

    def __init__(self, model: str, rows: list[dict[str, Any]], predictions: list[Any]) -> None:
        self._model, self._rows, self._predictions = model, rows, predictions
        self._names = list(rows[0])
        chosen: list[tuple[int, Callable[[random.Random], Ask]]] = [
            (40, lambda rng: self._split(rng, 1)),
            (10, lambda rng: self._split(rng, 100)),
            (10, self._records),
            (8, self._csv),
            (10, self._v2),
            (4, self._columns),
            (8, self._get),
            (10, self._odd_cells),
            (14, self._refused),
            (4, self._no_http),
            (4, self._slow),
            (6, self._left),
        ]
        self._weights = [weight for weight, _ in chosen]
        self._makers = [maker for _, maker in chosen]
        self._large = self._split(random.Random(0), 10_000)
        self._makers.append(lambda _: self._large)
        self._weights.append(1)

    def one(self, rng: random.Random) -> Ask:
        """Any request."""
        (maker,) = rng.choices(self._makers, self._weights)
        return maker(rng)

    def _some(self, rng: random.Random, count: int) -> tuple[list[dict[str, Any]], list[Any]]:
        places = rng.choices(range(len(self._rows)), k=count)
        return [self._rows[i] for i in places], [self._predictions[i] for i in places]

    def _split(self, rng: random.Random, count: int) -> Ask:
        rows, expected = self._some(rng, count)
        body = {"columns": self._names, "data": [list(row.values()) for row in rows]}
        return self._invoke(f"{count} rows", {"dataframe_split": body}, GOOD, expected)

    def _records(self, rng: random.Random) -> Ask:
        rows, expected = self._some(rng, rng.randint(1, 20))
        form = rng.choice(["dataframe_records", "instances"])
        return self._invoke(form, {form: rows}, GOOD, expected)

    def _columns(self, rng: random.Random) -> Ask:
        rows, expected = self._some(rng, rng.randint(1, 20))
        body = {name: [row[name] for row in rows] for name in self._names}
        return self._invoke("inputs", {"inputs": body}, GOOD, expected)

    def _csv(self, rng: random.Random) -> Ask:
        rows, expected = self._some(rng, rng.choice([1, 30, 1_000]))
        lines = [",".join(self._names)]
        lines += [",".join("" if cell is None else str(cell) for cell in r.values()) for r in rows]
        text = "\n".join(lines) + "\n"
        return Ask(
            "CSV", request("POST", "/invocations", text.encode(), "text/csv"), GOOD, expected
        )

    def _v2(self, rng: random.Random) -> Ask:
        rows, expected = self._some(rng, rng.choice([1, 1, 100]))
        inputs = [
            {
                "name": name,
                "shape": [len(rows)],
                "datatype": "BYTES" if isinstance(rows[0][name], str) else "FP64",
                "data": [row[name] for row in rows],
            }
            for name in self._names
        ]
        body = json.dumps({"inputs": inputs}).encode()
        path = f"/v2/models/{self._model}/infer"
        return Ask("V2", request("POST", path, body), GOOD, expected)

    def _get(self, rng: random.Random) -> Ask:
        path = rng.choice(
            [
                *("/ping", "/health", "/version", "/metrics", "/openapi.json", "/docs", "/v2"),
                *("/v2/health/ready", "/readyz", "/livez", f"/v2/models/{self._model}"),
            ]
        )
        return Ask("GET", request("GET", path))

    def _odd_cells(self, rng: random.Random) -> Ask:
        """Rows of anything: whether it can be predicted depends."""
        names = rng.sample(self._names, rng.randint(0, len(self._names)))
        rows = [
            {name: rng.choice(_CELLS) for name in (names or ["other"])}
            for _ in range(rng.randint(0, 5))
        ]
        form = rng.choice(["dataframe_records", "instances", "inputs", "dataframe_split"])
        return self._invoke("odd cells", {form: rows}, GOOD | BAD)

    def _refused(self, rng: random.Random) -> Ask:
        body = json.dumps({"dataframe_records": self._rows[:3]}).encode()
        names = [*self._names, self._names[0]]
        raw = rng.choice(
            [
                request("POST", "/invocations", body[: rng.randrange(len(body))]),
                request("POST", "/invocations", rng.randbytes(rng.randint(0, 300))),
                request("POST", "/invocations", body, "image/png"),
                request("POST", "/invocations", b"[" * rng.choice([50, 100_000])),
                request("POST", "/invocations", b'{"dataframe_records": []}'),
                request("POST", "/invocations", f"{','.join(names)}\n".encode(), "text/csv"),
                request("POST", "/invocations", b'"a\n1,2\n,,,', "text/csv"),
                request("POST", "/v2/models/another/infer", body),
                request("POST", f"/v2/models/{self._model}/infer", b'{"inputs": [{}]}'),
                request("POST", "/ping", body),
                request("DELETE", "/invocations"),
                request("GET", f"/{'a' * rng.randint(1, 5_000)}"),
                # Announced, and never sent: it is refused by its head.
                b"POST /invocations HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
                b"content-length: 999999999\r\n\r\n{",
            ]
        )
        return Ask("refused", raw, BAD)

    def _no_http(self, rng: random.Random) -> Ask:
        raw = rng.choice(
            [
                rng.randbytes(100).replace(b"\n", b"") + b"\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n",
                b"POST /invocations HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
                b"POST /invocations HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            ]
        )
        return Ask(NO_HTTP, raw, BAD)

    def _slow(self, rng: random.Random) -> Ask:
        ask = self._split(rng, rng.choice([1, 100]))
        return Ask("slow", ask.raw, ask.statuses, ask.predictions, "slowly")

    def _left(self, rng: random.Random) -> Ask:
        return Ask("left", self._split(rng, rng.choice([1, 100])).raw, manner="left")

    def _invoke(
        self, kind: str, body: Any, statuses: frozenset[int], expected: list[Any] | None = None
    ) -> Ask:
        return Ask(
            kind, request("POST", "/invocations", json.dumps(body).encode()), statuses, expected
        )


def request(method: str, path: str, body: bytes = b"", kind: str = _JSON) -> bytes:
    """A request as bytes."""
    head = f"{method} {path} HTTP/1.1\r\nhost: a\r\n"
    if body or method == "POST":
        head += f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
