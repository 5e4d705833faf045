"""The policy of a model's promotions: Sixfold's own, the user's over it, the model's over both."""

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from registry.settings import TABLES, Check, Settings, Top
from training.errors import UserError, nearest

FILE = "policy.toml"
MODELS = "models"
_DEFAULT = Path(__file__).with_name(FILE)
_PLACE = re.compile(r"^(?P<what>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)$", re.DOTALL)
_TYPES = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list of names in quotes",
    Mapping: "a table of names and numbers",
}


@dataclass(frozen=True)
class Policy:
    """What a version of one model must pass.

    Attributes
    ----------
    approvers : tuple of str
        User names.
    approvals : int
        How many of them must have approved.
    trainer_may_approve : bool
    gates : mapping of str to Settings
        By the gate's name, see `settings.TABLES`.
    text : str
        The whole policy as TOML, for the record.
    """

    approvers: tuple[str, ...]
    approvals: int
    trainer_may_approve: bool
    gates: Mapping[str, Settings]
    text: str

    def gate(self, name: str) -> Any:
        """Settings of a gate: `enforce` and its thresholds."""
        return self.gates[name]


def load_policy(model: str, folder: Path) -> Policy:
    """The policy of a model.

    Parameters
    ----------
    model : str
        The registered model's name.
    folder : Path
        A `policy.toml` there overrides the default, key by key.

    Raises
    ------
    UserError
        A file cannot be read or parsed, or says what a policy cannot say.
    """
    record = _read(_DEFAULT)
    file = folder / FILE
    if file.exists():
        given = _read(file)
        models = given.pop(MODELS, {})
        own = models.get(model, {}) if isinstance(models, dict) else {}
        _check(given, str(file), "")
        _check_models(models, str(file))
        for layer in (given, own):
            record = _over(record, layer)
    top = {name: value for name, value in record.items() if name not in TABLES}
    policy = Policy(
        **{name: _frozen(value) for name, value in top.items()},
        gates={
            name: kind(**{key: _frozen(value) for key, value in record[name].items()})
            for name, kind in TABLES.items()
        },
        text=_toml(record, model),
    )
    if policy.approvals > len(policy.approvers):
        raise UserError(
            f"expected in {file} at least as many approvers as approvals = {policy.approvals}, got "
            f"{len(policy.approvers)}; list the user names in approvers"
        )
    return policy


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"expected a policy at {file}, got: {error.strerror}; make it readable, or move it away"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"expected UTF-8 in {file}, got another encoding in line {line}; save it as UTF-8"
        ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.match(str(error))
        what = found["what"] if found else str(error).removesuffix(" (at end of document)")
        lines = text.splitlines() or [""]
        place = (found["line"], found["column"]) if found else (len(lines), len(lines[-1]) + 1)
        raise UserError(
            f"expected TOML in {file}, got {what[:1].lower()}{what[1:]} at line {place[0]}, "
            f"column {place[1]}; correct it there"
        ) from None
    except RecursionError:
        raise UserError(f"expected a policy in {file}, got lists within lists") from None


def _check_models(models: Any, file: str) -> None:
    if not isinstance(models, dict):
        raise UserError(f"expected [{MODELS}.NAME] in {file}, got {MODELS} = {_shown(models)}")
    for name, record in models.items():
        where = f"{MODELS}.{_key(name)}"
        if not isinstance(record, dict):
            raise UserError(f"expected a table [{where}] in {file}, got {_shown(record)}")
        _check(record, file, where)


def _check(record: Mapping[str, Any], file: str, where: str) -> None:
    """Refuse what a policy cannot say; `where` is the table that the record stands in."""
    top = _hints(Top)
    valid = [*top, *TABLES] + ([] if where else [MODELS])
    for name, value in record.items():
        place = f"{where}.{_key(name)}" if where else _key(name)
        if name in top:
            _check_value(value, top[name], file, place)
        elif name not in TABLES:
            raise _unknown(name, valid, file, f"[{where}]" if where else "the policy")
        elif not isinstance(value, dict):
            raise UserError(f"expected a table [{place}] in {file}, got {_shown(value)}")
        else:
            hints = _hints(TABLES[name])
            for key, item in value.items():
                if key in top:
                    raise UserError(
                        f"expected {key!r} in {file} at the top, before the first table, got it in "
                        f"[{place}]; move it there"
                    )
                if key not in hints:
                    raise _unknown(key, hints, file, f"[{place}]")
                _check_value(item, hints[key], file, f"{place}.{key}")


def _check_value(value: Any, hint: Any, file: str, place: str) -> None:
    kind: Any = hint
    checks: list[Check] = []
    if get_origin(hint) is Annotated:
        kind, *checks = get_args(hint)
    kind = get_origin(kind) or kind
    if not _is_a(value, kind):
        raise UserError(
            f"expected {place} in {file} as {_TYPES[kind]}, got {_shown(value)}; correct it"
        )
    for check in checks:
        wrong = check(tuple(value) if kind is tuple else value)
        if wrong:
            raise UserError(f"expected {place} in {file} as {wrong}, got {_shown(value)}")


def _is_a(value: Any, kind: Any) -> bool:
    if kind is tuple:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is Mapping:
        return isinstance(value, dict) and all(_is_a(item, float) for item in value.values())
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and abs(value) <= 1e300 and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, kind)


def _unknown(name: str, valid: Iterable[str], file: str, where: str) -> UserError:
    return UserError(f"expected a key of {where} in {file}, got {name!r}; {nearest(name, valid)}")


def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {item.name: hints[item.name] for item in fields(kind)}


def _over(record: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the layer's values in place of its own, table by table."""
    merged = dict(record)
    for key, value in layer.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _toml(record: Mapping[str, Any], model: str) -> str:
    lines = [f"# The policy of {json.dumps(model, ensure_ascii=False)}, as it was used.", ""]
    tables: list[tuple[str, Mapping[str, Any]]] = [("", record)]
    while tables:
        name, table = tables.pop(0)
        plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
        if name:
            lines += ["", f"[{name}]"]
        lines += [f"{_key(key)} = {_shown(value)}" for key, value in plain.items()]
        inner = [(key, value) for key, value in table.items() if isinstance(value, dict)]
        tables[:0] = [(f"{name}.{_key(key)}" if name else _key(key), item) for key, item in inner]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _shown(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)} = {_shown(item)}' for key, item in value.items())}}}"
    return repr(value) if isinstance(value, int | float) else str(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
