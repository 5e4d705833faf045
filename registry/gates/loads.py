"""The files are those registered, they load without pickle, and predict what was recorded."""

from registry.evidence import Evidence
from registry.files import wrong_files
from registry.gates.result import FAILED, PASSED, Finding
from registry.probe import ABSOLUTE, RELATIVE, Probe
from training.lettering import size


def check(evidence: Evidence) -> Finding:
    """Compare digests, then see what became of the probe."""
    probe, other = evidence.candidate_probe, evidence.production_probe
    details = {
        "files": len(evidence.files),
        "size": probe.size,
        "load_seconds": probe.load_seconds,
        "memory": probe.memory,
        "predict_seconds": probe.predict_seconds,
        "production_predict_seconds": other.predict_seconds if other else None,
        "pickled": list(probe.pickled),
        "sample_rows": probe.sample_rows,
        "sample_difference": probe.sample_difference,
        "relative": RELATIVE,
    }
    version = evidence.candidate.version
    # What could not be downloaded has no files to compare.
    wrong = (wrong_files(version, evidence.files) if evidence.files else "") or _probe(probe)
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


def _probe(probe: Probe) -> str:
    """What is wrong with how the model loads and predicts; '' if nothing."""
    if probe.pickled:
        return f"A pickle was asked for {probe.pickled[0]}, and refused: a model needs no pickle."
    if probe.error:
        return f"The model did not pass: {probe.error}."
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
