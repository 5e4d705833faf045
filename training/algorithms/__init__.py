"""The six algorithms. To add one, add a file and a row here."""

from importlib import import_module

from training.algorithms.base import Algorithm, Params, Space
from training.errors import UserError, nearest

#: Candidate name -> the module that defines it, in the order of the leaderboard's ties.
TABLE = {
    "linear_regression": "linear_regression",
    "logistic_regression": "logistic_regression",
    "svm": "svm",
    "decision_tree": "decision_tree",
    "random_forest": "random_forest",
    "gradient_boosting:sklearn": "gradient_boosting.sklearn",
    "gradient_boosting:xgboost": "gradient_boosting.xgboost",
    "gradient_boosting:lightgbm": "gradient_boosting.lightgbm",
    "gradient_boosting:catboost": "gradient_boosting.catboost",
}

__all__ = ["TABLE", "Algorithm", "Params", "Space", "find", "select"]


def find(candidate: str) -> Algorithm:
    """The algorithm behind a candidate's name."""
    module = import_module(f"training.algorithms.{TABLE[candidate]}")
    algorithm: Algorithm = module.ALGORITHM
    return algorithm


def select(text: str) -> list[str]:
    """Names of candidates for what the user asked for.

    Parameters
    ----------
    text : str
        `all`, or a comma list of algorithms, an engine after a colon:
        `svm,gradient_boosting:xgboost`. An algorithm without an engine means all its engines.

    Raises
    ------
    UserError
        For an unknown algorithm or engine, with the nearest valid ones.
    """
    wanted = [item.strip().lower() for item in text.split(",") if item.strip()]
    if not wanted:
        raise UserError("expected algorithms to name at least one, got none; use algorithms=all")
    chosen: set[str] = set()
    for item in wanted:
        chosen.update(TABLE if item == "all" else _matching(item))
    return [name for name in TABLE if name in chosen]


def _matching(item: str) -> list[str]:
    name, _, engine = item.partition(":")
    families = list(dict.fromkeys(candidate.split(":")[0] for candidate in TABLE))
    if name not in families:
        hint = nearest(name, [*families, "all"])
        raise UserError(f"expected an algorithm, got {name!r}; {hint}")
    matching = [c for c in TABLE if c.split(":")[0] == name]
    if not engine:
        return matching
    engines = [c.split(":")[1] for c in matching if ":" in c]
    if engine not in engines:
        if not engines:
            raise UserError(f"expected no engine for {name}, got {engine!r}; write {name} alone")
        raise UserError(f"expected an engine of {name}, got {engine!r}; {nearest(engine, engines)}")
    return [f"{name}:{engine}"]
