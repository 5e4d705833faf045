"""The files, the clean process, and the recorded predictions."""

from dataclasses import replace

import pytest

from registry.version import DIGEST, FILES
from tests.registry.evidence_of import binary, evidence_of, probe_of, result_of


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"MLmodel": "a" * 64}, "data/model/schema.json is missing"),
        ({"MLmodel": "a" * 64, "data/model/schema.json": "x"}, "data/model/schema.json is changed"),
        (
            {"MLmodel": "a" * 64, "data/model/schema.json": "b" * 64, "b": "", "c": ""},
            "b and 1 more are not registered",
        ),
    ],
)
def test_files_must_be_those_registered(files: dict[str, str], words: str) -> None:
    result = result_of("loads", evidence_of(*binary(), files=files))
    assert result.stops
    assert words in result.sentence


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, "without digests"),
        ({FILES: "{}", DIGEST: "0" * 64}, "do not agree"),
    ],
)
def test_digests_must_be_there_and_agree(tags: dict[str, str], words: str) -> None:
    evidence = evidence_of(*binary())
    version = replace(evidence.candidate.version, tags=tags)
    result = result_of(
        "loads", replace(evidence, candidate=replace(evidence.candidate, version=version))
    )
    assert result.stops
    assert words in result.sentence


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"error": "its process was killed, most likely because memory ran out"}, "memory ran out"),
        ({"pickled": ("os.system",)}, "os.system"),
        ({"sample_matches": False, "sample_difference": 0.25}, "by up to 0.25"),
        ({"sample_matches": False, "sample_difference": None}, "another shape"),
    ],
)
def test_probe_must_do_all(given: dict[str, object], words: str) -> None:
    frame, y, own = binary()
    evidence = evidence_of(frame, y, own, candidate_probe=probe_of(own, **given))
    result = result_of("loads", evidence)
    assert result.stops
    assert words in result.sentence


def test_what_is_in_order_is_said_with_its_numbers() -> None:
    result = result_of("loads", evidence_of(*binary()))
    assert result.outcome == "passed"
    assert "2 files (1.0 MB)" in result.sentence
    assert "5 recorded rows" in result.sentence
