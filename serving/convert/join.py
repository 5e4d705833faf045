"""Boosted trees become fewer, which ask less.

The sum of two trees is one tree: at each leaf of the first the second goes on, but does not ask
what is known there: what is at most 5 is at most 7. Of two trees that ask the same columns little
is left to ask, so these are joined, up to a size. A row takes fewer steps, which are its time.

What is added to what changes, not what is added: sums differ in their last bits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.convert.trees import LEQ, MEMBER, Tree

#: Trees by columns that are looked through together for what to join: that is done once a tree,
#: so its time would grow with the square of their number.
AT_ONCE = 1 << 15
_LEAST_TREES = 64
#: So many trees, one after the other, that no other fits to: the rest of them will not do better.
_IN_VAIN = 16

#: Of a tree: more take fewer steps, each of them longer, for they no longer are in the processor's
#: nearest memory; and they make the model larger.
MOST_LEAVES = 128

# A tree: what its root asks, the tree where that holds, and the one where not; or a leaf's value.
_Node = Any
# What is known of a row: of a column what it is more than, what it is at most, and whether it may
# be missing; of a split that asks for a set its answer.
_Known = Mapping[Any, Any]
_ANYTHING = -np.inf, np.inf, True


@dataclass(frozen=True)
class _Split:
    feature: int
    threshold: float
    mode: int
    missing: bool
    members: tuple[float, ...]


class _TooLarge(Exception):
    """A sum would have more leaves than a tree may have."""


def joined(trees: Sequence[Tree]) -> list[Tree]:
    """Trees with the same sum of leaves.

    Parameters
    ----------
    trees : sequence of Tree

    Returns
    -------
    list of Tree
        Of at most `MOST_LEAVES` leaves, but for those that were larger.
    """
    found = [tree for tree in trees if _leaves(tree) > MOST_LEAVES]
    small = [tree for tree in trees if _leaves(tree) <= MOST_LEAVES]
    width = 1 + max((int(tree.feature.max()) for tree in small), default=0)
    most = max(_LEAST_TREES, AT_ONCE // width)
    for target in sorted({tree.target for tree in small}):
        of_one = [_nested(tree) for tree in small if tree.target == target]
        for begin in range(0, len(of_one), most):
            part = of_one[begin : begin + most]
            found += [_flat(node, target) for node in _sums(part)]
    return found


def _leaves(tree: Tree) -> int:
    return int((tree.true < 0).sum())


def _sums(nodes: Sequence[_Node]) -> Iterator[_Node]:
    """Nodes of fewer trees: to each is added, while there is room, what seems to add the least."""
    asked = [_asked(node) for node in nodes]
    number = {split: at for at, split in enumerate(dict.fromkeys(s for one in asked for s in one))}
    feature = np.array([split.feature for split in number], np.int64)
    width = int(feature.max(initial=0)) + 1
    # Pairs of a tree and a split of it; and their places in a matrix of trees by features.
    tree = np.repeat(np.arange(len(nodes)), [len(one) for one in asked])
    split = np.array([number[each] for one in asked for each in one], np.int64)
    cell = tree * width + feature[split]
    left = np.ones(len(nodes), bool)
    in_vain = 0
    while left.any() and in_vain < _IN_VAIN:
        before = left.sum()
        known = np.zeros(len(number), bool)
        total: _Node = 0.0
        while left.any():
            # So many times the leaves there would be, if all that is asked were asked of all rows.
            cuts = np.bincount(feature[known], minlength=width)
            new = np.bincount(cell, ~known[split], len(nodes) * width).reshape(-1, width)
            growth = ((cuts + new + 1) / (cuts + 1)).prod(axis=1)
            best = int(np.where(left, growth, np.inf).argmin())
            try:
                total = _sum(total, nodes[best], {}, iter(range(MOST_LEAVES)))
            except _TooLarge:
                break
            left[best] = False
            known[split[tree == best]] = True
        in_vain = in_vain + 1 if left.sum() == before - 1 else 0
        yield total
    yield from (nodes[at] for at in left.nonzero()[0].tolist())


def _asked(node: _Node) -> dict[_Split, None]:
    """The splits of a tree, each once."""
    if not isinstance(node, tuple):
        return {}
    split, yes, no = node
    return {split: None} | _asked(yes) | _asked(no)


def _sum(first: _Node, second: _Node, known: _Known, room: Iterator[int]) -> _Node:
    """The sum of two trees for the rows of which this is known; `room` is for so many leaves."""
    if not isinstance(first, tuple):
        if not isinstance(second, tuple):
            if next(room, None) is None:
                raise _TooLarge
            return first + second
        first, second = second, first
    split, yes, no = first
    answer = _answer(split, known)
    if answer is not None:
        return _sum(yes if answer else no, second, known, room)
    return (
        split,
        _sum(yes, second, _told(split, True, known), room),
        _sum(no, second, _told(split, False, known), room),
    )


def _answer(split: _Split, known: _Known) -> bool | None:
    """What a split's answer must be; None if it may be either."""
    if split.mode == MEMBER:
        return known.get(split)
    low, high, gap = known.get(split.feature, _ANYTHING)
    possible = {split.missing} if gap else set()
    if low < min(high, split.threshold):
        possible.add(split.mode == LEQ)
    if max(low, split.threshold) < high:
        possible.add(split.mode != LEQ)
    return possible.pop() if len(possible) == 1 else None


def _told(split: _Split, answer: bool, known: _Known) -> _Known:
    """What is known when a split has been answered."""
    if split.mode == MEMBER:
        return {**known, split: answer}
    low, high, gap = known.get(split.feature, _ANYTHING)
    if answer == (split.mode == LEQ):
        high = min(high, split.threshold)
    else:
        low = max(low, split.threshold)
    return {**known, split.feature: (low, high, gap and answer == split.missing)}


def _nested(tree: Tree, at: int = 0) -> _Node:
    if tree.true[at] < 0:
        return tree.value[at]
    split = _Split(
        int(tree.feature[at]),
        float(tree.threshold[at]),
        int(tree.mode[at]),
        bool(tree.missing[at]),
        tuple(tree.members.get(at, ())),
    )
    return split, _nested(tree, tree.true[at]), _nested(tree, tree.false[at])


def _flat(root: _Node, target: int) -> Tree:
    nodes = [root]
    children: list[tuple[int, int]] = []
    for node in nodes:  # grows while it is read
        if isinstance(node, tuple):
            children.append((len(nodes), len(nodes) + 1))
            nodes += node[1:]
        else:
            children.append((-1, -1))
    leaf = _Split(0, 0.0, LEQ, False, ())
    value = next(node for node in nodes if not isinstance(node, tuple))
    splits = [node[0] if isinstance(node, tuple) else leaf for node in nodes]
    ends = np.array(children, np.int64)
    return Tree(
        feature=np.array([split.feature for split in splits], np.int64),
        threshold=np.array([split.threshold for split in splits]),
        mode=np.array([split.mode for split in splits]),
        missing=np.array([split.missing for split in splits]),
        true=ends[:, 0],
        false=ends[:, 1],
        value=np.array(
            [np.zeros_like(value) if isinstance(node, tuple) else node for node in nodes]
        ),
        target=target,
        members={at: split.members for at, split in enumerate(splits) if split.mode == MEMBER},
    )
