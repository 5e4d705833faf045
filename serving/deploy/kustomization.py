"""A version's objects as files, for `kubectl apply --kustomize` or a tool that follows a folder.

What a person has put into the folder stays, also in `kustomization.yaml`: a tool that deletes what
is no longer listed there finds all that was. A canary's files are called `…-canary.yaml`.
"""

import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from serving.deploy import manifests, valid
from serving.deploy.kubectl import Kubectl
from serving.deploy.lasting import check_size
from serving.deploy.manifests import MODEL, Object
from serving.deploy.names import slug
from serving.deploy.sizes import sizes_of
from serving.deploy.wanted import Release, Wanted, sized, written
from serving.deploy.whole_file import write_whole
from training.errors import UserError

FILE = "kustomization.yaml"
_OTHER_NAMES = ("kustomization.yml", "Kustomization")
_KINDS = (
    *("Deployment", "Service", "NetworkPolicy", "HorizontalPodAutoscaler"),
    *("PodDisruptionBudget", "ServiceMonitor", "PersistentVolumeClaim"),
)
#: What a canary has of its own.
_BESIDE = ("Deployment", "Service", "HTTPRoute")


def check(model: str, folder: Path) -> dict[str, Any]:
    """What is there of a model's files, by name; before anything is done for it.

    Raises
    ------
    UserError
        A file is there that would be written over, and is not this model's.
    """
    names = [_name(kind) for kind in _KINDS] + [_name(kind, "-canary") for kind in _BESIDE]
    with written(folder):
        found = {name: _read(folder / name) for name in names if (folder / name).exists()}
        wholes = [name for name in (*_OTHER_NAMES, FILE) if (folder / name).exists()]
    others = [name for name, item in found.items() if _label(item) != slug(model)]
    whole = _read(folder / FILE) if wholes else None
    if wholes and not (wholes == [FILE] and _lists(whole, found)):
        others += wholes
    if others:
        raise UserError(
            f"expected no {folder / others[0]}, or the one of {model}, got another; name a folder: "
            "--write"
        )
    return {**found, FILE: whole}


def write(release: Release, wanted: Wanted, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Write the objects as a kustomization, in the form of the cluster where one answers.

    A token is not written: the Secret must be there, `NAME-token` with the key `token`.

    Raises
    ------
    UserError
        An object is not valid, the folder cannot be written to, or that of `check`.
    """
    there = check(release.model, folder)
    apis: list[str] = []
    version: Callable[[], str] = str  # '', the newest
    with suppress(UserError):
        kubectl = Kubectl(wanted.namespace)
        apis, version = kubectl.apis(), kubectl.version
    stable = there.get(_name("Deployment"))
    wanted = sized(wanted, **sizes_of(stable, there.get(_name("HorizontalPodAutoscaler"))))
    token = "given" if wanted.token_file or _has_token(stable) else ""
    files, gone = _files(release, wanted, apis, token, there)
    valid.check(files.values(), version, say)
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, item in files.items():
            write_whole(folder / name, yaml.safe_dump(item, sort_keys=False))
        before = there[FILE] or {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
        }
        whole = before | ({"namespace": wanted.namespace} if wanted.namespace else {})
        listed = [name for name in whole.pop("resources", []) if name not in gone]
        whole["resources"] = [*listed, *(name for name in files if name not in listed)]
        if whole != there[FILE]:  # as it is, with a person's comments
            write_whole(folder / FILE, yaml.safe_dump(whole, sort_keys=False))
        for name in gone:
            (folder / name).unlink()
    if gone:
        objects = [there[name] for name in gone]
        names = [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in objects]
        where = f" --namespace {whole['namespace']}" if whole.get("namespace") else ""
        say(f"a canary ends; where it was applied by hand: kubectl{where} delete {' '.join(names)}")
    return [folder / name for name in (*files, FILE)]


def secret_command(wanted: Wanted, folder: Path) -> str:
    """The command that makes the Secret of a token's file, as `deploy` makes it.

    Parameters
    ----------
    wanted : Wanted
        With a token's file.
    folder : Path
        That was written, whose namespace it goes to.
    """
    meta = manifests.secret(wanted.model, "")["metadata"]
    namespace = yaml.safe_load((folder / FILE).read_text()).get("namespace")
    where = ["--namespace", namespace] if namespace else []
    labels = [f"{name}={value}" for name, value in meta["labels"].items()]
    create = ["create", "secret", "generic", meta["name"], "--from-file=token=/dev/stdin"]
    steps = [
        ["kubectl", *create, "--dry-run=client", "--output", "yaml"],
        ["kubectl", "label", "--local", "--filename", "-", "--output", "yaml", *labels],
        ["kubectl", *where, "apply", "--filename", "-"],
    ]
    # No line's end, which would be part of what Prometheus sends.
    read = f"tr -d '[:space:]' < {shlex.quote(str(wanted.token_file))}"
    return " | ".join([read, *map(shlex.join, steps)])


def _files(
    release: Release, wanted: Wanted, apis: list[str], token: str, there: dict[str, Any]
) -> tuple[dict[str, Object], list[str]]:
    """Objects by the files that they go to; and the files of a canary that has ended."""
    beside = "-canary" if wanted.canary else ""
    if wanted.canary:
        objects = manifests.canary(release, wanted, token)
    else:
        objects = manifests.stable(release, wanted, apis, token=token)
    found = {_name(item["kind"], beside): item for item in objects}
    name = _name("HTTPRoute", "-canary")
    before = there.get(name)
    if wanted.canary or before:
        found[name] = manifests.route(
            release.model, wanted.canary, apis, wanted.gateway, wanted.host, before
        )
    claim = _name("PersistentVolumeClaim")
    if claim in there:  # which cannot be changed
        check_size(there[claim], wanted)
    elif wanted.record:
        found[claim] = manifests.claim(release.model, wanted.record)
    ended = [_name(kind, "-canary") for kind in _BESIDE]
    return found, [each for each in ended if each in there and each not in found]


def _name(kind: str, beside: str = "") -> str:
    return f"{kind.lower()}{beside}.yaml"


def _read(path: Path) -> Any:
    """What is in a file; None for what is no YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None


def _label(item: Any) -> str:
    """The model that an object is of; '' for none."""
    with suppress(KeyError, TypeError, AttributeError):
        return str(item["metadata"]["labels"].get(MODEL, ""))
    return ""


def _lists(whole: Any, found: dict[str, Any]) -> bool:
    """Whether a kustomization is one that lists a file of ours."""
    listed = whole.get("resources") if isinstance(whole, dict) else None
    return isinstance(listed, list) and any(name in listed for name in found)


def _has_token(item: Any) -> bool:
    with suppress(LookupError, TypeError):
        return manifests.TOKEN in item["spec"]["template"]["metadata"]["annotations"]
    return False
