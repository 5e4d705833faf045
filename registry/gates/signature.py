"""The signature is there, and who calls Production's version can call this one."""

from collections.abc import Mapping
from typing import Any

from registry.evidence import Evidence
from registry.gates.result import FAILED, PASSED, Finding, outcome


def check(evidence: Evidence) -> Finding:
    """Compare inputs, outputs, parameters and labels with those of Production's version."""
    own, production = evidence.signature, evidence.production
    if own is None or not own.get("inputs"):
        return Finding(FAILED, "No signature with the model's inputs was found.", threshold=0)
    count = len(own["inputs"])
    if production is None:
        return Finding(
            PASSED,
            f"The signature has {count} inputs, and there is no Production to agree with.",
            figure=0,
            threshold=0,
            details={"inputs": count, "changes": []},
        )
    other = evidence.production_signature
    if other is None:
        return Finding(
            outcome(evidence.allow_schema_change),
            f"The signature of {production.version.name} is not known, so its inputs cannot be "
            "compared; --allow-schema-change goes on without.",
            threshold=0,
        )
    changes = [
        *_changes("input", own, other, "inputs"),
        *_changes("output", own, other, "outputs"),
        *_changes("parameter", own, other, "params"),
        *_labels(evidence),
    ]
    details = {
        "inputs": count,
        "changes": changes,
        "allowed": evidence.allow_schema_change,
        "against": production.version.version,
    }
    if not changes:
        sentence = f"Its {count} inputs and its outputs are those of {production.version.name}."
        return Finding(PASSED, sentence, 0, 0, details)
    shown = "; ".join(changes[:5]) + (f"; and {len(changes) - 5} more" if len(changes) > 5 else "")
    if evidence.allow_schema_change:
        sentence = f"{len(changes)} changes to {production.version.name} are allowed: {shown}."
        return Finding(PASSED, sentence, len(changes), len(changes), details)
    return Finding(
        FAILED,
        f"{len(changes)} changes to {production.version.name}: {shown}; --allow-schema-change "
        "allows them.",
        len(changes),
        0,
        details,
    )


def _changes(what: str, own: Mapping[str, Any], other: Mapping[str, Any], part: str) -> list[str]:
    """What was added, left out, or is of another type; what needs no name is told by its place."""
    mine, theirs = _by_name(own.get(part)), _by_name(other.get(part))
    found = [f"{what} {name!r} is new" for name in mine if name not in theirs]
    found += [f"{what} {name!r} is gone" for name in theirs if name not in mine]
    for name, item in mine.items():
        before = theirs.get(name, item)
        for key, default in (("type", None), ("required", True), ("default", None)):
            now, then = item.get(key, default), before.get(key, default)
            if now != then:
                found.append(f"{what} {name!r} has {key} {now} where it had {then}")
    return found


def _by_name(items: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]]:
    return {str(item.get("name", at)): item for at, item in enumerate(items or [])}


def _labels(evidence: Evidence) -> list[str]:
    assert evidence.production is not None
    mine = [repr(label) for label in evidence.candidate.schema.target.classes or ()]
    theirs = [repr(label) for label in evidence.production.schema.target.classes or ()]
    found = [f"label {name} is new" for name in mine if name not in theirs]
    return found + [f"label {name} is gone" for name in theirs if name not in mine]
