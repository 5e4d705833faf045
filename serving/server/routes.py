"""Which path is answered by what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from serving.server.bundle import Bundle
from serving.server.errors import Headers, unavailable
from serving.server.metrics import Metrics
from serving.server.spoken import Parse, Spoken

Answer = tuple[int, Headers, bytes]

_GET, _POST = ("GET", "HEAD"), ("POST",)


@dataclass(frozen=True)
class Route:
    """What is at a path: something to get, or predictions to ask for.

    Attributes
    ----------
    name : str
        What metrics call it.
    number : int
        Its place among all names.
    methods : tuple of str
    get, parse : one of the two
    open : bool
        No token is asked for.
    path : str
        '' for `OTHER`.
    """

    name: str
    number: int
    methods: tuple[str, ...]
    get: Callable[[], Answer] | None = None
    parse: Parse | None = None
    open: bool = False
    path: str = ""


NAMES = [
    *("ping", "health", "version", "livez", "readyz", "openapi", "docs", "metrics"),
    *("v2", "v2_live", "v2_ready", "v2_model", "v2_model_ready", "v2_infer", "invocations"),
    "other",
]

OTHER = Route("other", NAMES.index("other"), ())


class Routes:
    """The routes of one version.

    Parameters
    ----------
    bundle : Bundle
    spoken : Spoken
    metrics : Metrics
    is_ready : callable
        Whether predictions are answered.
    """

    def __init__(
        self, bundle: Bundle, spoken: Spoken, metrics: Metrics, is_ready: Callable[[], bool]
    ) -> None:
        self._is_ready = is_ready
        self._routes: dict[str, Route] = {}
        for path in ("/ping", "/health"):
            self._get(path, path[1:], self._ready(b"\n"), open=True)
        self._get("/version", "version", lambda: _json(bundle.mlflow.encode()))
        self._get("/livez", "livez", lambda: _json(b'{"live":true}'), open=True)
        self._get("/readyz", "readyz", self._ready(b'{"ready":true}'), open=True)
        described, page = orjson.dumps(spoken.document), spoken.page.encode()
        self._get("/openapi.json", "openapi", lambda: _json(described))
        self._get("/docs", "docs", lambda: _page(page))
        self._get("/metrics", "metrics", lambda: _metrics(metrics))
        self._get("/v2", "v2", _fixed(spoken.server))
        self._get("/v2/health/live", "v2_live", lambda: _json(b'{"live":true}'), open=True)
        self._get("/v2/health/ready", "v2_ready", self._ready(b'{"ready":true}'), open=True)
        self._post("/invocations", "invocations", spoken.invocations)
        model = f"/v2/models/{bundle.model}"
        for base in (model, f"{model}/versions/{bundle.version}"):
            self._get(base, "v2_model", _fixed(spoken.model))
            self._get(f"{base}/ready", "v2_model_ready", self._ready(b'{"ready":true}'))
            self._post(f"{base}/infer", "v2_infer", spoken.infer)

    def find(self, path: str) -> Route:
        """The route of a path, `OTHER` if there is none."""
        return self._routes.get(path, OTHER)

    def predicting(self) -> dict[bytes, Route]:
        """The routes that predict, by their paths as clients write them."""
        found = {}
        for path, route in self._routes.items():
            if route.parse is not None:
                found[quote(path).encode()] = route
        return found

    def _get(self, path: str, name: str, get: Callable[[], Answer], open: bool = False) -> None:
        number = NAMES.index(name)
        self._routes[path] = Route(name, number, _GET, get=get, open=open, path=path)

    def _post(self, path: str, name: str, parse: Parse) -> None:
        self._routes[path] = Route(name, NAMES.index(name), _POST, parse=parse, path=path)

    def _ready(self, body: bytes) -> Callable[[], Answer]:
        def answer() -> Answer:
            if not self._is_ready():
                raise unavailable("draining", "the server is about to end")
            return _json(body)

        return answer


def _json(body: bytes) -> Answer:
    return 200, [(b"content-type", b"application/json")], body


def _fixed(record: dict[str, Any]) -> Callable[[], Answer]:
    body = orjson.dumps(record)
    return lambda: _json(body)


def _page(body: bytes) -> Answer:
    policy = b"default-src 'none'; style-src 'unsafe-inline'"
    kind = (b"content-type", b"text/html; charset=utf-8")
    return 200, [kind, (b"content-security-policy", policy)], body


def _metrics(metrics: Metrics) -> Answer:
    body, kind = metrics.render()
    return 200, [(b"content-type", kind)], body
