"""Names of images and what their labels say."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.labels import image_labels, image_name, label
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
        ("churn_v2.eu--old", "", "churn_v2.eu--old:7"),
        ("churn-canary", "", "churn-canary:7"),
        ("IrisClassifier", "", "irisclassifier-b995b2:7"),
        ("Umsätze 2026", "", "ums-tze-2026-0024d0:7"),
        ("-churn", "", "churn-84751c:7"),
        ("模型", "", "model-c98e11:7"),
    ],
)
def test_an_image_is_called_as_its_version_or_as_wanted(
    model: str, tag: str, expected: str
) -> None:
    assert image_name(model, "7", tag) == expected


@pytest.mark.parametrize(
    ("model", "tag"),
    [
        ("churn", "Churn:1"),
        ("My model", "My model"),
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


@given(st.sets(st.text("aA.-_ ü", min_size=1, max_size=300), min_size=2, max_size=8))
def test_every_model_has_a_name_of_its_own(models: set[str]) -> None:
    names = [image_name(model, "7") for model in models]
    assert len(set(names)) == len(names)
    assert all(image_name("churn", "7", name) == name for name in names)  # valid as a --tag


@pytest.mark.parametrize("model", ["a\nb", "a\tb", "a\x00b"])
def test_a_name_that_no_label_can_hold_is_refused(model: str) -> None:
    with pytest.raises(UserError, match="without control characters"):
        image_name(model, "7", "churn:7")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a  b ", '"a  b "'),
        ('it"s $HOME \\ {b}', '"it\\"s \\$HOME \\\\ {b}"'),
        ("Umsätze\u2003'über'", "\"Umsätze\u2003'über'\""),
        ("one\ntwo\r\n", '"one two  "'),
    ],
)
def test_a_label_has_the_text_as_it_is(value: str, expected: str) -> None:
    assert label({"a": value}) == f'LABEL "a"={expected}'


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
