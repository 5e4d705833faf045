"""What a model that Sixfold has not trained is to be installed with: its own requirements.

Its packages are installed from wheels alone, so that building an image runs none of their code.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from serving.foreign import below, damage_told, read_model
from training.errors import UserError

#: Flavours that MLflow's small package loads and predicts with; others may need anything of MLflow.
_PLAIN = {"mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm", "mlflow.catboost"}
_SMALL_SINCE = 3
_NEEDED = ("pandas", "numpy")
_REQUIREMENTS = "requirements.txt"
_INCLUDED = re.compile(r"(-r|--requirement|-c|--constraint)[\s=]*(.+)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
#: Lines of options that leave it at wheels.
_OPTIONS = {
    *("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links"),
    *("--trusted-host", "--pre", "--prefer-binary", "--require-hashes"),
}


@dataclass(frozen=True)
class Needed:
    """What is installed to load a model.

    Attributes
    ----------
    lines, constraints : list of str
        Of a requirements file, and of one of constraints.
    """

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)


@damage_told()
def requirements(model: Path) -> Needed:
    """What is installed to load a model: its own requirements, MLflow's part as small as it may be.

    Parameters
    ----------
    model : Path

    Returns
    -------
    Needed
        The model's lines in their order, those of the files that they name among them.

    Raises
    ------
    UserError
        A line that is not installed from a wheel, a file that the model has not brought, or
        nothing that says which MLflow is needed.
    """
    described = read_model(model)
    loader = described.flavors["python_function"].get("loader_module", "")
    found = Needed()
    if file := below(model, model, _REQUIREMENTS):
        _collect(model, file, found, is_constraint=False, seen=set())
    if any("--hash" in line or "--require-hashes" in line for line in found.lines):
        return found  # pip takes no line without a hash then
    parsed = [_parsed(line) for line in found.lines]
    names = {canonicalize_name(item.name) for item in parsed if item}
    lines = list(found.lines)
    if "mlflow-skinny" not in names:
        if "mlflow" not in names:
            lines.append("mlflow")
            parsed.append(Requirement("mlflow"))
        written_by, is_plain = str(described.mlflow_version or ""), loader in _PLAIN
        lines = [
            _mlflow_line(line, item, written_by, is_plain)
            if item and canonicalize_name(item.name) == "mlflow"
            else line
            for line, item in zip(lines, parsed, strict=True)
        ]
    # LightGBM needs an OpenMP, and scikit-learn brings one.
    more = [*_NEEDED, *(("scikit-learn",) if "lightgbm" in names else ())]
    return replace(found, lines=lines + [name for name in more if name not in names])


def _collect(
    model: Path, file: Path, found: Needed, *, is_constraint: bool, seen: set[tuple[Path, bool]]
) -> None:
    """Add the lines of a file, and of the files that it names."""
    if (file.resolve(), is_constraint) in seen:
        return
    seen.add((file.resolve(), is_constraint))
    for line in _joined(file.read_text(encoding="utf-8-sig")):
        included = _INCLUDED.fullmatch(line)
        if included is None:
            _check_wheel(line)
            (found.constraints if is_constraint else found.lines).append(line)
            continue
        other = below(model, file.parent, shlex.split(included[2])[0])
        if other is None:
            raise UserError(
                f"expected files of the model's own folder in its {_REQUIREMENTS}, got "
                f"{_shown(line)!r}; log the model with the lines themselves"
            )
        as_constraint = included[1] in ("-c", "--constraint")
        _collect(model, other, found, is_constraint=as_constraint, seen=seen)


def _joined(text: str) -> Iterator[str]:
    """The lines as pip reads them: without comments, continued ones as one."""
    whole = ""
    for line in text.splitlines():
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            whole += line.rstrip("\\")
            continue
        line, whole = whole + (" " if is_comment else "") + line, ""
        if line := _COMMENT.sub("", line).strip():
            yield line
    if whole.strip():
        yield whole.strip()


def _check_wheel(line: str) -> None:
    """Refuse what pip would build from source, whatever it is told: that runs the source's code."""
    if line.startswith("-"):
        given = [word.partition("=")[0] for word in shlex.split(line) if word.startswith("-")]
        is_fine = _OPTIONS.issuperset(given)
    elif "://" in line or "${" in line or "@" in line.partition(";")[0]:
        parsed = _parsed(line)
        address = parsed.url if parsed else line.split()[0]
        is_fine = address is None or _is_wheel(address)
    else:
        is_fine = True
    if not is_fine:
        raise UserError(
            f"expected requirements that are installed from wheels, got {_shown(line)!r} in the "
            f"model's {_REQUIREMENTS}; log it with NAME==VERSION, or with the code (code_paths)"
        )


def _is_wheel(address: str) -> bool:
    parts = urlsplit(address)
    try:
        parse_wheel_filename(unquote(parts.path.rpartition("/")[2]))
    except InvalidWheelFilename:
        return False
    return parts.scheme in ("http", "https") and "${" not in address


def _parsed(line: str) -> Requirement | None:
    """A line without its options; None if it is no name with versions or an address."""
    try:
        return Requirement(re.split(r"\s-", line)[0])
    except InvalidRequirement:
        return None


def _mlflow_line(line: str, needed: Requirement, written_by: str, is_plain: bool) -> str:
    if needed.url or needed.extras:
        return line
    pins = [part.version for part in needed.specifier if part.operator in ("==", "===")]
    pin = pins[0] if pins else written_by
    if not pin:
        raise UserError(
            "expected a model that says which MLflow it needs, got neither mlflow_version in its "
            f"MLmodel nor mlflow==VERSION in its {_REQUIREMENTS}; log it again"
        )
    major = pin.partition(".")[0]
    is_small = is_plain and major.isdecimal() and int(major) >= _SMALL_SINCE
    marker = f" ; {needed.marker}" if needed.marker else ""
    return f"mlflow{'-skinny' if is_small else ''}=={pin}{marker}"


def _shown(line: str) -> str:
    """A line without what an address has of a login."""
    return re.sub(r"//[^/@\s]*@", "//", line)[:200]
