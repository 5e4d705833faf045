"""A model that Sixfold has not trained: what its image needs to know of it.

The model is not loaded here. Most of them are pickles, which run code of whoever wrote them: that
happens in containers of the image only.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.server.bundle import SAMPLE, line_of
from serving.server.signature import Field, parse_signature
from training.errors import SixfoldError, UserError

if TYPE_CHECKING:
    from mlflow.models import Model

SIGNATURE = "signature.json"
#: Of an input example, so many rows at most.
_ROWS = 5
#: Types of columns that have a list or an object in a cell.
_NESTED = {"array", "object", "map", "any"}
_VALUES: dict[str, Any] = {
    "boolean": False,
    "string": "",
    "datetime": "2000-01-01T00:00:00",
    "binary": "",
}


@contextmanager
def damage_told() -> Iterator[None]:
    """Say in one line what is not as MLflow writes it."""
    try:
        yield
    except SixfoldError:
        raise
    except Exception as error:  # noqa: BLE001  MLflow's, YAML's and those of what is not there
        raise UserError(
            f"expected a model's files as MLflow writes them, got damaged ones ({line_of(error)}); "
            "log the model again"
        ) from None


@damage_told()
def describe(model: Path, bundle: Path) -> str:
    """Write a model's signature, and a request that it has an answer for, into a bundle.

    Parameters
    ----------
    model : Path
        A logged model's folder, `MLmodel` in it.
    bundle : Path

    Returns
    -------
    str
        One sentence on what the model is and what it will be tried with.

    Raises
    ------
    UserError
        It has no signature, cannot be loaded as `python_function`, or is damaged.
    """
    described = read_model(model)
    if "python_function" not in described.flavors:
        raise UserError(
            "expected a model with MLflow's flavour python_function, got "
            f"{', '.join(described.flavors) or 'none'}; log it by a flavour that has it"
        )
    signature = described.signature
    if signature is None or signature.inputs is None or not signature.inputs.inputs:
        raise UserError(
            "expected a model with a signature, got one without; log it again with "
            "signature=mlflow.models.infer_signature(rows, predictions)"
        )
    parts = {name: part and json.loads(part) for name, part in signature.to_dict().items()}
    parts = {name: parts.get(name) for name in ("inputs", "outputs", "params")}
    (bundle / SIGNATURE).write_text(json.dumps(parts, indent=1))
    fields = list(parse_signature(parts).inputs)
    request = _example(model, described, fields)
    is_made = request is None
    if request is None:
        request = made_request(fields)
    text = json.dumps({"request": request, "is_made": is_made, "predictions": None})
    (bundle / SAMPLE).write_text(text)
    tried = "a row made of its signature" if is_made else "its own input example"
    loader = described.flavors["python_function"].get("loader_module", "mlflow.pyfunc")
    return (
        f"the model was not trained by Sixfold: {loader} predicts; it comes without predictions to "
        f"compare with, and is tried on {tried}"
    )


@damage_told()
def warnings_of(model: Path, python: str) -> list[str]:
    """What may go wrong in the image, a sentence each; `python` is its version, such as 3.11."""
    made_by = str(
        read_model(model).flavors.get("python_function", {}).get("python_version", python)
    )
    if made_by.split(".")[:2] == python.split("."):
        return []
    return [f"the model was logged by Python {made_by}, the image has {python}: it may not load"]


def made_request(fields: list[Field]) -> dict[str, Any]:
    """A request of one row, made of a signature."""
    if fields[0].shape is not None:
        tensors = {field.name: _zeros(field.shape or (1,), field.type) for field in fields}
        return {"inputs": tensors if fields[0].name else tensors[""]}
    row = [_VALUES.get(field.type, 0) for field in fields]
    split: dict[str, Any] = {"data": [row]}
    if fields[0].name:
        split["columns"] = [field.name for field in fields]
    return {"dataframe_split": split}


def read_model(model: Path) -> "Model":
    """A logged model's description."""
    from mlflow.models import Model

    return Model.load(str(model))


def below(model: Path, folder: Path, name: str | None) -> Path | None:
    """A file that a model's files name from a folder; None if it is not one of the model's own."""
    if not name:
        return None
    file = (folder / name).resolve()
    return file if file.is_relative_to(model.resolve()) and file.is_file() else None


def _zeros(shape: tuple[int, ...], kind: str) -> Any:
    zero: Any = "" if kind in ("str", "object") else kind == "?" if kind == "bool" else 0
    for size in reversed(shape):
        zero = [zero] * (1 if size < 0 else size)
    return zero


def _example(model: Path, described: "Model", fields: list[Field]) -> dict[str, Any] | None:
    """The input example as a request; None if there is none that can be one."""
    info = described.saved_input_example_info or {}
    if file := below(model, model, info.get("serving_input_path")):
        request = _json(file)
    elif file := below(model, model, info.get("artifact_path")):
        content = _json(file)
        is_table = info.get("type") == "dataframe" and "data" in content
        request = {"dataframe_split": content} if is_table else content
    else:
        return None
    split = request.get("dataframe_split") if isinstance(request, dict) else None
    if split is not None:
        if not isinstance(split, dict) or not isinstance(split.get("data"), list):
            raise UserError(
                "expected an input example whose dataframe_split has rows in data, got none there; "
                "log the model again"
            )
        split["data"] = split["data"][:_ROWS]
        split.pop("index", None)
    if all(map(_has_rows, fields)) and isinstance(request, dict) and "inputs" in request:
        given = request["inputs"]
        if isinstance(given, dict):
            request["inputs"] = {name: _few(cells) for name, cells in given.items()}
        else:
            request["inputs"] = _few(given)
    known = {"dataframe_split", "dataframe_records", "inputs", "instances"}
    return request if isinstance(request, dict) and len(known & request.keys()) == 1 else None


def _has_rows(field: Field) -> bool:
    """Whether the length of what is given for it is the number of rows, and theirs to choose."""
    return field.type not in _NESTED if field.shape is None else field.shape[:1] == (-1,)


def _few(cells: Any) -> Any:
    return cells[:_ROWS] if isinstance(cells, list) else cells


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"expected the model's input example in {file.name} as JSON, got {line_of(error)}; "
            "log the model again"
        ) from None
