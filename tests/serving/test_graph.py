"""Steps of a graph that are one in mathematics become one, where that is as exact."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.convert.trees import for_doubles
from serving.graph import Graph

ROWS = np.random.default_rng(0).normal(3.0, 2.0, (50, 4))
WEIGHTS = np.random.default_rng(1).normal(size=(4, 3))


def run(graph: Graph, output: str, rows: np.ndarray = ROWS) -> tuple[np.ndarray, list[str]]:
    """What a graph makes of rows, and the kinds of its nodes."""
    model = graph.model(output, rank=2)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    kinds = [node.op_type for node in model.graph.node]
    return np.asarray(session.run(None, {Graph.INPUT: rows})[0]), kinds[:-1]


def test_a_scaler_and_weighted_sums_are_one() -> None:
    graph = Graph(4)
    scaled = graph.scaled(Graph.INPUT, np.arange(4.0), np.full(4, 2.0))
    first = graph.affine(scaled, WEIGHTS, [1.0, 2.0, 3.0])
    found, kinds = run(graph, graph.affine(first, np.ones((3, 1)), -1.0))
    expected = (((ROWS - np.arange(4)) / 2) @ WEIGHTS + [1, 2, 3]).sum(axis=1, keepdims=True) - 1
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert kinds == ["Gemm"]


def test_a_few_numbers_do_not_become_many() -> None:
    graph = Graph(4)
    narrow = graph.affine(Graph.INPUT, WEIGHTS[:, :1], 0.0)
    found, kinds = run(graph, graph.affine(narrow, np.ones((1, 500)), 0.0))
    np.testing.assert_allclose(found, np.tile(ROWS @ WEIGHTS[:, :1], 500), rtol=1e-12)
    assert kinds == ["Gemm", "Gemm"]


def test_a_mean_that_is_far_from_zero_is_taken_off_first() -> None:
    """Such as of seconds since 1970: else the difference of two sums of such numbers is left."""
    graph = Graph(4)
    rows = 1e9 + ROWS * 1e-3
    scaled = graph.scaled(Graph.INPUT, rows.mean(axis=0), rows.std(axis=0))
    found, kinds = run(graph, graph.affine(scaled, WEIGHTS, 0.0), rows)
    expected = (rows - rows.mean(axis=0)) / rows.std(axis=0) @ WEIGHTS
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert kinds == ["Sub", "Div", "Gemm"]


def test_probabilities_of_two_classes() -> None:
    graph = Graph(4)
    positive = graph.columns(Graph.INPUT, [0])
    logistic = graph.logistic(graph.affine(Graph.INPUT, WEIGHTS[:, :1], 0.5))
    whole = graph.weighted([graph.binary(positive), logistic], [0.25, 0.75])
    found, kinds = run(graph, whole)
    sigmoid = 1 / (1 + np.exp(-(ROWS @ WEIGHTS[:, 0] + 0.5)))
    expected = 0.25 * ROWS[:, 0] + 0.75 * sigmoid
    np.testing.assert_allclose(found, np.stack([1 - expected, expected], axis=1), rtol=1e-12)
    assert sorted(kinds) == ["Concat", "Gather", "Gemm", "Gemm", "Sigmoid"]
    alone, kinds = run(graph, logistic)
    np.testing.assert_allclose(alone, np.stack([1 - sigmoid, sigmoid], axis=1), rtol=1e-12)
    assert kinds == ["Gemm", "Sigmoid"]


def test_other_values_are_weighted_one_by_one() -> None:
    graph = Graph(4)
    values = [graph.columns(Graph.INPUT, columns) for columns in ([0, 1], [2, 3])]
    found, _ = run(graph, graph.weighted(values, [0.5, 1.0]))
    np.testing.assert_allclose(found, 0.5 * ROWS[:, :2] + ROWS[:, 2:], rtol=1e-12)


def test_the_same_step_twice_is_one() -> None:
    graph = Graph(4)
    first, again = (graph.op("IsNaN", graph.columns(Graph.INPUT, [1])) for _ in range(2))
    assert first == again
    assert graph.op("IsNaN", graph.columns(Graph.INPUT, [2])) != first


SINGLE = st.floats(-(2.0**127), 2.0**127, width=32)
DOUBLE = st.floats(-(2.0**127), 2.0**127)


@pytest.mark.filterwarnings("ignore:overflow")
@given(SINGLE | DOUBLE, st.integers(-3, 3), st.integers(-3, 3))
@example(0.0, 0, -1)
@example(1.0, 0, 0)
def test_a_threshold_for_numbers_that_are_not_rounded(
    threshold: float, steps: int, halves: int
) -> None:
    """Around it, where a number is rounded to one side or the other."""
    number = np.float32(threshold)
    for _ in range(abs(steps)):
        number = np.nextafter(number, np.float32(np.copysign(np.inf, steps)))
    following = np.nextafter(number, np.float32(np.inf))
    close = (np.float64(number) + np.float64(following)) / 2
    for _ in range(abs(halves)):
        close = np.nextafter(close, np.copysign(np.inf, halves))
    for value in (close, np.float64(number), np.float64(threshold)):
        rounded = np.float64(np.float32(value))
        assert (value <= for_doubles(np.array(threshold))) == (rounded <= threshold)
        assert (value <= for_doubles(np.array(threshold), strict=True)) == (rounded < threshold)
