"""`sixfold deploy`, `undeploy` and `status`."""

import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serving.deploy.recording import ACCESS, record_options, recording
from training.console import json_option, one_line, quieten, say
from training.errors import UserError
from training.sizes import parse_size

if TYPE_CHECKING:
    from serving.deploy.status import Status
    from serving.deploy.wanted import Wanted

TARGETS = ("docker", "compose", "kubernetes")
#: Options that not every target has -> those that have it.
_ONLY = {
    "port": ("docker", "compose"),
    "replicas": ("kubernetes",),
    "gateway": ("kubernetes",),
    "host": ("kubernetes",),
    "monitor": ("kubernetes",),
    "namespace": ("kubernetes",),
    "write": ("compose", "kubernetes"),
    "record-class": ("kubernetes",),
    "record-access": ("kubernetes",),
}
_to = click.option("--to", type=click.Choice(TARGETS), required=True)
_namespace = click.option("--namespace", default=None, help="Default: that of kubectl's context.")


@click.command()
@click.argument("model")
@_to
@click.option("--version", default="", help="Default: the one in Production.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Of this machine; default: 8080, or as it is."
)
@click.option("--cpu", help="CPUs a replica: 0.5, 500m, 2. Default: 1, or as it is.")
@click.option("--memory", help="Memory a replica. Default: 512m, or as it is.")
@click.option("--replicas", type=click.IntRange(1, 1_000), help="Default: 3, or as it is.")
@click.option(
    "--workers",
    default=0,
    type=click.IntRange(0, 64),
    help="Default: one a CPU, as far as the memory goes.",
)
@click.option(
    "--canary", type=click.IntRange(1, 99), help="Percent of the requests, beside what is there."
)
@click.option(
    "--gateway",
    metavar="[NAMESPACE/]NAME",
    help="That the canary's route belongs to. Default: gateway, or as it is.",
)
@click.option(
    "--host", metavar="NAME", help="That the canary's route is for. Default: all, or as it is."
)
@click.option("--monitor", is_flag=True, default=None, help="With a ServiceMonitor.")
@click.option("--traces", default="", metavar="URL", help="Of the collector that traces go to.")
@_namespace
@click.option("--image", default="", metavar="NAME:TAG", help="Default: the version's, here.")
@click.option(
    "--token-file",
    "--token_file",
    type=click.Path(path_type=Path),
    help="With the token that requests must bring; one that is there stays.",
)
@record_options
@click.option("--record-class", "--record_class", default=None, help="Storage class of the claim.")
@click.option(
    "--record-access",
    "--record_access",
    type=click.Choice(ACCESS),
    default=None,
    help="Of the claim. Default: ReadWriteMany; ReadWriteOnce for a cluster of one node.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Compose: where to write. Kubernetes: write the objects and apply nothing.",
)
@json_option
@one_line
def deploy(model: str, to: str, as_json: bool, **asked: Any) -> None:
    """Have a version of MODEL answer where it is needed.

    On Docker, Compose or Kubernetes.
    The image is built if there is none. What answers now on Docker or Kubernetes goes on doing so
    until the new version is ready and has given the recorded predictions; then it ends after the
    requests it has. For Compose a file is written. Exit code 1: the new one did not come up, and
    the one before answers.

    \b
    sixfold deploy churn --to docker --port 8080
    sixfold deploy churn --to docker --version 8 --canary 10
    sixfold deploy churn --to compose --write deploy-churn
    sixfold deploy churn --to compose --write deploy-churn --version 8 --canary 10
    sixfold deploy churn --to kubernetes --replicas 3 --cpu 2 --memory 1g
    sixfold deploy churn --to kubernetes --version 8 --canary 10
    sixfold deploy churn --to kubernetes --record --record-size 10g
    """
    quieten()
    began = time.monotonic()
    wanted = _wanted(model, to, asked)
    from registry.store import connect
    from serving.deploy.targets import DEPLOY

    done = DEPLOY[to](connect(), wanted, asked["write"], say)
    done = {"model": model, "to": to, **done, "seconds": round(time.monotonic() - began, 2)}
    if as_json:
        said = done.pop("said")
        click.echo(json.dumps(done | {"next": said[1:]}, indent=1))
        return
    for line in done["said"]:
        click.echo(line)


@click.command()
@click.argument("model")
@_to
@_namespace
@click.option("--recordings", is_flag=True, help="Also delete what it has recorded in a volume.")
@one_line
def undeploy(model: str, to: str, namespace: str | None, recordings: bool) -> None:
    """Take MODEL away from where it answers.

    The requests that it has are finished. What it has recorded stays.

    \b
    sixfold undeploy churn --to docker
    """
    quieten()
    _check_options(to, {"namespace": namespace})
    gone: list[str]
    if to == "kubernetes":
        from serving.deploy import kubernetes
        from serving.deploy.kubectl import Kubectl

        kubectl = Kubectl(namespace or "")
        gone = kubernetes.remove(kubectl, model, recordings)
        kept = kubernetes.kept(kubectl, model)
    else:
        from serving.deploy import compose, docker, recording
        from serving.engine import connect, reported

        with reported("undeploying"):
            engine = connect()
            if recordings:
                recording.check_unused(engine, model, to)
            gone = (docker if to == "docker" else compose).remove(engine, model, say)
            gone += recording.forget(engine, model, to) if recordings else []
            kept = recording.kept(engine, model, to)
    if not gone:
        raise UserError(
            f"expected {model} on {to}, got nothing of it there; `sixfold status {model}` says "
            "where it is"
        )
    click.echo(f"{model} is gone from {to}: {', '.join(gone)}")
    if kept:
        click.echo(
            f"its recordings are kept: {', '.join(kept)}; `sixfold undeploy {model} --to {to} "
            "--recordings` deletes them"
        )


@click.command()
@click.argument("model")
@json_option
@one_line
def status(model: str, as_json: bool) -> None:
    """Say which versions of MODEL are built and deployed.

    And which is in Production, and whether that agrees.
    Exit code 1: it does not, or nothing is in Production or deployed; why is said, and what to do
    where a deploy helps.
    """
    quieten()
    from registry.store import connect, reported
    from serving.deploy.kubectl import Kubectl
    from serving.deploy.status import read_status
    from serving.engine import connect as connect_engine
    from serving.engine import reported as engine_reported

    client = connect()
    engine = kubectl = None
    with suppress(UserError):  # said as a place that could not be looked at
        engine = connect_engine()
    with suppress(UserError):
        kubectl = Kubectl()
    with reported("reading the status"), engine_reported("reading the status"):
        found = read_status(client, model, engine, kubectl)
    if as_json:
        click.echo(json.dumps({**asdict(found), "agree": found.agree}, indent=1))
    else:
        _show(found)
    if not found.agree:
        sys.exit(1)


def _wanted(model: str, to: str, asked: Mapping[str, Any]) -> "Wanted":
    from serving.deploy.collector import parse_traces
    from serving.deploy.routes import parse_gateway, parse_host
    from serving.deploy.wanted import LEAST_MEMORY, Wanted, parse_cpu

    _check_options(to, asked)
    if asked["canary"] and asked["token_file"] and (to == "compose" or not asked["write"]):
        raise UserError(
            "expected no --token-file with --canary, which asks for the token of the version that "
            "it is beside; leave it out"
        )
    for name in ("gateway", "host"):
        if asked[name] is not None and not asked["canary"]:
            raise UserError(
                f"expected --canary with --{name}, which is of a canary's route, got none; add it"
            )
    if asked["record"] and to == "kubernetes":
        raise UserError(
            f"expected --record without a folder with --to kubernetes, got {asked['record']!r}; "
            "leave the folder out: it goes to a PersistentVolumeClaim"
        )
    return Wanted(
        model=model,
        version=asked["version"],
        port=asked["port"] or 0,
        cpu=parse_cpu(asked["cpu"]) if asked["cpu"] is not None else 0.0,
        memory=parse_size(asked["memory"], "--memory", LEAST_MEMORY)
        if asked["memory"] is not None
        else 0,
        replicas=asked["replicas"] or 0,
        workers=asked["workers"],
        canary=asked["canary"] or 0,
        namespace=asked["namespace"] or "",
        image=asked["image"],
        token_file=asked["token_file"],
        gateway=parse_gateway(asked["gateway"]) if asked["gateway"] is not None else "",
        host=parse_host(asked["host"]) if asked["host"] is not None else "",
        monitor=bool(asked["monitor"]),
        record=recording(asked),
        traces=parse_traces(asked["traces"]) if asked["traces"] else "",
    )


def _check_options(to: str, asked: Mapping[str, Any]) -> None:
    for name, targets in _ONLY.items():
        if asked.get(name.replace("-", "_")) is not None and to not in targets:
            raise UserError(
                f"expected no --{name} with --to {to}, which has nothing of the kind; leave it "
                f"out, or deploy --to {' or '.join(targets)}"
            )


def _show(found: "Status") -> None:
    production = f"version {found.production}" if found.production else "nothing"
    click.echo(f"in Production: {production}")
    built = [f"version {v} ({', '.join(names)})" for v, names in found.built.items()]
    click.echo(f"built here: {', '.join(built) or 'nothing'}")
    for item in found.deployed:
        part = "" if item.share == 100 else f", {item.share} % of the requests"
        click.echo(
            f"{item.where}: version {item.version}, {item.ready}{part} ({item.name}, {item.url})"
        )
    if not found.deployed:
        click.echo("deployed: nowhere")
    for text in found.unseen:
        say(f"not looked at: {text}")
    click.echo("agrees" if found.agree else f"does not agree: {'; '.join(found.differences)}")
