"""One comparison of a version with what it was asked since, from top to bottom."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from registry.store import reported
from registry.version import Version
from serving.build import find
from serving.drift.compare import DRIFTED, ORDER, SHIFTED, Finding, findings, worst
from serving.drift.counts import watched
from serving.drift.recordings import (
    PREDICTION,
    PROBABILITIES,
    REQUEST,
    ROW,
    Found,
    Recordings,
    Window,
)
from serving.drift.truth import Performance, Truth
from training.errors import SixfoldError, UserError
from training.profile import FILE, Profile, ProfileError, read_profile
from training.schema import Schema

if TYPE_CHECKING:
    from mlflow import MlflowClient

SCHEMA = "schema.json"
_DATA = "data/model"
_EVERY = 100_000  # rows between two lines about how far it is


@dataclass(frozen=True)
class Drift:
    """A version, compared with what it was asked.

    Attributes
    ----------
    version : Version
    schema : Schema
    profile : Profile
        What was at training.
    place : str
        Where the recordings are, without credentials.
    window : Window
        What was asked for.
    found : Found
        What was read.
    findings : list of Finding
        The worst first.
    performance : Performance or None
        Where the truth was given.
    verdict : {'too few rows', 'stable', 'shifted', 'drifted'}
    """

    version: Version
    schema: Schema
    profile: Profile
    place: str
    window: Window
    found: Found
    findings: list[Finding]
    performance: Performance | None
    verdict: str

    @property
    def predictions(self) -> list[Finding]:
        return [item for item in self.findings if item.is_prediction]

    @property
    def columns(self) -> list[Finding]:
        return [item for item in self.findings if not item.is_prediction]


def drift(
    client: "MlflowClient",
    model: str,
    number: str,
    place: str,
    wanted: Window,
    truth: str,
    say: Callable[[str], None],
) -> Drift:
    """Compare what was recorded of a version with its training table.

    Parameters
    ----------
    client : MlflowClient
    model : str
    number : str
        '' for the version in Production.
    place : str
        The folder of the recordings, or `s3://BUCKET/PREFIX`.
    wanted : Window
    truth : str
        A table of what has turned out to be true; '' for none.
    say : callable
        Told each step.

    Raises
    ------
    UserError
        There is no such version or recording, the version has no profile, or the truth does not
        go with it.
    """
    from training.sources import without_credentials

    with reported("reading the registry"):
        version = find(client, model, number)
        schema, profile = read_training(version)
    known = Truth(truth, schema) if truth else None
    if known is not None and known.unnamed:
        say(f"{known.unnamed:,} rows of the truth have no request's id and are left out")
    recordings = Recordings(place, version.model, version.version, schema.fingerprint)
    items = watched(schema, profile)
    columns = [item.source for item in items]
    if known is not None:
        columns += [REQUEST, ROW, PROBABILITIES if schema.target.classes else PREDICTION]
    shown = without_credentials(place)
    say(f"reading what was recorded of {version.name} in {shown}")
    told = 0
    for batch in recordings.batches(columns, wanted):
        there = set(batch.schema.names)
        for item in items:
            if item.source in there:
                item.add(batch)
        if known is not None:
            known.add(batch)
        if recordings.found.rows - told >= _EVERY:
            told = recordings.found.rows
            say(f"{told:,} rows")
    found = recordings.found
    _check(found, version, shown, wanted)
    compared = findings(items)
    performance = known.performance(profile) if known is not None else None
    verdict = worst(compared)
    if performance is not None and performance.verdict == "worse":
        verdict = DRIFTED
    elif performance is not None and performance.unknown_verdict == SHIFTED:
        verdict = max(verdict, SHIFTED, key=ORDER.index)
    return Drift(version, schema, profile, shown, wanted, found, compared, performance, verdict)


def read_training(version: Version) -> tuple[Schema, Profile]:
    """A version's schema and profile, without its model.

    Raises
    ------
    UserError
        Sixfold has not trained it, or did so before there were profiles.
    """
    from mlflow.artifacts import download_artifacts, list_artifacts

    names = {Path(item.path).name for item in list_artifacts(f"{version.uri}/{_DATA}")}
    if SCHEMA not in names:
        raise UserError(
            f"expected a version that Sixfold has trained, got {version.name}, which has no "
            f"{SCHEMA}; name another one with --version"
        )
    if FILE not in names:
        raise UserError(
            f"expected a version with the profile of its training table, got {version.name}, which "
            f"was trained before there was one ({FILE}); train it again and promote that version"
        )
    with TemporaryDirectory(prefix="sixfold-") as folder:
        paths = [
            Path(download_artifacts(f"{version.uri}/{_DATA}/{name}", dst_path=folder))
            for name in (SCHEMA, FILE)
        ]
        try:
            return Schema.read(paths[0]), read_profile(paths[1])
        except ProfileError as error:
            raise UserError(f"{version.name}: {error}; train it again") from None


def _check(found: Found, version: Version, place: str, wanted: Window) -> None:
    if found.rows:
        return
    if found.files or found.outside:
        ends = [f"{end:%Y-%m-%d %H:%M}" if end else "…" for end in (wanted.since, wanted.until)]
        raise UserError(
            f"expected rows between {ends[0]} and {ends[1]} (UTC), got none among the recordings "
            f"of {version.name} in {place}; change --since or --until"
        )
    if found.foreign:
        raise UserError(
            f"expected recordings of {version.name}'s schema, got {found.foreign:,} files of "
            f"another one in {place}: of a model of the same name, trained elsewhere"
        )
    if found.damaged:
        raise SixfoldError(f"none of {found.damaged:,} files in {place} could be read")
    raise UserError(
        f"expected recordings of {version.name} in {place}, got none; serve it with --record, or "
        "say where they are: --recordings FOLDER"
    )
