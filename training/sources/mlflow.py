"""Tables that are artifacts in MLflow: `runs:/…`, `mlflow-artifacts:/…`, `models:/…`."""

from pathlib import Path

from training.errors import UserError
from training.tracking import SECRET


def fetch(source: str, folder: Path) -> Path:
    """Download an artifact into the folder from the tracking server in use.

    Raises
    ------
    UserError
        There is no such artifact, nobody answers, or it is a folder with not exactly one file.
    """
    import requests
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        found = Path(download_artifacts(artifact_uri=source, dst_path=str(folder)))
    except (MlflowException, requests.RequestException, OSError, ValueError) as error:
        reason = SECRET.sub("", " ".join(str(error).split()))[:200]
        raise UserError(
            f"expected a table at {source}, got no such artifact ({reason}); check the address and "
            f"MLFLOW_TRACKING_URI"
        ) from None
    if found.is_file():
        return found
    files = sorted(path for path in found.rglob("*") if path.is_file())
    if len(files) == 1:
        return files[0]
    names = ", ".join(str(path.relative_to(found)) for path in files[:10]) or "none"
    raise UserError(f"expected one file at {source}, got a folder ({names}); name a file in it")
