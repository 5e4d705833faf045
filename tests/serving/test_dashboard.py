"""The dashboard's expressions, computed by Prometheus from what two servers tell it."""

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.prometheus import Prometheus, prometheus
from tests.serving.server.bundles import LEVELS, NUMBERS, sample_rows, write_bundle
from tests.serving.server.running import Server, running
from tests.serving.test_grafana import PANELS
from tests.waiting import wait_until

pytestmark = pytest.mark.services

#: Seconds: between two times that Prometheus asks, and until all of what it was told is there.
_EVERY, _LATE = 1.0, 1.5
#: Shown only where it happens: nothing is recorded here, so that nothing fails to be.
_NOTHING = {("Rows recorded, and not recorded", "B")}

Found = dict[tuple[str, str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Version 3, which has classes, and version 12, which has values."""
    folder = tmp_path_factory.mktemp("bundles")
    write_bundle(folder / "kinds", LEVELS)
    write_bundle(folder / "prices", NUMBERS, version="12")
    with running(folder / "kinds") as kinds, running(folder / "prices") as prices:
        yield [kinds, prices]


@pytest.fixture(scope="module")
def asked(servers: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    load(servers)  # what is counted is there from the first time on
    ports = [server.port for server in servers]
    with prometheus(tmp_path_factory.mktemp("prometheus"), ports, _EVERY) as found:
        yield found


def load(servers: list[Server]) -> None:
    for server, schema in zip(servers, (LEVELS, NUMBERS), strict=True):
        rows = sample_rows(schema)
        assert server.ask("POST", "/invocations", {"dataframe_records": rows}).status == 200
        assert server.ask("POST", "/invocations", {"dataframe_records": rows[:1]}).status == 200
        assert server.ask("POST", "/invocations", b"no JSON").status == 400


def computed(asked: Prometheus, model: str = ".*", version: str = ".*") -> Found:
    """What each panel shows, by its title and its target's letter."""
    found: Found = {}
    then = time.time() - _LATE
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "30s")
            expression = expression.replace("$model", model).replace("$version", version)
            found[panel["title"], target["refId"]] = asked.query(expression, then)
    return found


def test_every_panel_shows_what_was_asked(servers: list[Server], asked: Prometheus) -> None:
    found: Found = {}

    def is_whole() -> bool:
        nonlocal found
        load(servers)
        found = computed(asked)
        by_status = {
            (one["metric"]["version"], one["metric"]["status"])
            for one in found["Requests by version and status", "A"]
            if float(one["value"][1]) > 0
        }
        return by_status >= {(v, s) for v in ("3", "12") for s in ("200", "400")} and all(
            shown and all(math.isfinite(float(one["value"][1])) for one in shown)
            for key, shown in found.items()
            if key not in _NOTHING
        )

    wait_until(is_whole)
    assert all(not found[key] for key in _NOTHING)
    wait_until(lambda: [target["health"] for target in asked.targets()] == ["up", "up"])

    def shown(title: str, *labels: str, letter: str = "A") -> dict[tuple[str, ...], float]:
        return {
            tuple(one["metric"][label] for label in labels): float(one["value"][1])
            for one in found[title, letter]
        }

    assert shown("Versions", "model", "version", "path").keys() == {
        ("churn", "3", "onnx"),
        ("churn", "12", "onnx"),
    }
    assert shown("Workers that answer") == {(): 2.0}
    # One in three, asked for in the middle of them; and then there are those for /metrics.
    assert 0 < shown("Refused or failed")[()] < 0.5
    assert shown("Errors by kind", "kind").keys() == {("json",)}
    rows = shown("Rows by version", "version")
    assert sum(rows.values()) == pytest.approx(shown("Rows")[()])
    shares = shown("Labels predicted", "version", "label")
    assert {version for version, _ in shares} == {"3"}
    assert sum(shares.values()) == pytest.approx(1)
    low, middle, high = (
        shown("Values predicted: the middle half", "version", letter=letter)["12",]
        for letter in "BAC"
    )
    assert low <= middle <= high


def test_a_chosen_version_is_shown_alone(servers: list[Server], asked: Prometheus) -> None:
    info = "sixfold_model_info"
    wait_until(lambda: len(asked.query(info, time.time() - _LATE)) == len(servers))
    assert asked.label_values("model", info) == ["churn"]
    assert set(asked.label_values("version", info + '{model=~"churn"}')) == {"3", "12"}
    found = computed(asked, model="churn", version="12")
    assert [one["metric"]["version"] for one in found["Versions", "A"]] == ["12"]
    assert float(found["Workers that answer", "A"][0]["value"][1]) == 1.0
