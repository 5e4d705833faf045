"""What a user asks of one training, checked before anything is read or recorded."""

from dataclasses import asdict, dataclass
from typing import Any

from training.algorithms import select
from training.errors import UserError
from training.sizes import parse_size
from training.study import check_search

#: A candidate's process needs as much to start.
LEAST_MEMORY = 2**28


@dataclass(frozen=True)
class Request:
    """The parameters of the project's `main` entry point; '' is 'not given'.

    Attributes
    ----------
    data : str
        A path, an `s3://`, `http(s)://` or MLflow artifact URI, or `sklearn:NAME`.
    target : str
        The column to predict. Built-in sets have their own.
    task : {'auto', 'regression', 'binary', 'multiclass'}
    algorithms : str
        `all`, or a comma list; an engine after a colon.
    budget : float
        Seconds of search over all candidates.
    search : {'tpe', 'random', 'grid', 'none'}
    folds : int
        Of the cross-validation.
    metric : str
        The selection metric; `auto` is roc_auc, log_loss or rmse by task.
    test_size : float
        Share of the rows that is tested on, once, at the end.
    group, time : str
        Column for a grouped or a forward-in-time split.
    register : str
        Name of the registered model that the winner becomes a version of.
    seed : int
    max_memory : str
        Of one candidate, e.g. `2g`.
    na_values : str
        What else counts as missing, see `missing.py`.
    schema : str
        A JSON file that overrides what is inferred.
    """

    data: str = "sklearn:breast_cancer"
    target: str = ""
    task: str = "auto"
    algorithms: str = "all"
    budget: float = 120.0
    search: str = "tpe"
    folds: int = 5
    metric: str = "auto"
    test_size: float = 0.2
    group: str = ""
    time: str = ""
    register: str = ""
    seed: int = 0
    max_memory: str = ""
    na_values: str = ""
    schema: str = ""

    def candidates(self) -> list[str]:
        """The candidates asked for."""
        return select(self.algorithms)

    def memory(self) -> int | None:
        """`max_memory` in bytes."""
        return parse_size(self.max_memory, "max_memory", LEAST_MEMORY) if self.max_memory else None

    def params(self) -> dict[str, Any]:
        """The request as MLflow parameters."""
        return asdict(self)


def check(request: Request) -> None:
    """Refuse what cannot be right, before anything is read.

    Raises
    ------
    UserError
    """
    request.candidates()
    check_search(request.search)
    request.memory()
    if not request.budget > 0:
        raise UserError(
            f"expected a budget of more than 0 seconds, got {request.budget:g}; use e.g. budget=120"
        )
    if request.folds < 2:
        raise UserError(f"expected at least 2 folds, got {request.folds}; use e.g. folds=5")
    if not 0 < request.test_size < 1:
        raise UserError(
            f"expected test_size between 0 and 1, got {request.test_size:g}; use e.g. test_size=0.2"
        )
    if request.seed < 0 or request.seed >= 2**31:
        raise UserError(
            f"expected a seed from 0 to 2147483647, got {request.seed}; use e.g. seed=0"
        )
    if set(request.register) & set("/:"):
        raise UserError(
            f"expected a registered model's name without '/' and ':', got {request.register!r}; "
            "correct register="
        )
    if request.group and request.time:
        raise UserError(
            f"expected group or time, got both ({request.group!r} and {request.time!r}); "
            "leave one out"
        )
