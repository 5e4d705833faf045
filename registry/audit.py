"""Whether anything is in a stage that did not come there through its gates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from registry import journal, store
from registry.journal import Record
from registry.version import ALIASES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

_MODELS_A_PAGE = 1_000
_VERSIONS_A_PAGE = 200
_RUNS_A_PAGE = 50_000


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was decided.

    Attributes
    ----------
    model, stage : str
    what : str
        One sentence.
    mend : str
        The command that mends it.
    """

    model: str
    stage: str
    what: str
    mend: str


@dataclass(frozen=True)
class Audit:
    """What was looked at, and what was found.

    Attributes
    ----------
    models : int
    staged : int
        Versions in a stage.
    findings : list of Finding
    """

    models: int
    staged: int
    findings: list[Finding]


def audit(client: "MlflowClient", model: str = "") -> Audit:
    """Hold the stages and aliases of all models, or of one, against what was decided.

    A few requests, whatever the number of models and versions.
    """
    models = [store.registered_model(client, model)] if model else _all_models(client)
    decided = _decided(client, [item.name for item in models])
    staged = _staged(client, models, decided)
    findings = [
        finding
        for item in models
        for stage in ALIASES
        for finding in _of_one(
            item, stage, staged.get((item.name, stage), []), decided.get((item.name, stage))
        )
    ]
    return Audit(len(models), sum(map(len, staged.values())), findings)


def plain(found: Audit) -> dict[str, Any]:
    """An audit as JSON has it."""
    return asdict(found)


def _of_one(
    model: "RegisteredModel", stage: str, there: Sequence[str], decided: Record | None
) -> list[Finding]:
    name, alias = model.name, ALIASES[stage]
    pointed = (model.aliases or {}).get(alias)
    pointed = None if pointed is None else str(pointed)
    if not there and pointed is None:
        if decided is None:
            return []
        return [
            Finding(
                name,
                stage,
                f"no version is in {stage}, though version {decided.version} was decided on",
                f"sixfold promote {name} --version {decided.version} --to {stage}",
            )
        ]
    back = f"sixfold rollback {name} --to-version {decided.version} --note '…'" if decided else ""
    if decided and stage != "Production":
        back += f" --stage {stage}"
    found = []
    for version in there:
        if decided is None or version != decided.version:
            forward = f"sixfold promote {name} --version {version} --to {stage}"
            mend = f"{forward}, or {back}" if back else forward
            what = f"version {version} is in {stage}, but did not come through the gates"
            found.append(Finding(name, stage, what, mend))
    if found:
        return found
    if decided and pointed != decided.version:
        what = f"version {decided.version} is in {stage}, but the alias {alias} names "
        what += f"version {pointed}" if pointed else "none"
        command = f"sixfold promote {name} --version {decided.version} --to {stage}"
        found.append(Finding(name, stage, what if there else _gone(stage, alias, pointed), command))
    elif not there:
        found.append(Finding(name, stage, _gone(stage, alias, pointed), back))
    return found


def _gone(stage: str, alias: str, pointed: str | None) -> str:
    return f"no version is in {stage}, but the alias {alias} names version {pointed or 'none'}"


def _all_models(client: "MlflowClient") -> list["RegisteredModel"]:
    found: list[RegisteredModel] = []
    token = None
    while True:
        page = client.search_registered_models(max_results=_MODELS_A_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _staged(
    client: "MlflowClient",
    models: "Sequence[RegisteredModel]",
    decided: Mapping[tuple[str, str], Record],
) -> dict[tuple[str, str], list[str]]:
    """The versions in each stage of the models.

    A model's own entry lists the newest version of each stage alone. Another one beside it was
    moved there after the last decision, which had cleared the stage: so it is among those that were
    touched since, and only these are read.
    """
    found: dict[tuple[str, str], list[str]] = {
        (model.name, item.current_stage): [str(item.version)]
        for model in models
        for item in model.latest_versions or []
        if item.current_stage in ALIASES
    }
    since = [record.decided for key, record in decided.items() if key in found]
    if not since:
        return found
    asked = store.named(models[0].name) if len(models) == 1 else ""
    oldest, token = 1_000 * min(since), None
    while True:
        page = client.search_model_versions(
            asked,
            max_results=_VERSIONS_A_PAGE,
            order_by=["last_updated_timestamp DESC"],
            page_token=token,
        )
        for version in page:
            versions = found.get((version.name, str(version.current_stage)), [])
            if versions and str(version.version) not in versions:
                versions.append(str(version.version))
        token = page.token
        if not token or (page[-1].last_updated_timestamp or 0) < oldest:
            return found


def _decided(client: "MlflowClient", models: Sequence[str]) -> dict[tuple[str, str], Record]:
    """The newest decision about each stage of each model."""
    wanted = {name + journal.SUFFIX for name in models}
    experiments = [
        item.experiment_id
        for item in client.search_experiments(
            filter_string=f"name LIKE '%{journal.SUFFIX}'", max_results=_RUNS_A_PAGE
        )
        if item.name in wanted
    ]
    found: dict[tuple[str, str], Record] = {}
    token = None
    while experiments:
        page = client.search_runs(
            experiments,
            journal.IS_DECIDED,
            order_by=journal.NEWEST_FIRST,
            max_results=_RUNS_A_PAGE,
            page_token=token,
        )
        for run in page:
            record = journal.record_of(run)
            found.setdefault((record.model, record.stage), record)
        token = page.token
        if not token:
            break
    return found
