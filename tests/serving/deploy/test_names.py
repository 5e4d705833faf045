"""Names that Docker, DNS and Kubernetes take."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.deploy.names import deployment, slug
from serving.deploy.recording import volume_name
from serving.deploy.servers import canary_of, servers_of

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("model", "expected"), [("churn", "churn"), ("credit-risk-2", "credit-risk-2")]
)
def test_a_plain_name_stays(model: str, expected: str) -> None:
    assert slug(model) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(f"sixfold-churn-{word}" for word in ("next", "old", "front", "front-next", "token")),
        *("sixfold-churn-canary", "sixfold-churn-canary-smoke", "sixfold-churn-smoke"),
        *(canary_of("sixfold-churn", 5), f"{canary_of('sixfold-churn', 99)}-old"),
        *(servers_of("sixfold-churn"), volume_name("churn"), "sixfold-churn-server-1"),
    ],
)
def test_no_model_is_called_what_another_one_has(name: str) -> None:
    assert deployment(name.removeprefix("sixfold-")) != name


def test_names_that_look_alike_stay_apart() -> None:
    models = ["churn eu", "churn_eu", "Churn EU", "churn-eu", "churn.eu", "churn-eu-", "é", "è"]
    assert len({slug(model) for model in models}) == len(models)
    assert slug("Churn EU").startswith("churn-eu-")


@given(st.text(min_size=1, max_size=100))
def test_every_name_is_a_dns_label(model: str) -> None:
    name = f"{canary_of(deployment(model), 99)}-old"
    assert _LABEL.fullmatch(name)
    assert len(name) <= 63
