"""One delivery of an MLflow webhook: is it from our server, is it new, and what does it say?

The format is that of `mlflow.webhooks.delivery`: the header `X-MLflow-Signature` is `v1,` and the
base64 of an HMAC-SHA256, by the webhook's secret, over `DELIVERY_ID.TIMESTAMP.BODY`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Protocol

#: Seconds that a delivery's time may differ from ours.
TOLERANCE = 300.0
#: The event that a stage's alias was set.
ALIAS_SET: Final = "model_version_alias.created"
_VERSION = "v1"
_LONGEST_NAME = 256
_MOST_REMEMBERED = 10_000


class Headers(Protocol):
    """A request's headers: a mapping, or what `http.server` has of them."""

    def get(self, name: str, /) -> str | None: ...


class Refused(Exception):
    """A delivery that is not taken: the HTTP status of the answer, and why, for the log."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class AliasSet:
    """An alias of a registered model now names this version.

    Attributes
    ----------
    model, version, alias : str
    when : float
        When MLflow sent it first, seconds since the epoch; the same in its later tries.
    """

    model: str
    version: str
    alias: str
    when: float

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.model} version {self.version}"


class Verifier:
    """Checks signatures and times, and takes every delivery once. Safe for threads.

    Parameters
    ----------
    secret : str
        The webhook's.
    tolerance : float, default `TOLERANCE`
    most : int
        How many deliveries are remembered at once; more of them are put off by `503`, since to
        forget one before its time would let it in again.
    """

    def __init__(
        self, secret: str, tolerance: float = TOLERANCE, most: int = _MOST_REMEMBERED
    ) -> None:
        self._secret = secret.encode()
        self._tolerance = tolerance
        self._most = most
        self._lock = threading.Lock()
        self._taken: dict[str, float] = {}

    def check(self, headers: Headers, body: bytes, now: float) -> bool:
        """Whether a delivery is seen for the first time.

        Parameters
        ----------
        headers : Headers
        body : bytes
        now : float
            Seconds since the epoch.

        Raises
        ------
        Refused
            It is not signed by our secret, or it is old.
        """
        delivery = headers.get("X-MLflow-Delivery-Id") or ""
        timestamp = headers.get("X-MLflow-Timestamp") or ""
        signature = headers.get("X-MLflow-Signature") or ""
        if not (delivery and timestamp and signature):
            raise Refused(HTTPStatus.UNAUTHORIZED, "it is not signed as MLflow signs")
        signed = b".".join([delivery.encode(), timestamp.encode(), body])
        expected = hmac.new(self._secret, signed, hashlib.sha256).digest()
        if not hmac.compare_digest(expected, _decoded(signature)):
            raise Refused(HTTPStatus.UNAUTHORIZED, "its signature is not by our secret")
        if not (timestamp.isascii() and timestamp.isdecimal()):
            raise Refused(HTTPStatus.BAD_REQUEST, "its timestamp is not a number of seconds")
        sent = float(timestamp)
        if abs(now - sent) > self._tolerance:
            apart = f"its time and ours are {abs(now - sent):.0f} s apart; check the clocks"
            raise Refused(HTTPStatus.UNAUTHORIZED, apart)
        return self._take(delivery, sent + self._tolerance, now)

    def _take(self, delivery: str, valid_until: float, now: float) -> bool:
        with self._lock:
            if delivery in self._taken:
                return False
            if len(self._taken) >= self._most:
                self._taken = {key: end for key, end in self._taken.items() if end >= now}
            if len(self._taken) >= self._most:
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many deliveries at once")
            self._taken[delivery] = valid_until
            return True


def read_event(body: bytes) -> AliasSet | None:
    """What a delivery's body says; None if it is not about an alias that was set.

    Raises
    ------
    Refused
        It is not what MLflow sends.
    """
    wrong = Refused(HTTPStatus.BAD_REQUEST, "its body is not an event of MLflow's registry")
    try:
        said = json.loads(body)
        event = f"{said['entity']}.{said['action']}"
        if event != ALIAS_SET:
            return None
        data = said["data"]
        model, version, alias = data["name"], data["version"], data["alias"]
        moment = datetime.fromisoformat(said["timestamp"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise wrong from None
    for text in (model, version, alias):
        if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NAME:
            raise wrong
        if not text.isprintable():
            raise wrong
    if not (version.isascii() and version.isdecimal()):
        raise wrong
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return AliasSet(model, version, alias, moment.timestamp())


def _decoded(signature: str) -> bytes:
    version, _, encoded = signature.partition(",")
    if version != _VERSION:
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
