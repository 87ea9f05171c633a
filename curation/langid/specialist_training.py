"""Training of a specialist: logistic regression on bags of units, by stochastic gradient descent in a fixed order.

With word lists of two labels, weights stay near what the lists and the sources of the text say of each word
(`curation.langid.word_evidence`), and each source has weights of its own beside the common ones, which take up its
topic and are thrown away (Daumé 2007, arXiv:0907.1815; Finkel and Manning 2009, N09-1068).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid import word_evidence
from curation.langid.specialist import Weights
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from curation.text.unit_text import separate_units
from curation.text.utf8 import njit


class Training(NamedTuple):
    """How to train. All choices, by accuracy on sources of Malay and Indonesian that were left out."""

    epochs: int = 6
    rate: float = 0.3  # of learning, falling to 0
    decay: float = 1e-5  # of the weights of the units of a text, at each step
    held_decay: float = 5e-3  # with word lists, of how far weights are from what these say
    own_decay: float = 1e-4  # of a source's own weights
    least_count: int = 2  # texts' units below are not learnt
    most_weight: float = 3.0  # of a text of a rare label; labels weigh alike up to this
    least_difference: float = 0.15  # between the weights of two labels, for a unit to be kept
    prior: float = 2.0  # weights begin as this much of naive Bayes' (Wang and Manning 2012 combine the two otherwise)
    seed: int = 0


class Bags(NamedTuple):
    units: np.ndarray  # int32[...]: positions in a vocabulary, -1 for units that are not in it
    bounds: np.ndarray  # int64[n+1]


class WordLists(NamedTuple):
    """Words that two languages have, one of them or both."""

    words: list[str]  # lower case; those of both twice
    labels: list[str]  # of each word


def train(
    text: pa.Array,
    labels: list[str],
    training: Training = Training(),  # noqa: B008
    sources: list[str] | None = None,
    lists: WordLists | None = None,
) -> Weights:
    """A specialist for the labels of n texts.

    Args:
        text: string[n].
        labels: of each.
        training: how.
        sources: of each, used with word lists only; all of one by default.
        lists: of two of the labels, neither of which is then preferred to the other where words say nothing.

    Raises:
        ValueError: fewer than two labels, no unit is frequent enough, or the word lists are not of two of the labels.
    """
    names = tuple(dict.fromkeys(sorted(labels)))
    if len(names) < 2:
        raise ValueError(f"a specialist tells languages apart; the training text has {len(names)}: {', '.join(names)}")
    words = _words(text)
    vocabulary = _vocabulary(words, training.least_count)
    target = np.array([names.index(label) for label in labels], np.int64)
    share = np.bincount(target, minlength=len(names)) / len(target)
    weight = np.minimum(1 / (len(names) * share), training.most_weight)[target]
    bags, order = _bags(words, vocabulary), np.random.default_rng(training.seed)
    weights = training.prior * _log_shares(bags, target, len(vocabulary), len(names))
    bias = np.zeros(len(names))
    start, decay = np.zeros_like(weights), training.decay
    source, own = np.zeros(len(target), np.int64), np.zeros((0, len(vocabulary) + 1, len(names)))
    if lists is not None:
        pair = _pair(lists, names)
        source = np.unique(sources or [""] * len(labels), return_inverse=True)[1].astype(np.int64)
        own = np.zeros((source.max() + 1, len(vocabulary) + 1, len(names)))
        said = word_evidence.evidence(_pair_counts(bags, target, source, pair, len(vocabulary)),
                                      _listed(lists, vocabulary, names, pair))  # fmt: skip
        middle, half = weights[:, pair].mean(axis=1), training.prior * said / 2
        weights[:, pair] = np.stack([middle - half, middle + half], axis=1)
        start, decay = weights.copy(), training.held_decay
    for epoch in range(training.epochs):
        _epoch(bags.units, bags.bounds, target, weight, order.permutation(len(target)), weights, bias, start, source,
               own, training.rate, decay, training.own_decay, epoch / training.epochs, 1 / training.epochs)  # fmt: skip
    if lists is not None:
        bias[pair] = bias[pair].mean()
    weights -= weights.mean(axis=1, keepdims=True)
    kept = np.ptp(weights, axis=1) >= training.least_difference
    step = float(np.abs(weights[kept]).max(initial=1e-6) / 127)
    units = vocabulary.filter(pa.array(kept)).to_pylist()
    return Weights(names, units, np.rint(weights[kept] / step).astype(np.int8), step, bias.astype(np.float32))


def _vocabulary(words: pa.ListArray, least_count: int) -> pa.Array:
    """Units of at least ``least_count`` occurrences, in order."""
    counts = pc.value_counts(words.flatten())
    vocabulary = counts.field("values").filter(pc.greater_equal(counts.field("counts"), least_count))
    vocabulary = vocabulary.take(pc.array_sort_indices(vocabulary))
    vocabulary = vocabulary.filter(pa.array(_single_units(vocabulary)))
    if len(vocabulary) == 0:
        raise ValueError(f"no unit occurs {least_count} times in the training text")
    return vocabulary


def _pair(lists: WordLists, names: tuple[str, ...]) -> list[int]:
    """Positions of the two labels of word lists."""
    listed = sorted(set(lists.labels))
    if len(listed) != 2 or not set(listed) <= set(names):
        raise ValueError(f"word lists tell two of {', '.join(names)} apart; these are of {', '.join(listed) or 'none'}")
    return [names.index(label) for label in listed]


def _listed(lists: WordLists, vocabulary: pa.Array, names: tuple[str, ...], pair: list[int]) -> np.ndarray:
    """Whether the list of each of a pair has a unit: bool[units, 2]."""
    label = np.array([names.index(name) for name in lists.labels])
    words = pa.array(lists.words, vocabulary.type)
    has = [pc.is_in(vocabulary, words.filter(pa.array(label == number))).to_numpy(False) for number in pair]
    return np.stack(has, axis=1)


def _pair_counts(bags: Bags, target: np.ndarray, source: np.ndarray, pair: list[int], units: int) -> np.ndarray:
    """Occurrences of units in the texts of each source in either label of a pair, of sources with text in both:
    float64[sources, units, 2]."""
    text = np.repeat(np.arange(len(target)), np.diff(bags.bounds))
    counts = np.zeros((source.max() + 1, units, 2))
    for side, label in enumerate(pair):
        here = target[text] == label
        np.add.at(counts, (source[text][here], bags.units[here], side), 1)
    return counts[(counts.sum(axis=1) > 0).all(axis=1)]


def calibrate(stored: Weights, probability: np.ndarray, target: np.ndarray) -> Weights:
    """The specialist with biases that make the mean probability of each label its share of held-out texts, all labels
    with texts weighing alike.

    Args:
        stored: the specialist.
        probability: float32[n, labels], by it, of texts of other sources than it was trained on.
        target: int64[n], their labels.
    """
    present = np.flatnonzero(np.bincount(target, minlength=len(stored.labels)))
    rows = np.isin(target, present) & (probability.sum(axis=1) > 0)
    scores = np.log(np.maximum(probability[rows].astype(np.float64), 1e-12))
    weight = (1 / np.bincount(target[rows], minlength=len(stored.labels)).clip(1))[target[rows]]
    shift = np.zeros(len(stored.labels))
    for _ in range(200):
        shifted = np.exp(scores + shift)
        mass = ((shifted / shifted.sum(axis=1, keepdims=True)) * weight[:, None]).sum(axis=0)
        shift[present] -= np.log(np.maximum(mass[present], 1e-9))
        shift -= shift[present].mean() if len(present) else 0
        shift[np.setdiff1d(np.arange(len(shift)), present)] = 0
    return stored._replace(bias=(stored.bias + shift).astype(np.float32))


def _words(text: pa.Array) -> pa.ListArray:
    """Lower-case units of each text, and runs of other characters."""
    return pc.utf8_split_whitespace(separate_units(normalize(text).text, Scanner()))


def _single_units(words: pa.Array) -> np.ndarray:
    """Whether each is one unit of the scan, and so no run of punctuation: bool[n]."""
    single: np.ndarray = np.diff(Scanner().scan(words).unit_bounds) == 1
    return single


def _bags(words: pa.ListArray, vocabulary: pa.Array) -> Bags:
    places = pc.index_in(words.flatten(), vocabulary).fill_null(-1).to_numpy()
    units = places >= 0
    document = np.repeat(np.arange(len(words)), pc.list_value_length(words).to_numpy())
    bounds = np.concatenate([[0], np.cumsum(np.bincount(document[units], minlength=len(words)))])
    return Bags(places[units].astype(np.int32), bounds.astype(np.int64))


def _log_shares(bags: Bags, target: np.ndarray, units: int, labels: int) -> np.ndarray:
    """Logarithms of the shares of units in the texts of each label, one added to each count, less their mean over the
    labels: float64[units, labels]."""
    label = np.repeat(target, np.diff(bags.bounds))
    counts = np.bincount(bags.units.astype(np.int64) * labels + label, minlength=units * labels).reshape(-1, labels) + 1
    shares = np.log(counts / counts.sum(axis=0))
    centred: np.ndarray = shares - shares.mean(axis=1, keepdims=True)
    return centred


@njit
def _epoch(units, bounds, target, weight, order, weights, bias, start, source, own,  # type: ignore[no-untyped-def]
           rate, decay, own_decay, done, share):  # fmt: skip
    """One pass in the given order; the rate falls from ``rate`` (1 - done) by ``rate`` share. ``own`` weights of
    sources float64[sources, units + 1, labels], their biases last, are added to the common ones where there are any."""
    scores = np.empty(len(bias))
    for step in range(len(order)):
        text = order[step]
        first, last = bounds[text], bounds[text + 1]
        if first == last:
            continue
        now = rate * (1 - done - share * step / len(order))
        scale = 1 / np.sqrt(np.float64(last - first))
        for label in range(len(bias)):
            score = bias[label]
            for i in range(first, last):
                score += weights[units[i], label] * scale
            if len(own) > 0:
                score += own[source[text], len(weights), label]
                for i in range(first, last):
                    score += own[source[text], units[i], label] * scale
            scores[label] = score
        scores -= scores.max()
        scores = np.exp(scores)
        scores /= scores.sum()
        scores[target[text]] -= 1
        for label in range(len(bias)):
            gradient = scores[label] * weight[text] * now
            bias[label] -= gradient * 0.1
            for i in range(first, last):
                unit = units[i]
                weights[unit, label] -= gradient * scale + now * decay * (weights[unit, label] - start[unit, label])
            if len(own) > 0:
                mine = own[source[text]]
                mine[len(weights), label] -= gradient * 0.1
                for i in range(first, last):
                    mine[units[i], label] -= gradient * scale + now * own_decay * mine[units[i], label]
