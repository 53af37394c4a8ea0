"""Isolation forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008) as plain arrays.

Grown by scikit-learn, walked by NumPy: a model that scores each minute needs no scikit-learn in memory, and one that is read from a
file is numbers, not a pickle that could run code.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.models.anomaly.grid import Floats, Ints

Singles = NDArray[np.float32]
CHUNK_ROWS = 20_000
FEW_ROWS = 50


@dataclass(frozen=True)
class Forest:
    """All trees one after the other; the shape of each array is (nodes,), of `roots` (trees,)."""

    roots: Ints
    feature: Ints
    """What an inner node asks for; -1 for a leaf."""
    threshold: Floats
    left: Ints
    """The node of rows with a value up to the threshold."""
    right: Ints
    length: Floats
    """Of a leaf: its depth, and what would follow for the rows that ended in it."""
    usual_length: float
    """Of a search that finds nothing, in a tree of as many rows."""


def grow(rows: Floats, trees: int, rows_a_tree: int, seed: int) -> Forest:
    """A forest of `rows`, shape (rows, parameters) without NaN; the same rows and seed give the same forest."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # half a second and 60 MB, for training only

    grown = IsolationForest(n_estimators=trees, max_samples=min(rows_a_tree, len(rows)), random_state=seed).fit(rows)
    parts = [_plain(estimator.tree_) for estimator in grown.estimators_]
    starts = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])[:-1]]).astype(np.int64)
    columns = [np.concatenate([part[number] for part in parts]) for number in range(5)]
    shifted = [
        np.concatenate([np.where(part[number] >= 0, part[number] + start, -1) for part, start in zip(parts, starts, strict=True)])
        for number in (2, 3)
    ]
    return Forest(
        starts, columns[0], columns[1], shifted[0], shifted[1], columns[4], float(_usual_length(np.array([grown.max_samples_]))[0])
    )


def unusual(forest: Forest, rows: Floats) -> Floats:
    """The anomaly score of each row, 0 to 1: about 0.4 to 0.5 is usual, towards 1 it is alone; NaN rows give NaN."""
    out = np.full(len(rows), np.nan)
    known = np.flatnonzero(np.isfinite(rows).all(axis=1))
    for begin in range(0, len(known), CHUNK_ROWS):
        chunk = known[begin : begin + CHUNK_ROWS]
        # As scikit-learn compares: in single precision.
        out[chunk] = 2.0 ** (-_mean_length(forest, rows[chunk].astype(np.float32)) / forest.usual_length)
    return out


def _mean_length(forest: Forest, rows: Singles) -> Floats:
    """Mean path length over the trees."""
    if len(rows) < FEW_ROWS:
        first = np.arange(len(rows))[:, None] * rows.shape[1]
        few: Floats = _lengths(forest, rows, first, np.broadcast_to(forest.roots, (len(rows), len(forest.roots)))).mean(axis=1)
        return few
    # Of many rows tree by tree: what a tree needs stays in the processor's cache, which makes it eight times as fast.
    first, total = np.arange(len(rows)) * rows.shape[1], np.zeros(len(rows))
    for root in forest.roots:
        total += _lengths(forest, rows, first, np.full(len(rows), root))
    return total / len(forest.roots)


def _lengths(forest: Forest, rows: Singles, first: Ints, node: Ints) -> Floats:
    """Path length of each row from its `node` down; `first` is where a row begins in the flattened `rows`."""
    flat = rows.ravel()
    while True:
        feature = forest.feature.take(node)
        inner = feature >= 0
        if not inner.any():
            return forest.length.take(node)
        goes_left = flat.take(first + np.maximum(feature, 0)) <= forest.threshold.take(node)
        node = np.where(inner, np.where(goes_left, forest.left.take(node), forest.right.take(node)), node)


def _plain(tree: object) -> tuple[Ints, Floats, Ints, Ints, Floats]:
    """Feature, threshold, left, right and path length of a scikit-learn tree's nodes."""
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)  # type: ignore[attr-defined]  # scikit-learn has no types
    samples, depth = np.asarray(tree.n_node_samples), np.zeros(len(left))  # type: ignore[attr-defined]  # as above
    for node in range(len(left)):  # parents come before their children
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    is_leaf = left < 0
    feature = np.where(is_leaf, -1, np.asarray(tree.feature))  # type: ignore[attr-defined]  # as above
    threshold = np.asarray(tree.threshold, dtype=np.float64)  # type: ignore[attr-defined]  # as above
    return feature.astype(np.int64), threshold, left.astype(np.int64), right.astype(np.int64), depth + _usual_length(samples)


def _usual_length(rows: Ints) -> Floats:
    """Mean length of an unsuccessful search in a binary tree of so many rows."""
    number = np.asarray(rows, dtype=np.float64)
    more = np.maximum(number, 3.0)
    long = 2.0 * (np.log(more - 1.0) + np.euler_gamma) - 2.0 * (more - 1.0) / more
    found: Floats = np.where(number <= 1, 0.0, np.where(number <= 2, 1.0, long))
    return found
