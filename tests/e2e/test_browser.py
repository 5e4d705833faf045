"""What a person sees of a finished training in MLflow's UI, in a real browser.

With SIXFOLD_SCREENSHOTS=1 the README's pictures are taken on the way.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import FinishedTraining
from tests.services.chromium import resize
from tests.services.mlflow_server import embedded_store_server

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.e2e.mlflow_ui import MlflowUI

_IMAGES = Path(__file__).parents[2] / "docs" / "images"
_LARGEST_IMAGE = 300_000

pytestmark = [pytest.mark.browser, pytest.mark.services]


def test_candidates_are_compared_in_the_model_training_view(
    finished_training: FinishedTraining, browser: "Chrome"
) -> None:
    from tests.e2e.mlflow_ui import MlflowUI

    experiment_id = finished_training.leaderboard["experiment_id"]
    metric = f"test_{finished_training.leaderboard['metric']}"
    names = {row["run_id"]: row["name"] for row in finished_training.finished}
    scores = {row["name"]: row["test"] for row in finished_training.finished}
    run_ids = list(names)

    with embedded_store_server(finished_training.folder) as server:
        ui = MlflowUI(browser, server.uri)
        # MLflow 3.17's UI does not look at the experiment's tag, but the link decides as well.
        ui.open_experiment(f"experiments/{experiment_id}?workflowType=machine_learning")
        assert {"Runs", "Models", "Model registry"} <= set(ui.menu())
        assert "Prompts" not in ui.menu()

        ui.expand(finished_training.leaderboard["run_id"])
        assert ui.run_names(run_ids) == names

        ui.select(run_ids)
        ui.compare()
        shown = ui.compared_names()
        assert sorted(shown) == sorted(names.values())
        values = ui.compared_metric(metric, len(run_ids))
        # The page rounds to three decimals, small values to four digits.
        expected = [scores[name] for name in shown]
        assert values == pytest.approx(expected, abs=6e-4, rel=1e-3)

        if os.environ.get("SIXFOLD_SCREENSHOTS") == "1":
            _take_pictures(ui, browser, experiment_id, run_ids, metric)


def test_the_experiment_is_marked_as_model_training(finished_training: FinishedTraining) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(finished_training.tracking_uri)
    experiment = client.get_experiment(finished_training.leaderboard["experiment_id"])
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def _take_pictures(
    ui: "MlflowUI", browser: "Chrome", experiment_id: str, run_ids: list[str], metric: str
) -> None:
    """Both 1600 x 1000 pixels, of the pages as a person would arrange them."""
    ui.choose_model_training()
    # All candidates beside each other with the plot above them need a larger page.
    resize(browser, 2_272, 1_420, 1_600 / 2_272)
    ui.open_comparison(experiment_id, run_ids)
    ui.collapse_menu()
    ui.fold("Parameters")
    cross_validated = f"cv_{metric.removeprefix('test_')}"
    # Lines have the colour of their last value.
    ui.plot_metrics(["model_bytes", "fit_seconds", cross_validated, metric])
    ui.show_compared_metric(metric)
    _save(ui, _IMAGES / "mlflow-compare.png")
    resize(browser, 1_600, 1_000)
    ui.open_charts(experiment_id, "tags.`sixfold.kind` = 'candidate'", f"metrics.`{metric}`")
    ui.find_charts(f"^({metric}|test_log_loss|test_accuracy|test_f1|fit_seconds|model_bytes)$", 6)
    _save(ui, _IMAGES / "mlflow-runs.png")


def _save(ui: "MlflowUI", path: Path) -> None:
    ui.screenshot(path)
    assert path.stat().st_size < _LARGEST_IMAGE
