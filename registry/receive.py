"""Writes a version into the registry that it is copied to; a process of its own (see `copy.py`).

Its environment knows that registry only. It reads a request a line from its input, JSON, and
answers each by a line. The version is made last: until then nothing here looks like one, and what
an interrupted copy has left is removed or used by the next.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry.bundle import Bundle, Origin, read_bundle
from registry.received import ORIGIN, Runs, copied_model
from registry.version import COPIED_FROM, DIGEST, FILES, PROMOTION
from training.digests import digest_of, file_digests
from training.errors import SixfoldError, UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tag of a copy: the digest of the files that it was made of. Its own differs, as `MLmodel` names
#: the ids of its run and model.
COPIED_DIGEST = "sixfold.copied_digest"
#: Tag of a copy: the runs here that hold its gates' record, with commas between them.
COPIED_RECORDS = "sixfold.copied_records"
MEND = (
    "correct the address, or the credentials in SIXFOLD_TO_REGISTRY_USERNAME and _PASSWORD or in "
    "SIXFOLD_TO_REGISTRY_TOKEN"
)


def find(client: "MlflowClient", origin: Origin) -> str:
    """The version here that is a copy of the origin's; the oldest if there are more, '' if none.

    Raises
    ------
    UserError
        This is the registry that the version is in.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.get_run(origin.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    else:
        raise UserError(
            f"expected another registry than the one that {origin.model} version "
            f"{origin.version} is in; promote it there without --to-registry"
        )
    quote = '"' if "'" in origin.model else "'"
    found = client.search_model_versions(
        f"name = {quote}{origin.model}{quote} and tags.`{ORIGIN}` = '{origin.key}'"
    )
    return str(min((int(item.version) for item in found), default=""))


def receive(client: "MlflowClient", folder: Path, say: Callable[[str], None]) -> tuple[str, bool]:
    """Write what is in the folder.

    Parameters
    ----------
    client : MlflowClient
    folder : Path
        See `bundle.py`.
    say : callable
        Takes a line.

    Returns
    -------
    version : str
    there : bool
        Whether somebody else has made it meanwhile.
    """
    bundle = read_bundle(folder)
    runs = Runs(client, folder, bundle.origin)
    parent = runs.copy(bundle.parent) if bundle.parent else ""
    candidate, model_id = runs.copy_candidate(bundle.candidate, bundle.model, parent)
    if bundle.parent:
        runs.name_candidates(bundle.parent, parent)
    records = [runs.copy_record(record) for record in bundle.records]
    say("checking the files there")
    files = _checked(bundle, model_id)
    tags = {name: value for name, value in bundle.tags.items() if name != PROMOTION} | {
        DIGEST: digest_of(files),
        FILES: json.dumps(files),
        COPIED_DIGEST: bundle.model.digest,
        COPIED_FROM: bundle.origin.address,
        COPIED_RECORDS: ",".join(records),
        ORIGIN: bundle.origin.key,
    }
    _make_model(client, bundle)
    made = client.create_model_version(
        bundle.origin.model,
        f"models:/{model_id}",
        candidate,
        tags=tags,
        description=runs.renamed(bundle.description),
        model_id=model_id,
    )
    first = find(client, bundle.origin)
    if first != str(made.version):
        # Two copied at the same time: whoever was later takes theirs away.
        client.delete_model_version(bundle.origin.model, made.version)
    return first, first != str(made.version)


def _checked(bundle: Bundle, model_id: str) -> dict[str, str]:
    """Digests of the model's files as they are read back from here.

    Raises
    ------
    SixfoldError
        They are not those that were sent.
    """
    from mlflow.artifacts import download_artifacts

    with TemporaryDirectory(prefix="sixfold-") as inner:
        there = Path(download_artifacts(artifact_uri=f"models:/{model_id}", dst_path=inner))
        files = file_digests(there)
        # Its own ids are undone: what is left must be the original's, byte for byte.
        original = copied_model(there, bundle.model.written)
        if digest_of(file_digests(original)) != bundle.model.digest:
            raise SixfoldError(
                f"the copied files of {bundle.origin.model} version {bundle.origin.version} are "
                "not the original's when read back: the artifact store there has lost or changed "
                "some; no version was made"
            )
    return files
