"""An ONNX graph, written step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

#: Newest opsets of a release that ONNX Runtime has known for long.
_OPSET, _ML_OPSET, _IR = 22, 5, 10
#: The domain of the operators for trees.
ML = "ai.onnx.ml"


class Graph:
    """Collects nodes and constants. A value is its name; each `op` gives a new one.

    All numbers are double precision, so that a graph computes what scikit-learn does.

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

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """An array that is part of the graph."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The value that an operator of one output makes of others."""
        from onnx import helper

        name = f"v{len(self._nodes)}"
        node = helper.make_node(kind, list(inputs), [name], domain=domain, **attributes)
        self._nodes.append(node)
        return name

    def columns(self, matrix: str, positions: Sequence[int]) -> str:
        """Some columns of a matrix, in this order."""
        return self.op("Gather", matrix, self.constant(positions, np.int64), axis=1)

    def cast(self, value: str, dtype: Any) -> str:
        """The value in another type of numbers."""
        from onnx import helper

        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def affine(self, matrix: str, weights: Any, intercept: Any) -> str:
        """`matrix @ weights + intercept`, (n, k)."""
        product = self.op("MatMul", matrix, self.constant(weights))
        return self.op("Add", product, self.constant(intercept))

    def binary(self, positive: str) -> str:
        """(n, 2) of the positive class's probability (n, 1)."""
        return self.op("Concat", self.op("Sub", self.constant(1.0), positive), positive, axis=1)

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

        self._nodes.append(helper.make_node("Identity", [output], [self.OUTPUT]))
        graph = helper.make_graph(
            self._nodes,
            "sixfold",
            [helper.make_tensor_value_info(self.INPUT, TensorProto.DOUBLE, ["n", self.width])],
            [helper.make_tensor_value_info(self.OUTPUT, TensorProto.DOUBLE, ["n", "k"][:rank])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML, _ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR, producer_name="sixfold"
        )
        checker.check_model(model)
        return model
