"""The image of a pipeline has what the pipeline imports, in the model's own versions."""

from pathlib import Path

from serving.packages import model_packages
from training.requirements import model_requirements


def test_a_models_packages_are_its_own_without_mlflow(tmp_path: Path) -> None:
    pinned = model_requirements(["gradient_boosting:lightgbm"])
    (tmp_path / "requirements.txt").write_text("\n".join(pinned))
    found = model_packages(tmp_path)
    assert set(found) < set(pinned)
    names = {item.partition("==")[0] for item in found}
    assert {"scikit-learn", "pandas", "skops", "lightgbm", "scipy", "joblib"} <= names
    assert not names & {"mlflow", "flask", "sqlalchemy", "catboost", "xgboost-cpu"}
