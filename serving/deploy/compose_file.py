"""A version's Compose file, which a person may have changed: what is ours in it is put anew.

Ours are the services `server`, `canary` and `front`, one secret and one volume; all else stays as
it is, comments included. Where the file is not as it was written, as far as that matters, nothing
is done to it.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from serving.deploy import compose_text as text_of
from serving.deploy.front import ROLE
from serving.deploy.recording import size_of
from serving.deploy.wanted import Release, Wanted, sized
from training.errors import UserError
from training.sizes import parse_size

_SERVICES, _SECRETS, _VOLUMES = "services", "secrets", "volumes"
#: Services that go when there is no canary, and a label that others of such a name have not.
_BESIDE = {"canary": text_of.SHARE, "front": ROLE}
#: What a person may have given the server, and neither a canary nor a front would have.
_OWN = {"networks", "network_mode", "env_file", "extends"}

#: Where a section begins, or an entry of one, by two columns.
_PIECES = re.compile(r"^(?=  [^\s#]|\S)", re.MULTILINE)
_TRAIL = re.compile(r"(?:^(?:  #[^\n]*)?\n)*\Z", re.MULTILINE)
_PORTS = re.compile(r'(?:    #[^\n]*\n)?    ports: \["127\.0\.0\.1:(\d+):8080"\]\n')
_IMAGE = re.compile(r"^    image: (.*)$", re.MULTILINE)
_FIRST = re.compile(r"# .*, version .*, as `sixfold deploy .*` wrote it\.\n")


@dataclass
class _Piece:
    """A section's line, an entry of a section, or a comment.

    Attributes
    ----------
    section, name : str
        '' for what has none.
    text : str
    trail : str
        Empty lines and comments before what follows.
    """

    section: str
    name: str
    text: str
    trail: str = ""


class _Unlike(Exception):
    """The file is not as it was written."""


def has_canary(text: str) -> bool:
    """Whether a file has one of ours, and so a front."""
    return f"\n      {text_of.SHARE}: " in text


def written_anew(text: str, release: Release, wanted: Wanted) -> str:
    """A file's text with a version as its server, or as a canary beside that.

    Parameters
    ----------
    text : str
        Of the file that is there; '' for a new one. A token and a port in it stay where no others
        are given.
    release : Release
    wanted : Wanted

    Raises
    ------
    UserError
        The file is not as it was written.
    """
    pieces = _pieces(text.rstrip("\n") + "\n" if text else f"{text_of.head(release)}services:\n")
    try:
        before = yaml.safe_load(text) if text else {_SERVICES: {}}
        _put_services(pieces, before[_SERVICES], release, wanted)
        _put(pieces, _SECRETS, "token", text_of.secret(wanted))
        _put(pieces, _VOLUMES, "recordings", text_of.recordings(wanted))
        found = "".join(piece.text + piece.trail for piece in pieces)
        if not wanted.canary:
            found = _FIRST.sub(lambda _: text_of.head(release).partition("\n")[0] + "\n", found, 1)
        if _others(before) != _others(yaml.safe_load(found)):
            raise _Unlike
    except (_Unlike, LookupError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(
            "expected the file as it was written: a service `server` with ports: "
            f'["127.0.0.1:{text_of.PORT}:8080"], without networks or a token of its own, no '
            "other service called canary or front; got another; move it away, or name another "
            "folder: --write"
        ) from None
    return found


def _pieces(text: str) -> list[_Piece]:
    found, section = [], ""
    for piece in _PIECES.split(text):
        is_entry = piece.startswith("  ")
        if not is_entry and not piece.startswith("#"):
            section = piece.partition(":")[0]
        trail = _TRAIL.search(piece)
        end = trail.start() if trail else len(piece)
        name = piece.partition(":")[0].strip(" \"'") if is_entry else ""
        found.append(_Piece(section, name, piece[:end], piece[end:]))
    return found


def _put_services(
    pieces: list[_Piece], before: dict[str, Any], release: Release, wanted: Wanted
) -> None:
    """Put the services that are ours, and take away those that are no longer."""
    services = {piece.name: piece for piece in pieces if piece.section == _SERVICES and piece.name}
    if not services:
        port = wanted.port or text_of.PORT
        asks_token = wanted.token_file is not None
        _put(pieces, _SERVICES, "server", text_of.server(release, wanted, port, asks_token))
        return
    server, beside = services["server"], [name for name in _BESIDE if name in services]
    if not all(_BESIDE[name] in before[name]["labels"] for name in beside):
        raise _Unlike
    ports = _PORTS.search(services.get("front", server).text)
    image = _IMAGE.search(server.text)
    if ports is None or image is None:
        raise _Unlike
    asks_token = _asks_token(before["server"], server.text)
    wanted = sized(wanted, **_sizes(before["server"]))
    if wanted.canary:
        if _OWN & before["server"].keys():
            raise _Unlike
        server.text = server.text.replace(ports[0], "")
        server.text += text_of.canary(release, wanted, asks_token)
        server.text += text_of.front(release.model, wanted.canary, image[1], ports[0])
    else:
        port, asks_token = wanted.port or int(ports[1]), asks_token or wanted.token_file is not None
        server.text = text_of.server(release, wanted, port, asks_token)
    for name in beside:
        services[name].text = ""


def _asks_token(server: dict[str, Any], text: str) -> bool:
    """Whether the server asks for the file's token, which a canary must ask for too."""
    is_ours = text_of.ASKS_TOKEN in text
    names = str(server.get("environment", ""))
    if not is_ours and ("secrets" in server or "SIXFOLD_TOKEN" in names):
        raise _Unlike
    return is_ours


def _sizes(server: dict[str, Any]) -> dict[str, Any]:
    """CPUs and bytes that the server may have, as far as the file says so."""
    environment = server.get("environment")
    found: dict[str, Any] = {}
    if isinstance(environment, dict):
        found["recorded"] = size_of(environment)
    with suppress(ValueError):
        found["cpu"] = float(server.get("cpus", 0))
    with suppress(UserError):
        found["memory"] = parse_size(str(server.get("mem_limit", 0)), "mem_limit", 0)
    return found


def _put(pieces: list[_Piece], section: str, name: str, text: str) -> None:
    """Put an entry into a section, in place of the one that is there."""
    if not text:
        return
    inside = [piece for piece in pieces if piece.section == section]
    for piece in inside:
        if piece.name == name:
            piece.text = text
            return
    if inside and inside[0].text != f"{section}:\n":
        raise _Unlike
    if not inside:
        inside = [_Piece(section, "", f"\n{section}:\n")]
        pieces += inside
    pieces.insert(pieces.index(inside[0]) + 1, _Piece(section, name, text))


def _others(whole: dict[str, Any]) -> dict[str, Any]:
    """All of a file that is not ours."""
    ours = {_SERVICES: {"server", *_BESIDE}, _SECRETS: {"token"}, _VOLUMES: {"recordings"}}
    found = dict(whole)
    for section, names in ours.items():
        entries = found.pop(section, None) or {}
        found[section] = {name: entry for name, entry in entries.items() if name not in names}
    return found
