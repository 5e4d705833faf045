"""What `deploy --to compose` writes of a version: services and volumes, for people to read."""

import json

from serving.deploy.front import ROLE
from serving.deploy.names import MODEL, deployment
from serving.deploy.recording import INSIDE, Recording, compose_volume_name, folder_owner
from serving.deploy.wanted import Release, Wanted, settings, sized
from serving.labels import RUN, VERSION

#: What deals out the predictions where there is a canary, beside the file.
FRONT_FILE = "sixfold-front.py"
#: Of a canary: its part of the predictions, in percent.
SHARE = "sixfold.share"
PORT = 8080
#: A service's line where the file's token is asked for.
ASKS_TOKEN = "    secrets: [token]\n"  # noqa: S105

_HEAD = """\
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
      {label_run}: {run_quoted}
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
    # A name that nobody has for a moment is not looked for beyond the engine.
    dns_opt: ["ndots:1"]
    dns_search: ["."]
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


def head(release: Release) -> str:
    """The comment that the file begins with."""
    return _HEAD.format(
        model=release.model, version=release.version, project=deployment(release.model)
    )


def server(release: Release, wanted: Wanted, port: int, asks_token: bool) -> str:
    """A version as the service `server`; `asks_token` if the file has a token's secret."""
    return _service("server", release, wanted, asks_token, ports=_PORTS.format(port=port))


def canary(release: Release, wanted: Wanted, asks_token: bool) -> str:
    """A version as the service `canary`, whose share is its label."""
    share = f'      {SHARE}: "{wanted.canary}"\n'
    return _service("canary", release, wanted, asks_token, label=share)


def front(model: str, share: int, image: str, ports: str) -> str:
    """What deals out the predictions of a server and a canary, of the server's image and ports."""
    return _FRONT.format(
        share=share,
        image=image,
        file=FRONT_FILE,
        ports=ports,
        label_model=MODEL,
        label_role=ROLE,
        model=quoted(model),
    )


def secret(wanted: Wanted) -> str:
    """The secret of a token in a file; '' if none is given."""
    if not wanted.token_file:
        return ""
    file = quoted(str(wanted.token_file.absolute()))
    return f"  token:\n    file: {file}  # readable by user 10001\n"


def recordings(wanted: Wanted) -> str:
    """The volume that requests are recorded in; '' if they are not, or in a folder."""
    if not wanted.record or wanted.record.folder:
        return ""
    return f"  recordings: {{name: {compose_volume_name(wanted.model)}}}\n"


def quoted(text: str) -> str:
    """As Compose reads it, to whom a dollar begins a variable's name."""
    plain = json.dumps(text, ensure_ascii=False).replace("$", "$$")
    return "".join(char if char.isprintable() else _escaped(char) for char in plain)


def quoted_before(text: str) -> str:
    """As it was written once; YAML has no surrogates, which beyond U+FFFF this makes."""
    return json.dumps(text).replace("$", "$$")


def _escaped(char: str) -> str:
    """What a line of YAML may not have: a break, a control character, half a character."""
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _service(
    name: str, release: Release, wanted: Wanted, asks_token: bool, ports: str = "", label: str = ""
) -> str:
    wanted = sized(wanted)
    text = _SERVER.format(
        name=name,
        image=quoted(release.image),
        ports=ports,
        cpu=f"{wanted.cpu:g}",
        memory=wanted.memory >> 20,
        label_model=MODEL,
        label_version=VERSION,
        label_run=RUN,
        model_quoted=quoted(release.model),
        version_quoted=quoted(release.version),
        run_quoted=quoted(release.run_id),
    )
    text += label
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
        text += ASKS_TOKEN
    return text


def _volume(asked: Recording) -> str:
    """Where requests are recorded, in the service."""
    if not asked.folder:
        return f'    volumes: ["recordings:{INSIDE}"]\n'
    user, volume = quoted(folder_owner(asked.folder)), quoted(f"{asked.folder}:{INSIDE}")
    return f"    user: {user}  # who owns the folder\n    volumes: [{volume}]\n"
