"""All plots of a candidate, over tasks and over what goes wrong in real tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from training.plots import PLOTS, PlotData, draw
from training.plots.calibration import calibration
from training.plots.confusion import MOST, confusion, most_confused
from training.plots.data import sample
from training.plots.features import coefficients
from training.plots.precision_recall import precision_recall
from training.plots.residuals import predicted, residuals
from training.plots.roc import roc

CLASSES = {"roc", "precision_recall", "calibration", "confusion_matrix"}
NUMBERS = {"residuals", "predicted_against_actual"}
ALWAYS = {"learning_curve", "permutation_importance"}


def _data(task: str, y: np.ndarray, prediction: np.ndarray, **more: Any) -> PlotData:
    given: dict[str, Any] = {
        "classes": [f"class {i}" for i in range(prediction.shape[1])]
        if prediction.ndim > 1
        else [],
        "importance": [("x", 0.1, 0.01), ("y", -0.01, 0.01)],
        "coefficients": None,
        "learning": [(100, 0.8, 0.05), (200, 0.85, 0.03), (400, 0.87, 0.02)],
        "metric": "roc_auc",
    } | more
    return PlotData("random_forest", task, y=y, prediction=prediction, **given)


def _classification(rows: int, k: int, **more: Any) -> PlotData:
    rng = np.random.default_rng(rows + k)
    y = rng.integers(0, k, rows)
    scores = rng.normal(0, 1, (rows, k))
    scores[np.arange(rows), y] += 1.5
    odds = np.exp(scores)
    prediction = odds / odds.sum(axis=1, keepdims=True)
    return _data("binary" if k == 2 else "multiclass", y, prediction, **more)


def _regression(rows: int, **more: Any) -> PlotData:
    rng = np.random.default_rng(rows)
    prediction = rng.gamma(2, 1e4, rows)
    return _data("regression", prediction + rng.normal(0, 2e3, rows), prediction, **more)


def _drawn(data: PlotData, folder: Path) -> set[str]:
    """Draw, check each file, and give their names."""
    paths = draw(data, folder)
    for path in paths:
        with Image.open(path) as picture:
            picture.verify()
    assert sorted(folder.iterdir()) == sorted(paths)
    return {path.stem for path in paths}


def _title(axes: Axes) -> str:
    return axes.figure.get_suptitle()


def _note(axes: Axes) -> str:
    return axes.figure.texts[-1].get_text()


@pytest.mark.parametrize("classes", [2, 3, MOST + 1])
def test_plots_of_a_classifier(tmp_path: Path, classes: int) -> None:
    assert _drawn(_classification(600, classes), tmp_path / "new" / "folder") == CLASSES | ALWAYS


def test_plots_of_a_regression(tmp_path: Path) -> None:
    assert _drawn(_regression(300), tmp_path) == NUMBERS | ALWAYS


def test_coefficients_are_drawn_where_there_are_some(tmp_path: Path) -> None:
    given = [(f"feature_{i}", (-1.0) ** i * i) for i in range(20)]

    assert "coefficients" in _drawn(_regression(30, coefficients=given), tmp_path)
    assert _title(coefficients(_regression(30, coefficients=given))).endswith(
        "15 largest of 20 terms"
    )


def test_what_was_not_computed_is_not_drawn(tmp_path: Path) -> None:
    data = _regression(30, importance=[], learning=[(100, 0.8, 0.05)], coefficients=[])

    assert _drawn(data, tmp_path) == NUMBERS


def test_plots_are_deterministic(tmp_path: Path) -> None:
    data = _regression(5000)
    again = PlotData(**{key: getattr(data, key) for key in data.__dataclass_fields__})

    first, second = draw(data, tmp_path / "first"), draw(again, tmp_path / "second")

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_plot_has_a_name_of_its_own() -> None:
    assert len({plot.name for plot in PLOTS}) == len(PLOTS)


def test_a_class_without_test_rows(tmp_path: Path) -> None:
    data = _classification(200, 4)
    rows = data.y != 3
    data = _data("multiclass", data.y[rows], data.prediction[rows])

    assert _drawn(data, tmp_path) == CLASSES | ALWAYS
    assert _note(roc(data)).endswith("test rows; absent classes: 1")


@pytest.mark.parametrize("present", [0, 1])
def test_test_rows_of_one_class_have_no_curves(tmp_path: Path, present: int) -> None:
    data = _data("binary", np.full(5, present), np.tile([0.3, 0.7], (5, 1)))

    assert _drawn(data, tmp_path) == CLASSES - {"roc", "precision_recall"} | ALWAYS


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_probabilities(tmp_path: Path, value: float) -> None:
    data = _data("binary", np.array([0, 1, 1, 0]), np.tile([1 - value, value], (4, 1)))

    assert _drawn(data, tmp_path) == CLASSES | ALWAYS
    assert _title(roc(data)) == "ROC curve: AUC = 0.500"


@pytest.mark.parametrize("y", [[3.0, 3.0], [0.0, 0.0], [-1e30, 1e30]])
def test_two_rows_and_a_constant_prediction(tmp_path: Path, y: list[float]) -> None:
    data = _data("regression", np.array(y), np.full(2, 3.0))

    assert _drawn(data, tmp_path) == NUMBERS | ALWAYS


def test_two_rows_of_two_classes(tmp_path: Path) -> None:
    data = _data("binary", np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))

    assert _drawn(data, tmp_path) == CLASSES | ALWAYS


def test_any_name_can_be_drawn(tmp_path: Path) -> None:
    names = [
        "<b>", "$\\frac{1}$", "_hidden", "年齢", "🙂", "a\nb", "", "x" * 3000, "%s {0}", "\ud800"
    ]  # fmt: skip
    features: dict[str, Any] = {
        "importance": [(name, 0.2, 0.1) for name in names],
        "coefficients": [(name, -0.2) for name in names],
    }
    many = _classification(99, 10, classes=names, **features)
    binary = _classification(50, 2, classes=names[:2], metric=names[1])

    assert _drawn(many, tmp_path / "many") == CLASSES | ALWAYS | {"coefficients"}
    assert _drawn(binary, tmp_path / "binary") == CLASSES | ALWAYS
    for i in (7, 9):
        _drawn(_regression(50, target=names[i], metric=names[i]), tmp_path / str(i))


def test_a_million_scores_are_sampled() -> None:
    data = _classification(6000, 300)

    assert "3,333 of them sampled" in _note(roc(data))


def test_titles_state_the_exact_figures() -> None:
    data = _classification(2000, 2)
    score = data.prediction[:, 1]

    assert _title(roc(data)) == f"ROC curve: AUC = {roc_auc_score(data.y, score):.3f}"
    precision = average_precision_score(data.y, score)
    assert _title(precision_recall(data)).endswith(f"average precision = {precision:.3f}")
    assert _title(calibration(data)).endswith(f"= {brier_score_loss(data.y, score):.4f}")
    accuracy = np.mean(data.prediction.argmax(axis=1) == data.y)
    assert _title(confusion(data)) == f"Confusion matrix: accuracy = {accuracy:.1%}"


def test_titles_of_several_classes_average_over_them() -> None:
    data = _classification(2000, 4)

    auc = roc_auc_score(data.y, data.prediction, multi_class="ovr")
    assert _title(roc(data)) == f"ROC curves: mean AUC = {auc:.3f}"
    precision = average_precision_score(data.y, data.prediction)
    assert _title(precision_recall(data)).endswith(f"mean average precision = {precision:.3f}")


def test_titles_of_a_regression() -> None:
    data = _data("regression", np.array([1.0, 2.0, 6.0]), np.array([1.0, 3.0, 4.0]))

    assert _title(residuals(data)) == "Residuals: RMSE = 1.291, mean = 0.3333"
    assert _title(predicted(data)) == "Predicted against actual: R² = 0.643"


def test_the_largest_residual_is_always_shown() -> None:
    data = _regression(50_000)
    data.y[12_345] += 1e9

    assert 12_345 in data.shown_rows
    assert len(data.shown_rows) <= 1200


def test_most_confused_classes_are_kept_and_no_row_is_lost() -> None:
    rng = np.random.default_rng(0)
    counts = np.diag(rng.integers(50, 90, 30))
    counts[7, 21], counts[3, 4] = 40, 1

    few, names = most_confused(counts, [f"c{i}" for i in range(30)])

    assert few.sum() == counts.sum()
    assert few[names.index("c7"), names.index("c21")] == 40
    assert (len(names), names[-1]) == (MOST, "19 others")


def test_sample_is_sorted_unique_and_the_same() -> None:
    rows = sample(10_000, 500)

    assert len(np.unique(rows)) == 500
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sample(10_000, 500))
    np.testing.assert_array_equal(sample(5, 500), np.arange(5))


def test_predictions_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected predictions of shape \(4, 2\), got \(4, 3\)"):
        _data("binary", np.zeros(4, int), np.zeros((4, 3)), classes=["a", "b"])
