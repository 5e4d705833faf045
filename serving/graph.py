"""An ONNX graph, written step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

#: Newest opsets of a release that ONNX Runtime has known for long.
_OPSET, _ML_OPSET, _IR = 22, 5, 10
#: Means of so many deviations are taken off before anything else is done.
_FAR = 1e4
#: The domain of the operators for trees.
ML = "ai.onnx.ml"


class Graph:
    """Collects nodes and constants. A value is its name; the same `op` twice gives the same one.

    All numbers are double precision, so that a graph computes what scikit-learn does. A node takes
    a microsecond or two, which is much of a prediction: steps that are one in mathematics become
    one node where that is as exact, and what nobody needs any more is left out.

    Parameters
    ----------
    width : int
        Columns of the input.
    """

    INPUT, OUTPUT = "rows", "raw"

    def __init__(self, width: int) -> None:
        self.width = width
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._known: dict[Any, str] = {}  # nodes and constants that are there
        # Of a value: what it is `matrix @ weights + intercept` of; weights (p,) are a diagonal.
        self._affine: dict[str, tuple[str, np.ndarray, np.ndarray]] = {}
        self._positive: dict[str, str] = {}  # of (n, 2): the positive class's probability (n, 1)

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """An array that is part of the graph."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._known:
            self._known[key] = name = f"c{len(self._constants)}"
            self._constants.append(numpy_helper.from_array(array, name))
        return self._known[key]

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The value that an operator of one output makes of others."""
        from onnx import helper

        node = helper.make_node(kind, list(inputs), [], domain=domain, **attributes)
        key = node.SerializeToString(deterministic=True)
        if key not in self._known:
            self._known[key] = name = f"v{len(self._nodes)}"
            node.output.append(name)
            self._nodes.append(node)
        return self._known[key]

    def columns(self, matrix: str, positions: Sequence[int]) -> str:
        """Some columns of a matrix, in this order."""
        return self.op("Gather", matrix, self.constant(positions, np.int64), axis=1)

    def cast(self, value: str, dtype: Any) -> str:
        """The value in another type of numbers."""
        from onnx import helper

        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def affine(self, matrix: str, weights: Any, intercept: Any) -> str:
        """`matrix @ weights + intercept`, (n, k)."""
        weights = np.asarray(weights, np.float64)
        intercept = np.broadcast_to(np.asarray(intercept, np.float64), weights.shape[1:])
        if matrix in self._affine:
            source, inner, shift = self._affine[matrix]
            if inner.ndim == 1 or weights.shape[1] <= max(2, inner.shape[1]):
                intercept = shift @ weights + intercept
                weights = inner[:, None] * weights if inner.ndim == 1 else inner @ weights
                matrix = source
        name = self.op("Gemm", matrix, self.constant(weights), self.constant(intercept))
        self._affine[name] = matrix, weights, intercept
        return name

    def scaled(self, matrix: str, mean: np.ndarray, scale: np.ndarray) -> str:
        """`(matrix - mean) / scale`."""
        centred = self.op("Sub", matrix, self.constant(mean))
        name = self.op("Div", centred, self.constant(scale))
        if np.all(np.abs(mean) < _FAR * scale):  # else a sum of large numbers, for a small one
            self._affine[name] = matrix, 1 / scale, -mean / scale
        return name

    def binary(self, positive: str) -> str:
        """(n, 2) of the positive class's probability (n, 1)."""
        name = self.affine(positive, [[-1.0, 1.0]], [1.0, 0.0])
        self._positive[name] = positive
        return name

    def logistic(self, scores: str) -> str:
        """(n, 2): the sigmoid of the positive class's scores (n, 1)."""
        name = self.op("Sigmoid", self.affine(scores, [[-1.0, 1.0]], 0.0))
        self._positive[name] = self.op("Sigmoid", scores)
        return name

    def weighted(self, values: Sequence[str], weights: Sequence[float]) -> str:
        """The weighted sum of values of one shape."""
        if len(values) == 1 and weights[0] == 1.0:
            return values[0]
        if all(value in self._positive for value in values):
            row = [self._positive[value] for value in values]
            positive = row[0] if len(row) == 1 else self.op("Concat", *row, axis=1)
            each = np.array(weights, np.float64)[:, None]
            name = self.affine(positive, each * [-1.0, 1.0], [each.sum(), 0.0])
            self._positive[name] = self.affine(positive, each, 0.0)
            return name
        parts = [
            value if weight == 1.0 else self.op("Mul", value, self.constant(weight))
            for value, weight in zip(values, weights, strict=True)
        ]
        return parts[0] if len(parts) == 1 else self.op("Sum", *parts)

    def repeated(self, row: Any, like: str) -> str:
        """The same row (k,) for each row of a matrix."""
        rows = self.op("Shape", like, start=0, end=1)
        width = self.constant([len(row)], np.int64)
        return self.op("Expand", self.constant(row), self.op("Concat", rows, width, axis=0))

    def model(self, output: str, rank: int) -> "onnx.ModelProto":
        """The whole graph as a model.

        Parameters
        ----------
        output : str
            The value that the model answers with.
        rank : {1, 2}
            Of that value.
        """
        from onnx import TensorProto, checker, helper

        nodes = [*self._nodes, helper.make_node("Identity", [output], [self.OUTPUT])]
        needed = {self.OUTPUT}
        kept = []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        graph = helper.make_graph(
            kept[::-1],
            "sixfold",
            [helper.make_tensor_value_info(self.INPUT, TensorProto.DOUBLE, ["n", self.width])],
            [helper.make_tensor_value_info(self.OUTPUT, TensorProto.DOUBLE, ["n", "k"][:rank])],
            [constant for constant in self._constants if constant.name in needed],
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML, _ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR, producer_name="sixfold"
        )
        checker.check_model(model)
        return model
