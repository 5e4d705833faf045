"""The pip requirements of a logged model: what it imports, closed over dependencies, pinned.

The environment is installed from the lock with hashes, so what is installed is what the lock says.
"""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, metadata

from packaging.requirements import Requirement

_EVERY_MODEL = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")
#: The package of an engine, by the engine's name in `algorithms.TABLE`.
_ENGINES = {"xgboost": "xgboost-cpu", "lightgbm": "lightgbm", "catboost": "catboost"}


def model_requirements(candidates: list[str]) -> list[str]:
    """Pinned requirements of a model with these members.

    Parameters
    ----------
    candidates : list of str
        Names in `algorithms.TABLE`.

    Returns
    -------
    list of str
        `name==version`, sorted; packages and all they depend on here.
    """
    engines = {name.partition(":")[2] for name in candidates}
    roots = [*_EVERY_MODEL, *(_ENGINES[engine] for engine in engines if engine in _ENGINES)]
    return sorted(f"{name}=={_installed(name)[0]}" for name in closure(roots))


def closure(roots: Iterable[str]) -> set[str]:
    """Packages and all that they depend on here."""
    return {name for root in roots for name in _closure(root)}


def environment() -> list[str]:
    """Everything that is installed here, as `name==version`, sorted."""
    installed = {item.metadata["Name"].lower(): item.version for item in distributions()}
    return sorted(f"{name}=={number}" for name, number in installed.items())


@cache
def _installed(name: str) -> tuple[str, list[Requirement]]:
    """A package's version here, and the requirements it states."""
    found = metadata(name)
    return found["Version"], [Requirement(text) for text in found.get_all("Requires-Dist") or []]


@cache
def _closure(root: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [(root, frozenset[str]())]
    while waiting:
        name, extras = waiting.pop()
        try:
            _, needed = _installed(name)
        except PackageNotFoundError:
            continue  # for another platform, or an option that is not installed
        if name in found and not extras:
            continue
        found.add(name)
        for requirement in needed:
            wanted = [{"extra": extra} for extra in extras or {""}]
            marker = requirement.marker
            if marker is None or any(marker.evaluate(extra) for extra in wanted):
                child = requirement.name.lower().replace("_", "-")
                if child not in found or requirement.extras:
                    waiting.append((child, frozenset(requirement.extras)))
    return frozenset(found)
