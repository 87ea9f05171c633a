"""From the vector of a text to its most probable labels, as fastText finds them: losses, heap and rounding are its own.

fastText reports exp(log(p + 1e-5)), not p, cuts hierarchical softmax off at log(1e-5) and looks sigmoids up in a table
of 512 steps; among equal probabilities the order of its binary heap decides. All of that is repeated here, because
rounding and ties would otherwise show. Probabilities restricted to a subset of the labels have none of that.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba as nb
import numpy as np

from curation.langid.fasttext_file import FastTextFile, Loss
from curation.text.utf8 import frozen, inline, njit

_OFFSET = 1e-5
"""fastText takes the logarithm of p + 1e-5."""
_LOWEST = np.float32(math.log(_OFFSET))
"""Branches of hierarchical softmax with a lower logarithm are not followed (threshold 0)."""
_ENOUGH = 0.01
"""Where the chosen labels have less of the probability, logarithms are taken, which keep what is small."""
_STEPS, _LIMIT = 512, np.float32(8)
"""fastText's table of sigmoids: this many steps from -8 to 8."""
_SIGMOIDS = (1 / (1 + np.exp(np.linspace(8, -8, _STEPS + 1)).astype(np.float32).astype(np.float64))).astype(np.float32)
_HIERARCHICAL, _SOFTMAX = int(Loss.HIERARCHICAL_SOFTMAX), int(Loss.SOFTMAX)


class Output(NamedTuple):
    """The output layer. Hierarchical softmax: a Huffman tree; nodes are labels, then inner nodes, the root last."""

    loss: int
    columns: np.ndarray  # float32[dimension, outputs]
    rows: np.ndarray  # float32[outputs, dimension]
    norms: np.ndarray  # float32[outputs]: factors of the products with the rows
    children: np.ndarray  # int32[inner nodes, 2]: left and right (the sigmoid is the probability of the right)
    scores: np.ndarray  # float32[outputs]: working memory
    logarithms: np.ndarray  # float64[nodes]: working memory
    stack: np.ndarray  # int32[labels + 1]: working memory
    stack_scores: np.ndarray  # float32[labels + 1]: working memory
    heap: np.ndarray  # float32[labels + 1]: working memory
    heap_labels: np.ndarray  # int32[labels + 1]: working memory


def output_layer(model: FastTextFile) -> Output:
    """The output layer of a model; the counts of its labels shape the tree."""
    labels = len(model.label_counts)
    hierarchical = model.loss == Loss.HIERARCHICAL_SOFTMAX
    children = huffman_tree(model.label_counts) if hierarchical else np.empty((0, 2), np.int32)
    outputs = len(children) if hierarchical else labels
    rows = frozen(model.output[:outputs])
    return Output(
        int(model.loss), frozen(rows.T), rows, frozen(model.output_norms[:outputs]), children,
        np.empty(len(rows), np.float32), np.empty(max(2 * labels - 1, 1), np.float64),
        np.empty(labels + 1, np.int32), np.empty(labels + 1, np.float32),
        np.empty(labels + 1, np.float32), np.empty(labels + 1, np.int32),
    )  # fmt: skip


def huffman_tree(counts: np.ndarray) -> np.ndarray:
    """Children int32[labels-1, 2] of the inner nodes of fastText's Huffman tree of falling counts int64[labels].

    Inner node i is node ``labels + i``. Of equal counts the inner node is merged first.
    """
    labels = len(counts)
    weights = counts.tolist()
    children = np.empty((max(labels - 1, 0), 2), np.int32)
    leaf, inner = labels - 1, labels
    for pair in children:
        for side in range(2):
            if leaf >= 0 and (inner >= len(weights) or weights[leaf] < weights[inner]):
                pair[side], leaf = leaf, leaf - 1
            else:
                pair[side], inner = inner, inner + 1
        weights.append(weights[pair[0]] + weights[pair[1]])
    return children


@inline
def _log(probability: Any) -> Any:  # pragma: no cover - compiled
    return np.float32(math.log(np.float64(probability) + _OFFSET))


@njit
def _push(heap, labels, size, score, label):  # type: ignore[no-untyped-def]
    """Push on the binary heap whose first element is the lowest."""
    hole = size
    while hole > 0 and heap[(hole - 1) // 2] > score:
        heap[hole], labels[hole] = heap[(hole - 1) // 2], labels[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole], labels[hole] = score, label


@njit
def _pop(heap, labels, size):  # type: ignore[no-untyped-def]
    """Move the lowest of ``size`` elements behind the others: the hole sinks to a leaf, the last element fills it.

    Of two equal children the right one rises.
    """
    last = size - 1
    score, label = heap[last], labels[last]
    heap[last], labels[last] = heap[0], labels[0]
    hole = 0
    while 2 * hole + 1 < last:
        child = 2 * hole + 2
        if child >= last or heap[child] > heap[child - 1]:
            child -= 1
        heap[hole], labels[hole] = heap[child], labels[child]
        hole = child
    _push(heap, labels, hole, score, label)


@inline
def _offer(heap: Any, labels: Any, size: Any, k: Any, score: Any, label: Any) -> Any:  # pragma: no cover - compiled
    """Keep the ``k`` highest; the size after it."""
    _push(heap, labels, size, score, label)
    if size == k:
        _pop(heap, labels, size + 1)
    return min(size + 1, k)


@njit
def _scores(hidden, output):  # type: ignore[no-untyped-def]
    """Product of the output matrix and the vector, each output summed in order."""
    scores = output.scores
    scores[:] = 0
    for j in range(len(output.columns)):
        factor = hidden[j]
        for i in range(len(scores)):
            scores[i] += factor * output.columns[j, i]
    for i in range(len(scores)):
        scores[i] *= output.norms[i]


@njit
def _probabilities(hidden, output):  # type: ignore[no-untyped-def]
    """Turn the scores of all labels into probabilities: softmax, or one sigmoid each."""
    _scores(hidden, output)
    scores = output.scores
    if output.loss == _SOFTMAX:
        highest = scores.max()
        total = np.float32(0)
        for i in range(len(scores)):
            scores[i] = np.float32(math.exp(np.float64(scores[i] - highest)))
            total += scores[i]
        for i in range(len(scores)):
            scores[i] /= total
    else:
        for i in range(len(scores)):
            score = scores[i]
            if score < -_LIMIT:
                scores[i] = 0
            elif score > _LIMIT:
                scores[i] = 1
            else:
                scores[i] = _SIGMOIDS[np.int64((score + _LIMIT) * np.float32(_STEPS / 16))]


@inline
def _halves(hidden: Any, output: Any, inner: Any) -> Any:  # pragma: no cover - compiled
    """Logarithms of the probabilities of the left and the right child of an inner node."""
    score = np.float32(0)
    row = output.rows[inner]
    for j in range(len(row)):
        score += row[j] * hidden[j]
    score *= output.norms[inner]
    right = np.float32(1.0 / np.float64(np.float32(1) + np.exp(-score)))
    return _log(np.float32(1.0 - np.float64(right))), _log(right)


@njit
def _search_tree(hidden, output, k):  # type: ignore[no-untyped-def]
    """The best ``k`` labels in the heap, depth first and left first; their number."""
    labels = len(output.stack) - 1
    floor = _LOWEST
    size, depth = 0, 1
    output.stack[0], output.stack_scores[0] = 2 * labels - 2, 0
    while depth > 0:
        depth -= 1
        node, score = output.stack[depth], output.stack_scores[depth]
        if score < floor or (size == k and score < output.heap[0]):
            continue
        if node < labels:
            size = _offer(output.heap, output.heap_labels, size, k, score, node)
            continue
        left, right = _halves(hidden, output, node - labels)
        children = output.children[node - labels]
        output.stack[depth], output.stack_scores[depth] = children[1], score + right
        output.stack[depth + 1], output.stack_scores[depth + 1] = children[0], score + left
        depth += 2
    return size


@njit
def best_labels(hidden, output, k, labels, probabilities):  # type: ignore[no-untyped-def]
    """Fill labels int32[width] and probabilities float32[width] with the ``k`` most probable, as fastText does."""
    if output.loss == _HIERARCHICAL:
        size = _search_tree(hidden, output, k)
    else:
        _probabilities(hidden, output)
        size = 0
        for i in range(len(output.scores)):
            score = _log(output.scores[i])
            if size < k or score >= output.heap[0]:
                size = _offer(output.heap, output.heap_labels, size, k, score, i)
    _unload(output, size, labels)
    for i in range(size):
        probabilities[i] = np.exp(output.heap[i])


@njit
def best_restricted(hidden, output, chosen, tree, k, labels, probabilities):  # type: ignore[no-untyped-def]
    """The same among the labels ``chosen`` int32[m]; softmax over them where the labels exclude each other.

    ``tree``: their `subtree`.
    """
    logarithms = output.logarithms
    exclusive = output.loss == _HIERARCHICAL or output.loss == _SOFTMAX
    if output.loss == _HIERARCHICAL:
        total = _chosen_probabilities(hidden, tree, len(chosen))
        if total >= _ENOUGH:
            size = 0
            for i in range(len(chosen)):
                probability = np.float32(tree.probabilities[i])
                if size < k or probability > output.heap[0]:
                    size = _offer(output.heap, output.heap_labels, size, k, probability, i)
            _unload(output, size, labels)
            for i in range(size):
                probabilities[i] = np.float64(output.heap[i]) / total
                labels[i] = chosen[labels[i]]
            return
        _scores(hidden, output)
        _leaf_logarithms(output)
    elif output.loss == _SOFTMAX:
        _scores(hidden, output)
        logarithms[: len(output.scores)] = output.scores
    else:
        _probabilities(hidden, output)
    size, highest, total = 0, -np.inf, 0.0
    if exclusive:
        for label in chosen:
            highest = max(highest, logarithms[label])
        for label in chosen:
            total += math.exp(logarithms[label] - highest)
    for label in chosen:
        score = np.float32(logarithms[label] - highest) if exclusive else _log(output.scores[label])
        if size < k or score >= output.heap[0]:
            size = _offer(output.heap, output.heap_labels, size, k, score, label)
    _unload(output, size, labels)
    for i in range(size):
        probabilities[i] = np.exp(output.heap[i])
        if exclusive:
            probabilities[i] = math.exp(logarithms[labels[i]] - highest) / total


class Subtree(NamedTuple):
    """The part of the tree of hierarchical softmax that leads to some labels; empty for other losses.

    Nodes are the m labels in order, the inner nodes in the order of `Output`, and one that stands for all the rest.
    """

    columns: np.ndarray  # float32[dimension, inner nodes]
    norms: np.ndarray  # float32[inner nodes]
    children: np.ndarray  # uint32[inner nodes, 2]
    sigmoids: np.ndarray  # float32[inner nodes]: working memory
    probabilities: np.ndarray  # float64[nodes]: working memory


def subtree(output: Output, chosen: np.ndarray) -> Subtree:
    """``chosen``: int32[m], ids of labels."""
    labels = len(output.stack) - 1
    node = np.full(max(2 * labels - 1, 1), -1)
    node[chosen] = np.arange(len(chosen))
    inner: list[int] = []
    for i, (left, right) in enumerate(output.children):
        if node[left] >= 0 or node[right] >= 0:
            node[labels + i] = len(chosen) + len(inner)
            inner.append(i)
    rest = len(chosen) + len(inner)
    children = node[output.children[inner]] if inner else np.empty((0, 2), np.int64)
    rows = output.rows[inner]
    return Subtree(
        frozen(rows.T), frozen(output.norms[inner]), frozen(np.where(children < 0, rest, children).astype(np.uint32)),
        np.empty(len(inner), np.float32), np.empty(rest + 1, np.float64),
    )  # fmt: skip


@njit
def _chosen_probabilities(hidden, tree, count):  # type: ignore[no-untyped-def]
    """Probabilities of the ``count`` labels of a subtree at the front of its working memory; their sum."""
    sigmoids, probability = tree.sigmoids, tree.probabilities
    sigmoids[:] = 0
    for j in range(len(tree.columns)):
        factor = hidden[j]
        for i in range(len(sigmoids)):
            sigmoids[i] += factor * tree.columns[j, i]
    _sigmoids(sigmoids, tree.norms)
    inner = len(sigmoids)
    probability[count + inner - 1] = 1
    for i in range(inner - 1, -1, -1):
        here = probability[count + i]
        right = here * sigmoids[i]
        probability[tree.children[i, 1]] = right
        probability[tree.children[i, 0]] = here - right
    total = 0.0
    for i in range(count):
        total += probability[i]
    return total


@nb.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan"})
def _sigmoids(scores, norms):  # type: ignore[no-untyped-def]
    """Sigmoids of scores times norms, in place, within a few units of float32's last place.

    By Eigen's rational function for the hyperbolic tangent on [-9, 9]: neither branch nor call, so that the compiler
    computes several at once.
    """
    for i in range(len(scores)):
        x = np.float32(0.5) * scores[i] * norms[i]
        x = x if x < np.float32(9) else np.float32(9)
        x = x if x > np.float32(-9) else np.float32(-9)
        s = x * x
        p = s * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
        p = s * p + np.float32(-8.60467152213735e-11)
        p = s * p + np.float32(5.12229709037114e-08)
        p = s * p + np.float32(1.48572235717979e-05)
        p = s * p + np.float32(6.37261928875436e-04)
        p = s * p + np.float32(4.89352455891786e-03)
        q = s * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
        q = s * q + np.float32(2.26843463243900e-03)
        q = s * q + np.float32(4.89352518554385e-03)
        scores[i] = np.float32(0.5) + np.float32(0.5) * (x * p / q)


@njit
def _leaf_logarithms(output):  # type: ignore[no-untyped-def]
    """Logarithms of the probabilities of all nodes, from the root down, without fastText's offset."""
    logarithms = output.logarithms
    labels = len(output.children) + 1
    logarithms[2 * labels - 2] = 0
    for inner in range(labels - 2, -1, -1):
        score = np.float64(output.scores[inner])
        likelier = -math.log1p(math.exp(-abs(score)))
        for side in range(2):
            signed = score if side == 1 else -score
            child = output.children[inner, side]
            logarithms[child] = logarithms[labels + inner] + likelier + min(signed, 0.0)


@njit
def _unload(output, size, labels):  # type: ignore[no-untyped-def]
    """Sort the heap, highest first."""
    for left in range(size, 1, -1):
        _pop(output.heap, output.heap_labels, left)
    labels[:size] = output.heap_labels[:size]
