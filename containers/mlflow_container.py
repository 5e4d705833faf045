"""`mlflow.models.container` of a serving image: what the build that MLflow generates calls in it.

MLflow itself is not in the image. Its Dockerfile has two calls, one as it builds and one as the
container starts (mlflow/models/docker_utils.py and mlflow/pyfunc/backend.py of MLflow 3.17).
"""

import os
import sys
from pathlib import Path

BUNDLE = Path("/opt/ml/model/sixfold")


def _install_pyfunc_deps(model_path: str, install_mlflow: bool, env_manager: str) -> None:
    """Install nothing: the server and its packages are in the base; the model must be compiled."""
    if not (BUNDLE / "bundle.json").is_file():
        sys.exit(f"expected a model that `sixfold build` has compiled in {model_path}, found none")


def _serve(env_manager: str) -> None:
    """Become the server."""
    os.execv(sys.executable, [sys.executable, "-m", "serving.server", str(BUNDLE)])  # noqa: S606
