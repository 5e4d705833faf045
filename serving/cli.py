"""`sixfold build` and `serve`."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from serving.deploy.recording import record_options, recording
from training.aside import import_ahead
from training.console import json_option, one_line, quieten, say
from training.errors import SixfoldError
from training.sizes import parse_size

_version = click.option("--version", default="", help="Default: the one in Production.")
_MEGABYTE = 1_000_000
_LEAST_MEMORY = 256 << 20


@click.command()
@click.argument("model")
@_version
@click.option("--tag", default="", metavar="NAME[:TAG]", help="Default: MODEL:VERSION.")
@click.option("--push", is_flag=True, help="Push it to the registry that --tag names.")
@click.option(
    "--platform",
    default="linux/amd64",
    show_default=True,
    help="Of the image; another one than this machine's needs emulation (QEMU).",
)
@click.option("--slim", is_flag=True, help="Leave out what MLflow's own build adds.")
@click.option(
    "--sbom", default="", metavar="FILE", help="Also write what is in it: CycloneDX, JSON."
)
@json_option
@one_line
def build(model: str, as_json: bool, **asked: Any) -> None:
    """Build an image that answers for a version of MODEL.

    The model is compiled, MLflow's own build puts it on Sixfold's serving base image, and the
    image gets its name when it has given the predictions of training in a container without
    network, rights, or a file system to write to. Exit code 1: it has not.

    \b
    sixfold build churn
    sixfold build churn --version 7 --tag registry.example/churn:7 --push --slim
    """
    quieten()
    import_ahead("serving.preload")  # MLflow's own imports take as long
    from registry.store import connect
    from serving.build import Wanted
    from serving.build import build as run_build
    from serving.engine import reported

    client = connect()
    with reported("building"):
        built = run_build(client, Wanted(model, **asked), say)
    if as_json:
        click.echo(json.dumps(asdict(built), indent=1))
        return
    named = f" --version {built.version}" if asked["version"] else ""
    click.echo(
        f"{built.tag} is built{' and pushed' if built.pushed else ''}: "
        f"{_size(built.bytes)}, of which {_size(built.own_bytes)} its own; "
        f"ready in {built.ready_seconds:.2f} s; {len(built.checks)} checks passed; "
        f"next: sixfold serve {shlex.quote(model)}{named}"
    )


@click.command()
@click.argument("model")
@_version
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="0: a free one."
)
@click.option(
    "--workers",
    default=0,
    type=click.IntRange(0, 64),
    help="Default: one a CPU, as far as the memory goes.",
)
@click.option("--memory", default="1g", show_default=True, help="The most that it may use.")
@click.option("--detach", is_flag=True, help="Leave it running.")
@record_options
@one_line
def serve(
    model: str, version: str, port: int, workers: int, memory: str, detach: bool, **asked: Any
) -> None:
    """Answer for MODEL on this machine, from a container.

    The image is built if there is none. The container can be reached from this machine only;
    Ctrl-C stops and removes it.

    \b
    sixfold serve churn --port 8080
    sixfold serve churn --record recordings
    """
    quieten()
    from registry.store import connect
    from serving.engine import reported
    from serving.serve import start, stop

    most = parse_size(memory, "--memory", _LEAST_MEMORY)
    record = recording(asked, default=Path("recordings").absolute())
    client = connect()
    with reported("serving"):
        served = start(client, model, version, port, workers, most, say, record)
        if detach:
            _show(served)
            say(f"stop it: docker rm -f {served.container.name}")
            return
        try:
            _show(served)
            for line in served.container.logs(stream=True, follow=True):
                click.echo(line.decode(errors="replace"), err=True, nl=False)
        except KeyboardInterrupt:
            say("stopping")
        finally:
            code = stop(served)
    if code:
        raise SixfoldError(f"the server has ended with {code}; its last words are above")
    say("ended")


def _size(count: int) -> str:
    if count >= _MEGABYTE:
        return f"{count / _MEGABYTE:.0f} MB"
    return f"{count / 1_000:.0f} kB"


def _show(served: Any) -> None:
    click.echo(f"{served.tag} answers at {served.url} (container {served.container.name})")
    click.echo(served.curl)
