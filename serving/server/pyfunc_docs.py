"""OpenAPI and the page for people, of a model that Sixfold has not trained."""

from html import escape
from typing import Any

from serving.server.bundle import PyfuncBundle
from serving.server.docs import curl_of, page_of
from serving.server.openapi import (
    document_of,
    error_schema,
    infer,
    infer_response,
    invocations,
    request_schema,
    tensor_schema,
)
from serving.server.settings import Settings
from serving.server.signature import Field

_TYPES = {
    "boolean": "boolean",
    "string": "string",
    "datetime": "string",
    "binary": "string",
    **dict.fromkeys(("integer", "long"), "integer"),
    **dict.fromkeys(("float", "double"), "number"),
}


def pyfunc_document(
    bundle: PyfuncBundle, settings: Settings, model: dict[str, Any]
) -> dict[str, Any]:
    """An OpenAPI 3.1 document, made of the signature.

    Parameters
    ----------
    bundle : PyfuncBundle
    settings : Settings
    model : dict
        What V2 says of the model.
    """
    return document_of(
        bundle,
        settings,
        bundle.why,
        invocations(bundle.example, csv=not bundle.signature.is_tensor),
        infer(),
        _schemas(bundle, model),
    )


def pyfunc_page(bundle: PyfuncBundle, document: dict[str, Any]) -> str:
    """The page at `/docs`."""
    inputs = "".join(
        f"<tr><td><code>{escape(field.name or 'input')}</code><td>{escape(field.described())}"
        for field in bundle.signature.inputs
    )
    params = escape(", ".join(f"{name} ({kind})" for name, kind in bundle.signature.params.items()))
    body = f"""<p>{escape(bundle.why)}
See also <a href="openapi.json">openapi.json</a>.
<h2>A request</h2><pre>{escape(curl_of(bundle.example))}</pre>
<h2>Inputs</h2>
<p>MLflow's own server answers the same, and refuses the same.
{f"Parameters: {params}." if params else ""}
<table><tr><th>Name<th>Type{inputs}</table>"""
    return page_of(bundle, body, document)


def _schemas(bundle: PyfuncBundle, model: dict[str, Any]) -> dict[str, Any]:
    fields = bundle.signature.inputs
    forms: dict[str, Any] = {"inputs": {}, "instances": {}}
    if not bundle.signature.is_tensor:
        record = {
            "type": "object",
            "properties": {field.name: _cell(field) for field in fields if field.name},
            "required": [field.name for field in fields if field.name and field.required],
        }
        split = {"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}}
        forms |= {
            "dataframe_records": {"type": "array", "items": record, "minItems": 1},
            "dataframe_split": split,
        }
    params = {"type": ["object", "null"]}
    named = ", ".join(f"{item['name']} ({item['datatype']})" for item in model["inputs"])
    inputs = {"type": "array", "items": tensor_schema(), "minItems": 1, "description": named}
    return {
        "Request": request_schema(forms, params),
        "Predictions": {
            "type": "object",
            "properties": {"predictions": {}},
            "required": ["predictions"],
        },
        "InferRequest": {
            "type": "object",
            "properties": {"id": {"type": ["string", "null"]}, "inputs": inputs},
            "required": ["inputs"],
        },
        "InferResponse": infer_response(),
        "Error": error_schema(),
    }


def _cell(field: Field) -> dict[str, Any]:
    found = _TYPES.get(field.type)
    kinds = {"type": [found, "null"] if not field.required else found} if found else {}
    return {**kinds, "description": field.described()}
