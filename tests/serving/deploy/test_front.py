"""A front that is there goes on, and is said to be of another Sixfold where it is."""

import ast
from collections import Counter
from types import SimpleNamespace

import pytest

from serving.deploy import front
from serving.deploy.names import MODEL
from serving.deploy.wanted import Wanted
from tests.serving.deploy.releases import CHURN
from training.errors import UserError


def test_nothing_of_the_program_has_anothers_name() -> None:
    """It is of several files, which one text holds."""
    names: Counter[str] = Counter()
    for item in ast.parse(front.program()).body:
        if isinstance(item, ast.Assign):
            names.update(target.id for target in item.targets if isinstance(target, ast.Name))
        elif isinstance(item, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[item.name] += 1
    assert len(names) > 20
    assert not [name for name, times in names.items() if times > 1]


@pytest.mark.parametrize(
    ("labels", "lines"),
    [({front.PROGRAM: front.mark()}, 0), ({front.PROGRAM: "another"}, 1), ({}, 1)],
)
def test_a_front_of_another_program_is_said(labels: dict[str, str], lines: int) -> None:
    """It may not know canaries: none is started."""
    bound = {"PortBindings": {"8080/tcp": [{"HostPort": "9000"}]}}
    there = SimpleNamespace(
        name="sixfold-churn-front",
        labels={MODEL: "churn", **labels},
        attrs={"HostConfig": bound},
        start=lambda: None,
    )
    engine = SimpleNamespace(containers=SimpleNamespace(get=lambda _: there))
    said: list[str] = []
    assert front.keep_port(engine, CHURN, Wanted("churn"), [], said.append) == (there, None)
    assert len(said) == lines
    assert all("once: `sixfold undeploy churn --to docker`" in line for line in said)
    canary = Wanted("churn", canary=10)
    if lines:
        with pytest.raises(UserError, match="which knows canaries, got sixfold-churn-front of an"):
            front.keep_port(engine, CHURN, canary, [], said.append)
    else:
        assert front.keep_port(engine, CHURN, canary, [], said.append) == (there, None)
