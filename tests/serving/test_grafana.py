"""The dashboard asks for what the server exposes, and for nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.server.bundle import read_bundle
from serving.server.metrics import Metrics
from tests.serving.server.bundles import LEVELS, NUMBERS, write_bundle

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "sixfold.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
VARIABLES = {item["name"]: item for item in BOARD["templating"]["list"]}
#: What Prometheus itself adds to each sample.
OF_PROMETHEUS = {"job", "instance"}


def expressions() -> Iterator[str]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"]
    for item in VARIABLES.values():
        if item["type"] == "query":
            yield item["definition"]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Labels of each sample that a server of classes or of values answers `/metrics` with."""
    found: dict[str, set[str]] = {}
    for schema, raw in ((LEVELS, np.array([[0.2, 0.5, 0.3]])), (NUMBERS, np.array([0.5]))):
        folder = tmp_path_factory.mktemp("bundle")
        write_bundle(folder, schema)
        metrics = Metrics(read_bundle(folder), ["invocations", "other"], 1)
        metrics.request(0, 200)
        metrics.predictions(raw)
        text, _ = metrics.render()
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_is_exposed(exposed: dict[str, set[str]]) -> None:
    known = OF_PROMETHEUS.union(*exposed.values())
    used = set()
    for expression in expressions():
        for name, labels in re.findall(r"\b(sixfold_\w+)(?:\{([^}]*)\})?", expression):
            used.add(name)
            assert name in exposed, expression
            for label in re.findall(r"(\w+)\s*(?:=~|!=|=)", labels):
                assert label in exposed[name], f"{name} has no label {label}"
        for group in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expression):
            assert set(filter(None, re.split(r",\s*", group))) <= known, expression
    assert len(used) > 10


def test_every_panel_is_of_the_chosen_source_model_and_version() -> None:
    assert VARIABLES["datasource"]["query"] == "prometheus"
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            named = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert named == {"model", "version"}, target["expr"]
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            kept = {
                name
                for by in re.findall(r"by \(([^)]*)\)", target["expr"])
                for name in by.split(", ")
            }
            assert shown <= kept, target["expr"]


def test_panels_have_their_own_ids_titles_and_places() -> None:
    assert BOARD["schemaVersion"] >= 41
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
