"""Names of images and what their labels say."""

from datetime import datetime

import pytest

from serving import build
from serving.labels import CANDIDATE, image_labels, image_name, licences, own_names
from serving.origin import Origin
from tests.registry.facts import NOW, shown_facts
from training.errors import UserError


@pytest.mark.parametrize(
    ("model", "tag", "expected"),
    [
        ("churn", "", "churn:7"),
        ("churn", "other", "other:7"),
        ("churn", "registry.example/team/churn:prod", "registry.example/team/churn:prod"),
        ("churn", "localhost:5000/churn", "localhost:5000/churn:7"),
        ("My model", "my-model:1", "my-model:1"),
    ],
)
def test_an_image_is_called_as_its_version_or_as_wanted(
    model: str, tag: str, expected: str
) -> None:
    assert image_name(model, "7", tag) == expected


@pytest.mark.parametrize(
    ("model", "tag"),
    [
        ("My model", ""),
        ("Umsätze 2026", ""),
        ("churn", "Churn:1"),
        ("churn", "churn:a b"),
        ("churn", "churn:" + "x" * 129),
        ("churn", "a//b"),
        ("churn", "-churn"),
        ("churn", "churn@sha256:00"),
    ],
)
def test_a_name_that_no_image_may_have_is_refused_with_one_that_it_may(
    model: str, tag: str
) -> None:
    with pytest.raises(UserError) as caught:
        image_name(model, "7", tag)
    proposed = str(caught.value).rpartition("--tag ")[2]
    assert image_name(model, "7", proposed) == proposed


def test_labels_say_where_an_image_comes_from() -> None:
    facts = shown_facts("7")
    labels = image_labels(Origin.of(facts), "onnx")
    assert {name: labels[f"sixfold.{name}"] for name in ("model", "version", "run", "path")} == {
        "model": "churn",
        "version": "7",
        "run": "run7",
        "path": "onnx",
    }
    assert labels["sixfold.table"] == facts.schema.fingerprint
    assert labels["org.opencontainers.image.revision"] == "c" * 40
    created = datetime.fromisoformat(labels["org.opencontainers.image.created"])
    assert created.timestamp() == NOW  # the version's, not the build's: it is the same tomorrow
    assert all(isinstance(value, str) for value in labels.values())


def test_an_image_that_is_being_tried_has_no_name_yet() -> None:
    assert build._CANDIDATE == CANDIDATE
    assert own_names([f"{CANDIDATE}:0123456789ab", f"{CANDIDATE}:0123456789ab-mlflow"]) == []
    assert own_names(["churn:7", f"{CANDIDATE}:0123456789ab", "a:7"]) == ["a:7", "churn:7"]
    assert own_names([f"registry.example/{CANDIDATE}:7"]) == [f"registry.example/{CANDIDATE}:7"]


def test_licences_are_one_expression() -> None:
    found = licences(
        [
            {"name": "a", "licence": "MIT"},
            {"name": "b", "licence": "MIT"},
            {"name": "c", "licence": "Apache-2.0 OR BSD-2-Clause"},
            {"name": "d", "licence": "MPL-2.0 AND (Apache-2.0 OR MIT)"},
        ]
    )
    assert found == (
        "(Apache-2.0 OR BSD-2-Clause) AND (Apache-2.0 OR MIT) AND Apache-2.0 AND MIT AND MPL-2.0 "
        "AND PSF-2.0"
    )
