"""One tree, pruned by cost and complexity (Breiman et al., 1984)."""

from typing import Any

from training.algorithms.base import (
    Algorithm,
    Params,
    Space,
    class_weights,
    pipeline,
    unweighted,
    weight,
)
from training.preprocess import ordinal
from training.problem import Problem


def _build(problem: Problem, params: Params, threads: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    shared = {
        "max_depth": params["max_depth"],
        "min_samples_leaf": params["min_samples_leaf"],
        "random_state": problem.seed,
    }
    if problem.classification:
        tree = DecisionTreeClassifier(
            ccp_alpha=params["ccp_alpha"], class_weight=weight(params), **shared
        )
    else:
        # A regression tree's impurity is the target's variance: prune on a scale of 1.
        tree = DecisionTreeRegressor(
            ccp_alpha=params["ccp_alpha"] * problem.target_scale**2, **shared
        )
    return pipeline(ordinal(problem), tree)


def _space(problem: Problem) -> Space:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "ccp_alpha": FloatDistribution(1e-6, 0.05, log=True),
        "max_depth": IntDistribution(2, 30),
        "min_samples_leaf": IntDistribution(1, max(2, min(200, problem.rows // 10)), log=True),
        **class_weights(problem),
    }


def _defaults(problem: Problem) -> list[Params]:
    leaf = max(1, min(20, problem.rows // 100), min(100, problem.rows // 2_400))
    # A split that takes a row or two out of the wrong leaf is worth keeping in a table of any size.
    pruning = min(1e-3, max(1e-6, 2 / problem.rows))
    # What is below the eighth level costs time, and tells classes less than it misleads.
    first = 8 if problem.classification else 12
    return [
        {"ccp_alpha": alpha, "max_depth": depth, "min_samples_leaf": leaf, **unweighted(problem)}
        for alpha, depth in ((pruning, first), (min(0.05, 10 * pruning), 20))
    ]


ALGORITHM = Algorithm(
    name="decision_tree",
    build=_build,
    space=_space,
    defaults=_defaults,
    trusted_types=("sklearn.tree._tree.Tree",),
    large="unscaled",
)
