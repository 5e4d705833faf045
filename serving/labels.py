"""What a serving image is called, and what its labels say of it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from serving.deploy.names import slug
from training.errors import UserError

if TYPE_CHECKING:
    from serving.origin import Origin

MODEL, VERSION, RUN = "sixfold.model", "sixfold.version", "sixfold.run"
TABLE, PATH = "sixfold.table", "sixfold.path"
#: Fingerprint of the base image; a base and all images that start from it have it.
BASE = "sixfold.base"
_OCI = "org.opencontainers.image"
LICENCES = f"{_OCI}.licenses"

_HOST = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]+)?/)?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")
_LONGEST = 255
#: A line of a Dockerfile ends at one, or the engine does not take it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def image_name(model: str, version: str, tag: str = "") -> str:
    """The name of a version's image: MODEL:VERSION, or as the user wants it.

    A model whose name no image may have gives its image one with a mark, as what is deployed has.

    Parameters
    ----------
    model, version : str
    tag : str
        What the user wants; without a part after `:`, the version is added.

    Raises
    ------
    UserError
        It is no name that an image may have, or no label can hold the model's.

    Examples
    --------
    >>> image_name("churn", "7")
    'churn:7'
    >>> image_name("Churn (EU)", "7")
    'churn-eu-016c19:7'
    """
    if _CONTROL.search(model):
        raise UserError(
            f"expected a model's name without control characters, got {model!r}; rename it "
            "(MLflow: rename_registered_model)"
        )
    own = f"{model}:{version}"
    own = own if _is_name(own) else f"{slug(model)}:{version}"
    if not tag:
        return own
    name = tag if ":" in tag.rpartition("/")[2] else f"{tag}:{version}"
    if not _is_name(name):
        raise UserError(
            f"expected an image's name (small letters, digits and . _ - /, then :TAG), got "
            f"{name!r}; give one: --tag {own}"
        )
    return name


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and len(name) <= _LONGEST


def image_labels(origin: "Origin", path: str) -> dict[str, str]:
    """Labels of a version's image, beside those that it has of its base.

    Parameters
    ----------
    origin : Origin
    path : str
        The form that the model was compiled to.
    """
    version = origin.version
    return {
        f"{_OCI}.title": version.model,
        f"{_OCI}.version": version.version,
        f"{_OCI}.created": datetime.fromtimestamp(version.created, UTC).isoformat("T", "seconds"),
        f"{_OCI}.revision": origin.commit,
        f"{_OCI}.description": f"Predictions of {version.name}, {origin.candidate}",
        **identity(origin),
        TABLE: origin.table,
        PATH: path,
    }


def identity(origin: "Origin") -> dict[str, str]:
    """The labels that no two versions have alike, in whatever registry."""
    return {MODEL: origin.version.model, VERSION: origin.version.version, RUN: origin.run_id}


def label(labels: Mapping[str, str]) -> str:
    """One instruction of a Dockerfile: the engine would make a step of each label."""
    pairs = (f"{json.dumps(name)}={_quoted(value)}" for name, value in labels.items())
    return f"LABEL {' '.join(pairs)}"


def _quoted(value: str) -> str:
    line = _CONTROL.sub(" ", value)
    return '"' + re.sub(r'(["\\$])', r"\\\1", line) + '"'
