"""What a person sees of a promoted version: in MLflow's UI, and on a comparison's page.

With SIXFOLD_SCREENSHOTS=1 the README's picture is taken on the way.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import call
from tests.e2e.conftest import FinishedTraining
from tests.services.chromium import resize
from tests.services.mlflow_server import embedded_store_server

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from selenium.webdriver import Chrome

_IMAGES = Path(__file__).parents[2] / "docs" / "images"
_LARGEST_IMAGE = 300_000
_MODEL = "tumours"

pytestmark = [pytest.mark.browser, pytest.mark.services]


@dataclass(frozen=True)
class Promoted:
    """A model with a weak version that was replaced in Production by the training's winner."""

    folder: Path
    training: FinishedTraining

    @property
    def client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self.training.tracking_uri)


@pytest.fixture(scope="module")
def promoted(finished_training: FinishedTraining) -> Promoted:
    """Register and promote two versions by the console command, as a user would."""
    folder = finished_training.folder
    run = finished_training.leaderboard["run_id"]
    environment = {"MLFLOW_TRACKING_URI": finished_training.tracking_uri}
    # A small fold of the test rows lets even a good version lose a slice: that gate has its tests.
    (folder / "policy.toml").write_text('[slices]\nenforce = "warn"\n')

    def sixfold(*arguments: str) -> None:
        call(folder, "sixfold", arguments, environment)

    sixfold("register", _MODEL, "--run", run, "--algorithm", "decision_tree")
    sixfold("promote", _MODEL, "--allow-dirty")
    sixfold("register", _MODEL, "--run", run)
    sixfold("promote", _MODEL, "--allow-dirty", "--note", "checked with <oncology> | twice")
    sixfold("compare", _MODEL, "1", "2", "--report", "compared.html")
    return Promoted(folder, finished_training)


def test_a_promoted_version_shows_its_stage_alias_and_description(
    promoted: Promoted, browser: "Chrome"
) -> None:
    from tests.e2e.mlflow_ui import MlflowUI

    best, weak = promoted.training.finished[0], _row(promoted, "decision_tree")
    version = promoted.client.get_model_version(_MODEL, "2")
    with embedded_store_server(promoted.folder) as server:
        ui = MlflowUI(browser, server.uri)
        ui.choose_model_training()
        ui.open_version(_MODEL, "2")

        assert ui.version_fact("Stage (deprecated)") == "Production"
        assert ui.version_fact("Aliases") == "@ production"
        text = ui.description()
        assert f"{best['name']} predicts" in text
        assert f"Promoted to Production by {version.tags['promoted_by']}" in text
        assert "checked with <oncology> | twice" in text
        assert "Against version 1 on the same 114 rows" in text
        scores, training, gates = ui.description_tables()
        assert scores[0] == ["Score", "Version 2", "Before: version 1"]
        tests = [float(cell.split()[0]) for cell in scores[1][1:]]
        assert tests == pytest.approx([best["test"], weak["test"]], rel=1e-3)
        fingerprint = version.tags["table"]
        assert ["Fingerprint", fingerprint] in training
        outcomes = {row[0]: row[1] for row in gates[1:]}
        assert outcomes["quality"] == "passed"
        assert outcomes["loads"] == "passed"
        tags = ui.version_tags()
        assert tags["algorithm"] == best["algorithm"]
        assert tags["gates"] == version.tags["gates"]

        if os.environ.get("SIXFOLD_SCREENSHOTS") == "1":
            resize(browser, 1_600, 1_000)
            path = _IMAGES / "mlflow-version.png"
            ui.screenshot(path)
            assert path.stat().st_size < _LARGEST_IMAGE

        ui.open_version(_MODEL, "1")
        assert ui.version_fact("Stage (deprecated)") == "Archived"
        assert "production" not in ui.version_fact("Aliases")


def test_a_person_finds_versions_by_their_tags(promoted: Promoted) -> None:
    found = promoted.client.search_model_versions("tags.algorithm = 'decision_tree'")

    assert [(item.name, str(item.version)) for item in found] == [(_MODEL, "1")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_comparison_is_a_page_that_any_browser_shows(
    promoted: Promoted, browser: "Chrome", scheme: str
) -> None:
    browser.get_log("browser")  # what other pages have left there
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        for width in (1_200, 400):
            resize(browser, width, 900)
            browser.get((promoted.folder / "compared.html").as_uri())
            assert browser.title == f"{_MODEL}: version 1 and version 2"
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width
        script = """
            const brightness = (color) =>
                color.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
            const style = getComputedStyle(document.body);
            return [
                brightness(style.backgroundColor), brightness(style.color),
                getComputedStyle(document.querySelector("polyline.second")).stroke,
                document.querySelectorAll("svg.chart").length,
                performance.getEntriesByType("resource").length,
            ];
        """
        page, ink, line, charts, loaded = browser.execute_script(script)
        assert page > 200 > 100 > ink if scheme == "light" else page < 100 < 200 < ink
        assert line not in ("none", "rgb(0, 0, 0)")
        assert charts == 5
        assert loaded == 0
        assert not browser.get_log("browser")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        resize(browser, 1_600, 1_000)


def _row(promoted: Promoted, name: str) -> "dict[str, object]":
    return next(row for row in promoted.training.finished if row["name"] == name)
