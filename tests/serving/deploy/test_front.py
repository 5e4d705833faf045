"""A front that is there goes on, and is said to be of another Sixfold where it is."""

from types import SimpleNamespace

import pytest

from serving.deploy import front
from serving.deploy.wanted import Wanted
from tests.serving.deploy.releases import CHURN


@pytest.mark.parametrize(
    ("labels", "lines"),
    [({front.PROGRAM: front.mark()}, 0), ({front.PROGRAM: "another"}, 1), ({}, 1)],
)
def test_a_front_of_another_program_is_said(labels: dict[str, str], lines: int) -> None:
    bound = {"PortBindings": {"8080/tcp": [{"HostPort": "9000"}]}}
    there = SimpleNamespace(
        name="sixfold-churn-front",
        labels=labels,
        attrs={"HostConfig": bound},
        start=lambda: None,
    )
    engine = SimpleNamespace(containers=SimpleNamespace(get=lambda _: there))
    said: list[str] = []
    assert front.keep_port(engine, CHURN, Wanted("churn"), [], said.append) == (there, None)
    assert len(said) == lines
    assert all("once: `sixfold undeploy churn --to docker`" in line for line in said)
