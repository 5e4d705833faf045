"""The files are those registered, they load without pickle, and predict what was recorded."""

import json

from registry.evidence import Evidence
from registry.gates.result import FAILED, PASSED, Finding
from registry.probe import ABSOLUTE, RELATIVE, Probe
from registry.version import DIGEST, FILES
from training.lettering import size


def check(evidence: Evidence) -> Finding:
    """Compare digests, then see what became of the probe."""
    probe = evidence.candidate_probe
    details = {
        "files": len(evidence.files),
        "size": probe.size,
        "load_seconds": probe.load_seconds,
        "memory": probe.memory,
        "pickled": list(probe.pickled),
        "sample_rows": probe.sample_rows,
        "sample_difference": probe.sample_difference,
        "relative": RELATIVE,
    }
    wrong = _files(evidence) or _probe(probe)
    if wrong:
        return Finding(FAILED, wrong, probe.sample_difference, ABSOLUTE, details)
    return Finding(
        PASSED,
        f"All {len(evidence.files)} files ({size(probe.size)}) are as registered, load without "
        f"pickle in {probe.load_seconds:.1f} s, and the predictions of {probe.sample_rows} "
        f"recorded rows differ by at most {probe.sample_difference:.1g}.",
        probe.sample_difference,
        ABSOLUTE,
        details,
    )


def _files(evidence: Evidence) -> str:
    """What is wrong with the files; '' if nothing."""
    from training.digests import digest_of

    tags, version = evidence.candidate.version.tags, evidence.candidate.version
    if FILES not in tags or DIGEST not in tags:
        return (
            f"{version.name} was registered without digests of its files, so nothing tells whether "
            f"they are complete; `sixfold register {version.model} --run RUN` registers it anew."
        )
    recorded: dict[str, str] = json.loads(tags[FILES])
    if digest_of(recorded) != tags[DIGEST]:
        return f"The digests in the tags of {version.name} do not agree with each other."
    found = evidence.files
    for what, names in (
        ("missing", recorded.keys() - found.keys()),
        ("not registered", found.keys() - recorded.keys()),
        (
            "changed",
            {name for name in recorded.keys() & found.keys() if recorded[name] != found[name]},
        ),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return (
                f"Of the {len(recorded)} registered files {min(names)}{more} "
                f"{'is' if len(names) == 1 else 'are'} {what}."
            )
    return ""


def _probe(probe: Probe) -> str:
    """What is wrong with how the model loads and predicts; '' if nothing."""
    if probe.pickled:
        return f"A pickle was asked for {probe.pickled[0]}, and refused: a model needs no pickle."
    if probe.error:
        return f"In a clean process, {probe.error}."
    if probe.sample_difference is None:
        return (
            f"The predictions of its {probe.sample_rows} recorded rows are of another shape than "
            "those recorded at training."
        )
    if not probe.sample_matches:
        return (
            f"The predictions of its {probe.sample_rows} recorded rows differ from those recorded "
            f"at training by up to {probe.sample_difference:.3g}, where {ABSOLUTE:g} plus "
            f"{RELATIVE:g} of the prediction is allowed."
        )
    return ""
