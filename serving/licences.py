"""Which packages an image has, and their licences as SPDX expressions."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

#: Of Python.
PYTHON = "PSF-2.0"
#: Of Sixfold's own code in an image, and of Python.
_OWN = ("Apache-2.0", PYTHON)
#: What packages write that is no identifier but for small words, in the form of one.
_OTHERS = {
    "3-clause-bsd": "BSD-3-Clause",
    "new-bsd": "BSD-3-Clause",
    "apache-2": "Apache-2.0",
    "apache-software-2.0": "Apache-2.0",
    "python-software-foundation": PYTHON,
}
_SMALL = {"the", "license", "licence", "version"}
_UNSAID = {"", "unknown", "osi approved"}
_LONGEST = 64


@dataclass(frozen=True)
class Package:
    """A Python package.

    Attributes
    ----------
    name, version : str
    licence : str
        An SPDX expression; `LicenseRef-…` for what SPDX does not have.
    """

    name: str
    version: str
    licence: str


@dataclass(frozen=True)
class Inventory:
    """What Python an image has.

    Attributes
    ----------
    python : str
        The interpreter's version.
    packages : tuple of Package
        By name.
    """

    python: str
    packages: tuple[Package, ...]


def read_inventory(*texts: bytes) -> Inventory:
    """What `containers/inventory.py` has printed, for one folder of packages or for several."""
    read = [json.loads(text) for text in texts]
    found = {
        (canonicalize_name(item["name"]), item["version"]): item
        for part in read
        for item in part["packages"]
    }
    packages = (
        Package(item["name"], item["version"], _licence(item)) for _, item in sorted(found.items())
    )
    return Inventory(read[0]["python"], tuple(packages))


def expression(packages: Iterable[Package]) -> str:
    """One SPDX expression of what is in a serving image, the system's packages left aside."""
    parts = set(_OWN)
    for package in packages:
        parts.update(_parts(package.licence))
    return " AND ".join(sorted(parts))


def _licence(said: Mapping[str, Any]) -> str:
    if said["expression"]:
        return _known([said["expression"]]) or _reference(said["expression"])
    if found := _known(_spellings(said["licence"])):
        return found
    classifiers = [text for text in said["classifiers"] if text.lower() not in _UNSAID]
    known = [_known(_spellings(text)) for text in classifiers]
    has_name = said["licence"].lower() not in _UNSAID and not said["is_text"]
    if classifiers and (all(known) or not has_name):
        pairs = zip(known, classifiers, strict=True)
        return " AND ".join(sorted({found or _reference(text) for found, text in pairs}))
    return _reference(said["licence"])


def _known(texts: Iterable[str]) -> str:
    """The first of some texts that is an expression of known identifiers; '' if none is."""
    for text in texts:
        try:
            return str(canonicalize_license_expression(text))
        except (InvalidLicenseExpression, SyntaxError, RecursionError, MemoryError):
            continue
    return ""


def _spellings(text: str) -> Iterator[str]:
    """A licence's name, as an identifier might be written: `MIT License (X11)` as `MIT`."""
    yield text
    for part in (re.sub(r"\(.*?\)", " ", text), *re.findall(r"\((.*?)\)", text)):
        words = [word for word in re.split(r"[\s,]+", part) if word.lower() not in _SMALL]
        written = "-".join(filter(None, words))
        yield _OTHERS.get(written.lower(), written)


def _reference(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", text)[:_LONGEST].strip("-")
    return f"LicenseRef-{plain if plain.lower() not in _UNSAID else 'unknown'}"


def _parts(licence: str) -> Sequence[str]:
    """What an expression joins by AND; in parentheses, if it is a choice as a whole."""
    parts, depth = [""], 0
    for word in re.split(r"(\(|\)| AND | OR )", licence):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == " OR " and not depth:
            return [f"({licence})"]
        if word == " AND " and not depth:
            parts.append("")
        else:
            parts[-1] += word
    return parts
