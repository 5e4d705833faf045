"""What the image of a version needs to be installed that has no compiled form."""

import re
from pathlib import Path

from training.requirements import closure

#: A model is loaded and predicts without MLflow, which is in its requirements too.
_LEFT_OUT = {"mlflow", "mlflow-skinny", "mlflow-tracing"}
_ROOTS = (
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "skops",
    "xgboost-cpu",
    "lightgbm",
    "catboost",
)
_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)", re.ASCII)
_FILE = "requirements.txt"


def model_packages(model: Path) -> list[str]:
    """The packages that a model's pipelines import, as it pins them.

    Parameters
    ----------
    model : Path
        A logged model's folder.

    Returns
    -------
    list of str
        `name==version`, sorted, with all they depend on; without MLflow.
    """
    pinned = dict(_PINNED.findall((model / _FILE).read_text()))
    needed = closure(root for root in _ROOTS if root in pinned) - _LEFT_OUT
    return sorted(f"{name}=={pinned[name]}" for name in needed if name in pinned)
