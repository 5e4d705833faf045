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
from typing import TYPE_CHECKING, Any

from registry.bundle import COPIED_RECORDS, Bundle, Origin, read_bundle
from registry.received import ORIGIN, Runs
from registry.store import named
from registry.version import COPIED_FROM, DIGEST, FILES, PROMOTION
from training.digests import digest_of
from training.errors import SixfoldError, UserError
from training.tracking import check_server, is_absent

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tag of a copy: the digest of the files that it was made of. Its own differs, as `MLmodel` names
#: the ids of its run and model.
COPIED_DIGEST = "sixfold.copied_digest"
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
        if not is_absent(error):
            raise
    else:
        raise UserError(
            f"expected another registry than the one that {origin.model} version "
            f"{origin.version} is in; promote it there without --to-registry"
        )
    found = client.search_model_versions(
        f"{named(origin.model)} and tags.`{ORIGIN}` = '{origin.key}'"
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
    say("copying the model and its files")
    candidate, model_id, files = runs.copy_candidate(bundle.candidate, bundle.model, parent)
    if bundle.parent:
        runs.name_candidates(bundle.parent, parent)
    records = [runs.copy_record(record) for record in bundle.records]
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


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # MLflow prints; what it prints is no answer.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    try:
        _serve(sys.stdin, answer)
    except SixfoldError as error:
        answer(error=str(error), code=error.exit_code)


def _serve(requests: Iterable[str], answer: Callable[..., None]) -> None:

    check_server(MEND)
    from mlflow import MlflowClient

    from registry.store import reported

    client = MlflowClient()
    for line in requests:
        request = json.loads(line)
        with reported("copying to the other registry"):
            if "find" in request:
                answer(version=find(client, Origin(**request["find"])))
            else:
                version, there = receive(
                    client, Path(request["receive"]), lambda text: answer(say=text)
                )
                answer(version=version, there=there)


def _make_model(client: "MlflowClient", bundle: Bundle) -> None:
    """Make the registered model unless there is one of the name."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            bundle.origin.model, bundle.model_tags, bundle.model_description
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


if __name__ == "__main__":
    main()
