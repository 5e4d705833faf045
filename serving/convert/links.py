"""From the sums of boosted trees to probabilities."""

from typing import Any

import numpy as np

from serving.graph import Graph


def probabilities(sums: str, targets: int, start: Any, graph: Graph) -> str:
    """The sigmoid of one sum, (n, 2), or the softmax of several, (n, k).

    Parameters
    ----------
    sums : str
        (n, targets).
    targets : int
        1 for two classes.
    start : float or ndarray (targets,)
        What the sums begin with.
    graph : Graph
    """
    if targets == 1:
        return graph.logistic(graph.affine(sums, [[1.0]], np.ravel(start)))
    begun = graph.op("Add", sums, graph.constant(np.ravel(start)))
    return graph.op("Softmax", begun, axis=1)
