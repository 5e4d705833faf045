"""The description of this version's requests and answers, made from its schema."""

from collections.abc import Mapping
from typing import Any

from serving.server.answers import PREDICT, PREDICT_PROBA, Answers
from serving.server.bundle import Bundle
from serving.server.settings import Settings
from serving.server.v2_binary import DATATYPES
from training.schema import Column

_SHOWN = 20
_OF_TARGET = {"float": "number", "integer": "integer", "boolean": "boolean", "string": "string"}
_READS = {
    "numeric": "A number; texts and booleans are read as numbers.",
    "boolean": "true or false; texts as yes and no, 1 and 0.",
    "categorical": "A level; an unknown one is missing.",
    "datetime": "A date and time in ISO 8601; without a zone it is UTC.",
    "text": "A text of any words.",
}
_ERRORS = {
    "400": "The request cannot be read; the message says what was expected.",
    "401": "The server asks for a token.",
    "413": "The body or the number of rows is beyond the server's limit.",
    "415": "The content type is none the server reads.",
    "500": "The prediction failed.",
    "503": "Try again later, see Retry-After.",
}


def openapi(bundle: Bundle, settings: Settings) -> dict[str, Any]:
    """An OpenAPI 3.1 document, with the recorded rows as examples."""
    described = f"Predicts {bundle.schema.target.name}. {bundle.why}".strip()
    posts = invocations(example(bundle)), infer(_tensors(bundle))
    return document_of(bundle, settings, described, *posts, _schemas(bundle, settings))


def document_of(
    bundle: Bundle,
    settings: Settings,
    described: str,
    invocations: dict[str, Any],
    infer: dict[str, Any],
    schemas: dict[str, Any],
) -> dict[str, Any]:
    """The document of any version: what is asked for predictions is handed over."""
    base = f"/v2/models/{bundle.model}"
    ready = _get("Whether predictions are answered", refusals=("503",))
    paths: dict[str, Any] = {
        "/invocations": {"post": invocations},
        "/ping": {"get": ready},
        "/health": {"get": ready},
        "/version": {"get": _get("The MLflow that logged the model")},
        "/livez": {"get": _get("Whether the server lives")},
        "/readyz": {"get": ready},
        "/metrics": {"get": _get("Counts for Prometheus", "text/plain")},
        "/openapi.json": {"get": _get("This document")},
        "/docs": {"get": _get("This document as a page", "text/html")},
        "/v2": {"get": _get("The server")},
        "/v2/health/live": {"get": _get("Whether the server lives")},
        "/v2/health/ready": {"get": ready},
    }
    for path in (base, f"{base}/versions/{bundle.version}"):
        paths[path] = {"get": _get("The model's inputs and outputs")}
        paths[f"{path}/ready"] = {"get": ready}
        paths[f"{path}/infer"] = {"post": infer}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": bundle.model,
            "version": bundle.version,
            "description": described,
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if settings.token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for path, item in paths.items():
            if path in ("/ping", "/health", "/livez", "/readyz") or path.startswith("/v2/health"):
                item["get"] = item["get"] | {"security": []}
    return document


def example(bundle: Bundle) -> dict[str, Any]:
    """A request that works: the first recorded row."""
    row = bundle.sample[0]
    return {
        "dataframe_records": [{column.name: row.get(column.name) for column in bundle.schema.used}]
    }


def describe(column: Column) -> str:
    """One line on what a column takes."""
    text = _READS[column.kind]
    if column.levels:
        more = ", …" if column.levels[_SHOWN:] else ""
        text += f" Known: {', '.join(column.levels[:_SHOWN])}{more}."
    if column.kind == "datetime" and column.format:
        text += f" Also as {column.format}."
    return text


def _schemas(bundle: Bundle, settings: Settings) -> dict[str, Any]:
    columns = bundle.schema.used
    names = [column.name for column in columns]
    # What has no place in a cell is missing, not refused.
    cell = {"type": ["number", "string", "boolean", "null", "array", "object"]}
    by_name = {column.name: cell | {"description": describe(column)} for column in columns}
    rows = {"minItems": 1, "maxItems": settings.max_rows}
    record = {"type": "object", "properties": by_name, "required": names}
    records = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}} | rows
    lists = {name: {"description": "A list of values, or one for all rows."} for name in names}
    table = {"type": "object", "properties": lists, "required": names}
    split = {
        "type": "object",
        "properties": {
            "columns": {"const": names},
            "data": {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": cell,
                    "minItems": len(names),
                    "maxItems": len(names),
                },
            }
            | rows,
        },
        "required": ["columns", "data"],
        "additionalProperties": False,
    }
    params = {
        "type": ["object", "null"],
        "properties": {"predict_method": {"enum": list(Answers(bundle.schema).methods)}},
    }
    forms = {
        "dataframe_records": records,
        "dataframe_split": split,
        "instances": {"anyOf": [records, table]},
        "inputs": {"anyOf": [records, table]},
    }
    return {
        "Row": record,
        "Request": request_schema(forms, params),
        "Predictions": _predictions(bundle),
        "InferRequest": _infer_request(bundle, cell),
        "InferResponse": infer_response(),
        "Error": error_schema(),
    }


def request_schema(forms: Mapping[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """What MLflow's protocol takes: exactly one of these forms, with these parameters."""
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {form: schema, "params": params},
                "required": [form],
            }
            for form, schema in forms.items()
        ]
    }


def error_schema() -> dict[str, Any]:
    """What every refusal is."""
    error = {name: {"type": "string"} for name in ("error_code", "message", "error")}
    return {"type": "object", "properties": error, "required": list(error)}


def _predictions(bundle: Bundle) -> dict[str, Any]:
    answers = Answers(bundle.schema)
    label = {"type": _OF_TARGET[bundle.schema.target.kind]}
    forms: list[dict[str, Any]] = [label]
    if PREDICT_PROBA in answers.methods:
        shares = {name: {"type": "number"} for name in answers.names}
        forms.append({"type": "object", "properties": shares, "required": answers.names})
    items = {"type": "array", "items": {"anyOf": forms}}
    return {"type": "object", "properties": {"predictions": items}, "required": ["predictions"]}


def _infer_request(bundle: Bundle, cell: dict[str, Any]) -> dict[str, Any]:
    size = {"type": "integer", "minimum": 0}
    tensor = {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": size, "minItems": 1, "maxItems": 2},
        "datatype": {"enum": sorted(DATATYPES)},
        "data": {"type": "array", "items": cell},
    }
    output = {
        "type": "object",
        "properties": {"name": {"enum": list(Answers(bundle.schema).methods)}},
        "required": ["name"],
    }
    return {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"]},
            "inputs": {
                "type": "array",
                "items": {"type": "object", "properties": tensor, "required": list(tensor)},
                "minItems": 1,
            },
            "outputs": {"type": ["array", "null"], "items": output},
        },
        "required": ["inputs"],
    }


def tensor_schema() -> dict[str, Any]:
    """A tensor of any kind and shape."""
    tensor = {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"enum": sorted(DATATYPES)},
        "data": {"type": "array"},
    }
    return {"type": "object", "properties": tensor, "required": list(tensor)}


def infer_response() -> dict[str, Any]:
    """What V2 answers."""
    return {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": tensor_schema()},
        },
        "required": ["model_name", "model_version", "outputs"],
    }


def invocations(request: Mapping[str, Any], csv: bool = True) -> dict[str, Any]:
    """What asks by MLflow's protocol, with a request as an example."""
    content: dict[str, Any] = {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Request"},
            "example": request,
        }
    }
    if csv:
        content["text/csv"] = {"schema": {"type": "string", "minLength": 1}}
    return _post("Predict, as MLflow's server does", content, "Predictions")


def infer(request: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What asks by V2, with a request as an example."""
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/InferRequest"}}
    if request:
        content["example"] = request
    content = {"application/json": content}
    return _post("Predict, by the Open Inference Protocol", content, "InferResponse")


def _tensors(bundle: Bundle) -> dict[str, Any]:
    """The example as V2 has it."""
    row = example(bundle)["dataframe_records"][0]
    tensors = [
        {"name": name, "shape": [1], "datatype": _datatype(value), "data": [value]}
        for name, value in row.items()
    ]
    return {"inputs": tensors, "outputs": [{"name": PREDICT}]}


def _datatype(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOL"
    return "BYTES" if isinstance(value, str) else "FP64"


def _post(summary: str, content: dict[str, Any], answer: str) -> dict[str, Any]:
    """What asks for predictions; `answer` is the name of their schema."""
    schema = {"schema": {"$ref": f"#/components/schemas/{answer}"}}
    done = {"description": "The predictions", "content": {"application/json": schema}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": {"200": done} | _refusals(tuple(_ERRORS)),
    }


def _get(
    summary: str, kind: str = "application/json", refusals: tuple[str, ...] = ()
) -> dict[str, Any]:
    done = {"description": summary, "content": {kind: {}}}
    return {"summary": summary, "responses": {"200": done} | _refusals(("401", *refusals))}


def _refusals(statuses: tuple[str, ...]) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {
        status: {"description": _ERRORS[status], "content": {"application/json": schema}}
        for status in statuses
    }
