"""Digests of a model's files, by which a copy or a damaged artifact is told from the original."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

#: MLflow writes this file when a model is registered; the registry says the same.
_REWRITTEN = frozenset({"registered_model_meta"})


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder.

    Parameters
    ----------
    folder : Path
        A downloaded model.

    Returns
    -------
    dict of str to str
        Path with `/`, relative to the folder -> 64 hex digits, in the order of the paths.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        if name not in _REWRITTEN:
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def digest_of(files: Mapping[str, str]) -> str:
    """One digest of all files: 64 hex digits of their paths and digests."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()
