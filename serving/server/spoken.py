"""How a version is asked and what is said of it: what its routes are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.server.bundle import Bundle, PyfuncBundle
from serving.server.docs import docs_page
from serving.server.openapi import openapi
from serving.server.scoring_protocol import ScoringProtocol
from serving.server.settings import Settings
from serving.server.tables import Tables
from serving.server.v2_protocol import V2Protocol, server_of

#: A body and its headers become an input for `Predictor.read`, and a way to write the answer.
Parse = Callable[[bytes, dict[bytes, bytes]], tuple[Any, Callable[[Any], bytes]]]


@dataclass(frozen=True)
class Spoken:
    """The protocols of one version.

    Attributes
    ----------
    invocations, infer : Parse
        Of MLflow's scoring protocol and of V2.
    server, model : dict
        What V2 says of the server and of the model.
    document : dict
        OpenAPI's.
    page : str
        The page for people, as HTML.
    """

    invocations: Parse
    infer: Parse
    server: dict[str, Any]
    model: dict[str, Any]
    document: dict[str, Any]
    page: str


def spoken(bundle: Bundle, predictor: Any, settings: Settings) -> Spoken:
    """How this version is asked."""
    if isinstance(bundle, PyfuncBundle):
        own: Spoken = predictor.spoken(settings)
        return own
    tables = Tables([column.name for column in bundle.schema.used], settings.max_rows)
    scoring, v2 = ScoringProtocol(bundle.schema, tables), V2Protocol(bundle, tables)
    document = openapi(bundle, settings)
    page = docs_page(bundle, document)
    return protocols(bundle, scoring, v2, document, page)


def protocols(bundle: Bundle, scoring: Any, v2: Any, document: dict[str, Any], page: str) -> Spoken:
    """Both protocols of a version, which `parse` requests, and what describes it."""
    return Spoken(scoring.parse, v2.parse, server_of(bundle), v2.model(), document, page)
