"""A candidate's pipelines become an MLflow model that needs no Sixfold and no pickle."""

import json
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.profile import FILE as PROFILE
from training.requirements import model_requirements
from training.sample import FILE, write_sample
from training.schema import Column, Schema

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

    from training.subject import Subject

#: The modules that a logged model carries, so that it loads where Sixfold is not installed.
CARRIED = (
    "__init__.py",
    "algorithms",
    "binning.py",
    "chunks.py",
    "errors.py",
    "features.py",
    "fit.py",
    "missing.py",
    "openmp.py",
    "preprocess.py",
    "problem.py",
    "schema.py",
    "scoring.py",
    "values.py",
)

#: A requirement for no Python there is: MLflow compares others with all that is installed here,
#: which it reads file by file. `_write_requirements` replaces it.
_ELSEWHERE = "mlflow; python_version < '3'"


@dataclass(frozen=True)
class Part:
    """One pipeline of a model.

    Attributes
    ----------
    candidate : str
    path : Path
        Its skops file.
    present : list of int or None
        The class codes it knows.
    weight : float, default 1
        Its share of the prediction.
    """

    candidate: str
    path: Path
    present: list[int] | None
    weight: float = 1.0


@dataclass(frozen=True)
class Place:
    """Where a model is logged: the run it comes of, and what the model's entry says of it."""

    experiment_id: str
    run_id: str
    tags: dict[str, str]
    params: dict[str, str]


def log_model(
    client: "MlflowClient",
    place: Place,
    name: str,
    parts: list[Part],
    subject: "Subject",
    sample: "np.ndarray",
    profile: str,
) -> str:
    """Log a model to a run.

    What `mlflow.pyfunc.log_model` does, without loading the model again to try it: a candidate's
    pipeline has predicted the test rows by now, and its library stays out of this process.

    Parameters
    ----------
    client : MlflowClient
    place : Place
    name : str
        The candidate's, or `ensemble`.
    parts : list of Part
    subject : Subject
    sample : ndarray
        The model's predictions on the subject's example rows.
    profile : str
        See `profile.profile_json`.

    Returns
    -------
    str
        The model's id; its URI is `models:/<id>`.
    """
    from mlflow.entities import LoggedModelOutput

    logged = client.create_logged_model(
        place.experiment_id,
        name=name.replace(":", "-"),
        source_run_id=place.run_id,
        tags=place.tags,
        params=place.params,
        model_type="classifier" if subject.schema.target.classes else "regressor",
    )
    try:
        client.log_outputs(place.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        with tempfile.TemporaryDirectory(prefix="sixfold-model-") as folder:
            path = _save(Path(folder), logged, parts, subject, sample, profile)
            client.log_model_artifacts(logged.model_id, str(path))
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    return str(logged.model_id)


def _save(
    folder: Path,
    logged: Any,
    parts: list[Part],
    subject: "Subject",
    sample: "np.ndarray",
    profile: str,
) -> Path:
    """The model's files as MLflow has them, in a folder of `folder`."""
    import mlflow.pyfunc
    from mlflow.models import Model

    data, code, path = folder / "data" / "model", folder / "training", folder / "saved"
    _write_data(data, parts, subject.schema)
    write_sample(data / FILE, subject.example, sample)
    (data / PROFILE).write_text(profile, encoding="utf-8")
    _write_code(code)
    model = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=logged.source_run_id,
    )
    with _quiet("mlflow.pyfunc", "mlflow.models.model"):
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=model,
            loader_module="training.scoring",
            data_path=str(data),
            code_paths=[str(code)],
            pip_requirements=[_ELSEWHERE],
            signature=_signature(subject.schema),
            input_example=subject.example,
        )
    if model.signature is None:
        raise RuntimeError("MLflow dropped the model's signature")
    _write_requirements(path, model_requirements([part.candidate for part in parts]))
    return path


def _write_requirements(path: Path, requirements: list[str]) -> None:
    """Put all requirements into a saved model, where MLflow itself would have put them."""
    import yaml

    (path / "requirements.txt").write_text("\n".join(requirements))
    file = path / "conda.yaml"
    conda = yaml.safe_load(file.read_text())
    (pip,) = [item for item in conda["dependencies"] if isinstance(item, dict)]
    pip["pip"] = requirements
    file.write_text(yaml.safe_dump(conda, default_flow_style=False))


def _write_data(folder: Path, parts: list[Part], schema: Schema) -> None:
    folder.mkdir(parents=True)
    schema.write(folder / "schema.json")
    members = []
    for part in parts:
        file = f"{part.candidate.replace(':', '-')}.skops"
        shutil.copyfile(part.path, folder / file)
        members.append(
            {
                "candidate": part.candidate,
                "file": file,
                "weight": part.weight,
                "present": part.present,
            }
        )
    (folder / "members.json").write_text(json.dumps(members, indent=1))


def _write_code(folder: Path) -> None:
    source = Path(__file__).parent
    folder.mkdir()
    for name in CARRIED:
        if (source / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source / name, folder / name, ignore=ignored)
        else:
            shutil.copyfile(source / name, folder / name)


def _signature(schema: Schema) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec
    from mlflow.types import Schema as Columns

    used = [column for column in schema.columns if column.kind != "dropped"]
    output = {"integer": "long", "float": "double", "boolean": "boolean"}
    return ModelSignature(
        inputs=Columns([ColSpec(_type(column), column.name) for column in used]),
        outputs=Columns([ColSpec(output.get(schema.target.kind, "string"))]),
        params=ParamSchema([ParamSpec("predict_method", "string", "predict")]),
    )


def _type(column: Column) -> Any:
    """The column's MLflow type: string, or any where MLflow's own would refuse good rows.

    MLflow refuses whole numbers for `double`, missing values for `long` and `boolean`, and time
    zones for `datetime`; `features.conform` takes them all.
    """
    from mlflow.types.schema import AnyType

    return "string" if column.dtype == "string" else AnyType()


class _quiet:
    """Keep some of MLflow's loggers from repeating, for each model, what is meant to be so."""

    def __init__(self, *names: str) -> None:
        self._loggers = [logging.getLogger(name) for name in names]

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
