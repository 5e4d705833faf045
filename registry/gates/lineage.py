"""What it takes to do the training again is there: commit, table, packages."""

from registry.evidence import Evidence
from registry.gates.result import Finding, outcome
from registry.settings import Lineage

_DIRTY = "-dirty"


def check(evidence: Evidence) -> Finding:
    """See what the training has recorded."""
    settings: Lineage = evidence.policy.gate("lineage")
    facts, table = evidence.candidate, evidence.candidate.version.tags.get("table", "")
    packages = len(facts.requirements.split())
    dirty = facts.commit.endswith(_DIRTY)
    wrong = []
    if not facts.commit:
        wrong.append("no git commit")
    elif dirty and not (settings.allow_dirty or evidence.allow_dirty):
        wrong.append(
            f"changed files beside commit {facts.commit.removesuffix(_DIRTY)[:8]} (--allow-dirty "
            "allows them)"
        )
    if not facts.schema.fingerprint:
        wrong.append("no fingerprint of the table")
    elif table and table != facts.schema.fingerprint:
        wrong.append(
            f"table {table[:8]} in its tags and {facts.schema.fingerprint[:8]} in its schema"
        )
    if not packages:
        wrong.append("no list of packages")
    details = {
        "commit": facts.commit,
        "dirty": dirty,
        "table": facts.schema.fingerprint,
        "packages": packages,
        "image": facts.image,
    }
    if wrong:
        sentence = f"The training recorded {', '.join(wrong)}."
    else:
        sentence = (
            f"The training recorded commit {facts.commit.removesuffix(_DIRTY)[:8]}"
            f"{' with changed files, which is allowed' if dirty else ''}, table "
            f"{facts.schema.fingerprint[:8]} and {packages} packages."
        )
    return Finding(outcome(not wrong), sentence, len(wrong), 0, details)
