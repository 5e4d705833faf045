"""A version as a Compose file that a person can read, change and keep beside other services."""

import json
import re

from serving.deploy.front import ROLE
from serving.deploy.names import MODEL, deployment
from serving.deploy.recording import INSIDE, Recording, compose_volume_name, folder_owner
from serving.deploy.wanted import Release, Wanted, settings
from serving.labels import VERSION
from training.errors import UserError

#: What deals out the predictions where there is a canary, beside the file.
FRONT_FILE = "front.py"
#: Of a canary: its part of the predictions, in percent.
SHARE = "sixfold.share"
_PORT = 8080
_SERVICES = "services"

_TEXT = """\
# {model}, version {version}, as `sixfold deploy {model} --to compose` wrote it.
#
#   docker compose --project-name {project} up --detach --wait
#   docker compose --project-name {project} down
#
# The first returns when it answers, the second ends it after the requests in flight. The project's
# name can be left out where `.env` beside this file says it. Without a name it is the folder's, and
# another file in a folder of that name would take this one's container away.
#
# Debian's docker-compose 1.29 reads it too, but has no `--wait`. Compose replaces a container by
# ending it first: a new version is away for some seconds. `sixfold deploy {model} --to docker` and
# `--to kubernetes` change versions without a gap.
services:
"""

_SERVER = """\
  {name}:
    image: {image}
{ports}    restart: unless-stopped
    stop_grace_period: 45s
    # The image has a health check: ready is who has answered the model's own input example.
    read_only: true
    tmpfs: ["/tmp:size=64m,mode=1777"]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 256
    cpus: {cpu}
    mem_limit: {memory}m
    memswap_limit: {memory}m
    labels:
      {label_model}: {model_quoted}
      {label_version}: {version_quoted}
"""

_PORTS = """\
    # Open on this machine only; before anybody else is let in, put a proxy with TLS in front of it.
    ports: ["127.0.0.1:{port}:8080"]
"""

_FRONT = """\
  front:
    # Keeps the port and deals out the predictions, {share} % of them to the canary; all else, and
    # what the canary does not answer, is the server's.
    image: {image}
    entrypoint: [python, /{file}]
    command: ["8080", server, "8080", canary, "{share}"]
    volumes: ["./{file}:/{file}:ro"]
    depends_on: [server]
{ports}    restart: unless-stopped
    stop_grace_period: 45s
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 256
    mem_limit: 128m
    labels:
      {label_model}: {model}
      {label_role}: front
"""

#: Where a service or a section begins, by the two columns that it may begin in.
_PIECES = re.compile(r"^(?=  \w|\S)", re.MULTILINE)
_PORT_LINES = re.compile(r'(?:    #[^\n]*\n)?    ports: \["127\.0\.0\.1:\d+:8080"\]\n')
_IMAGE = re.compile(r"^    image: (.*)$", re.MULTILINE)


def render(release: Release, wanted: Wanted) -> str:
    """The file's text."""
    text = _TEXT.format(
        model=release.model, version=release.version, project=deployment(release.model)
    )
    text += service("server", release, wanted, ports=_PORTS.format(port=wanted.port or _PORT))
    if wanted.token_file:
        text += (
            "\nsecrets:\n  token:\n"
            f"    file: {quoted(str(wanted.token_file.absolute()))}  # readable by user 10001\n"
        )
    return text + volumes(wanted)


def service(
    name: str, release: Release, wanted: Wanted, ports: str = "", asks_token: bool = False
) -> str:
    """A version as a service of that name; `asks_token` if the file has a token's secret."""
    text = _SERVER.format(
        name=name,
        image=quoted(release.image),
        ports=ports,
        cpu=f"{wanted.cpu:g}",
        memory=wanted.memory >> 20,
        label_model=MODEL,
        label_version=VERSION,
        model_quoted=quoted(release.model),
        version_quoted=quoted(release.version),
    )
    asks_token = asks_token or wanted.token_file is not None
    environment = settings(wanted)
    if asks_token:
        environment["SIXFOLD_TOKEN_FILE"] = "/run/secrets/token"  # noqa: S105  a path
    if environment:
        lines = [f"      {name}: {quoted(value)}\n" for name, value in environment.items()]
        text += "    environment:\n" + "".join(lines)
    if wanted.record:
        text += _volume(wanted.record)
    if asks_token:
        text += "    # The file is mounted as it is: user 10001 must be able to read it.\n"
        text += "    secrets: [token]\n"
    return text


def volumes(wanted: Wanted) -> str:
    """The volumes of the file."""
    if not wanted.record or wanted.record.folder:
        return ""
    return f"\nvolumes:\n  recordings: {{name: {compose_volume_name(wanted.model)}}}\n"


def has_canary(text: str) -> bool:
    """Whether a file has one, and so a front."""
    return "\n  canary:\n" in text


def with_canary(text: str, release: Release, wanted: Wanted) -> str:
    """The text of a file of ours with a canary beside its server, in place of one that was there.

    What else a person has changed or put into it stays.

    Raises
    ------
    UserError
        Its server or its port cannot be found in it.
    """
    pieces, names, section = _PIECES.split(text), [], ""
    for piece in pieces:
        is_inside = piece.startswith("  ")
        section = section if is_inside or piece.startswith("#") else piece.partition(":")[0]
        names.append(piece.partition(":")[0].strip() if is_inside and section == _SERVICES else "")
    keeps_port = "front" if "front" in names else "server"
    try:
        server, front = (pieces[names.index(name)] for name in ("server", keeps_port))
        ports, image = _PORT_LINES.findall(front)[0], _IMAGE.findall(server)[0]
    except (ValueError, IndexError):
        raise UserError(
            f'expected a server with ports: ["127.0.0.1:{_PORT}:8080"] in the file, got another; '
            "deploy without --canary once, which writes it anew"
        ) from None
    asks_token = "    secrets: [token]\n" in server
    share = f'      {SHARE}: "{wanted.canary}"\n'
    canary = service("canary", release, wanted, asks_token=asks_token)
    labels = f"    labels:\n      {MODEL}: "
    canary = canary.replace(labels, labels.replace("\n", f"\n{share}", 1), 1)
    new_front = _FRONT.format(
        share=wanted.canary,
        image=image,
        file=FRONT_FILE,
        ports=ports,
        label_model=MODEL,
        label_role=ROLE,
        model=quoted(release.model),
    )
    kept = {"server": server.replace(ports, "") + canary + new_front, "canary": "", "front": ""}
    found = "".join(kept.get(name, piece) for name, piece in zip(names, pieces, strict=True))
    return found if "\nvolumes:\n" in found else found + volumes(wanted)


def _volume(asked: Recording) -> str:
    """Where requests are recorded, in the service."""
    if not asked.folder:
        return f'    volumes: ["recordings:{INSIDE}"]\n'
    user, volume = quoted(folder_owner(asked.folder)), quoted(f"{asked.folder}:{INSIDE}")
    return f"    user: {user}  # who owns the folder\n    volumes: [{volume}]\n"


def quoted(text: str) -> str:
    """As Compose reads it, to whom a dollar begins a variable's name."""
    return json.dumps(text).replace("$", "$$")
