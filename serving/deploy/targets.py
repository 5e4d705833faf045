"""What `sixfold deploy` does for each target, and what it says then."""

import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from serving.deploy.wanted import Wanted

Say = Callable[[str], None]


def _to_docker(
    client: "MlflowClient", wanted: "Wanted", _: Path | None, say: Say
) -> dict[str, Any]:
    from registry.store import reported
    from serving.deploy.docker import check, switch
    from serving.deploy.wanted import release
    from serving.engine import connect
    from serving.engine import reported as engine_reported
    from serving.serve import curl

    with reported("deploying"), engine_reported("deploying"):
        engine = connect()
        check(engine, wanted)  # before an image is built for nothing
        found = release(client, wanted, say, here=True)
        done = switch(engine, found, wanted, say)
    ask = curl(done.url, done.sample)
    if done.asks_token:
        ask += ' -H "Authorization: Bearer $TOKEN"'
    is_all = done.share == 100
    part = "" if is_all else f" {done.share} % of the requests"
    beside = "in place of" if is_all else "beside"
    before = f", {beside} {done.before}" if done.before else ""
    return {
        "version": found.version,
        "image": found.image,
        "name": done.name,
        "url": done.url,
        "share": done.share,
        "before": done.before,
        "said": [
            f"{found.model} version {found.version} answers{part} at {done.url}{before} "
            f"(container {done.name})",
            ask,
        ],
    }


def _to_compose(
    client: "MlflowClient", wanted: "Wanted", folder: Path | None, say: Say
) -> dict[str, Any]:
    from registry.store import reported
    from serving.deploy import compose
    from serving.deploy.wanted import release
    from serving.engine import reported as engine_reported

    folder = folder or compose.default_folder(wanted.model)
    compose.check(wanted, folder)  # before an image is built for nothing
    with reported("deploying"), engine_reported("deploying"):
        found = release(client, wanted, say)
    path = compose.write(found, wanted, folder)
    share = f" with {wanted.canary} % of the requests" if wanted.canary else ""
    return {
        "version": found.version,
        "image": found.image,
        "file": str(path),
        "share": wanted.canary or 100,
        "said": [
            f"{path} is written for {found.model} version {found.version}{share}",
            compose.command(path, found.model),
        ],
    }


def _to_kubernetes(
    client: "MlflowClient", wanted: "Wanted", folder: Path | None, say: Say
) -> dict[str, Any]:
    from registry.store import reported
    from serving.deploy import kubernetes, kustomization
    from serving.deploy.kubectl import Kubectl
    from serving.deploy.wanted import read_token, release
    from serving.engine import reported as engine_reported

    if folder:
        kustomization.check(wanted.model, folder)  # before an image is built for nothing
        read_token(wanted.token_file)
        with reported("deploying"), engine_reported("deploying"):
            found = release(client, wanted, say)
        files = kustomization.write(found, wanted, folder, say)
        return {
            "version": found.version,
            "image": found.image,
            "files": [str(path) for path in files],
            "said": [
                f"{len(files)} files are in {folder} for {found.model} version {found.version}",
                *([kustomization.secret_command(wanted, folder)] if wanted.token_file else []),
                f"kubectl apply --kustomize {shlex.quote(str(folder))}",
            ],
        }
    kubectl = Kubectl(wanted.namespace)
    kubernetes.check(kubectl, wanted)  # before an image is built for nothing
    with reported("deploying"), engine_reported("deploying"):
        found = release(client, wanted, say)
    done = kubernetes.roll_out(kubectl, found, wanted, say)
    part = f" at {done.url} in the cluster"
    if done.gateway:
        part = (
            f" {done.share} % of the requests that come by Gateway {done.gateway}, and all of "
            f"those that are sent to {done.url} itself"
        )
    return {
        "version": found.version,
        "image": found.image,
        **asdict(done),
        "said": [
            f"{found.model} version {found.version} answers{part}: {done.replicas} replicas "
            f"ready, {done.answers} right answers through the Service",
            f"kubectl --namespace {done.namespace} port-forward service/{done.name} 8080",
        ],
    }


#: Target -> what deploys to it. Each returns what `--json` prints, and lines to say.
DEPLOY = {"docker": _to_docker, "compose": _to_compose, "kubernetes": _to_kubernetes}
