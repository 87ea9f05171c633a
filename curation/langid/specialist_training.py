"""Training of a specialist: logistic regression on bags of units, by stochastic gradient descent in a fixed order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    least_count: int = 2  # texts' units below are not learnt
    most_weight: float = 3.0  # of a text of a rare label; labels weigh alike up to this
    least_difference: float = 0.15  # between the weights of two labels, for a unit to be kept
    prior: float = 2.0  # weights begin as this much of naive Bayes' (Wang and Manning 2012 combine the two otherwise)
    seed: int = 0


class Bags(NamedTuple):
    units: np.ndarray  # int32[...]: positions in a vocabulary, -1 for units that are not in it
    bounds: np.ndarray  # int64[n+1]


def train(text: pa.Array, labels: list[str], training: Training = Training()) -> Weights:  # noqa: B008
    """A specialist for the labels of n texts.

    Raises:
        ValueError: fewer than two labels, or no unit is frequent enough.
    """
    names = tuple(dict.fromkeys(sorted(labels)))
    if len(names) < 2:
        raise ValueError(f"a specialist tells languages apart; the training text has {len(names)}: {', '.join(names)}")
    words = _words(text)
    counts = pc.value_counts(words.flatten())
    frequent = pc.greater_equal(counts.field("counts"), training.least_count)
    vocabulary = counts.field("values").filter(frequent)
    vocabulary = vocabulary.take(pc.array_sort_indices(vocabulary))
    vocabulary = vocabulary.filter(pa.array(_single_units(vocabulary)))
    if len(vocabulary) == 0:
        raise ValueError(f"no unit occurs {training.least_count} times in the training text")
    target = np.array([names.index(label) for label in labels], np.int64)
    share = np.bincount(target, minlength=len(names)) / len(target)
    weight = np.minimum(1 / (len(names) * share), training.most_weight)[target]
    bags, order = _bags(words, vocabulary), np.random.default_rng(training.seed)
    weights = training.prior * _log_shares(bags, target, len(vocabulary), len(names))
    bias = np.zeros(len(names))
    for epoch in range(training.epochs):
        _epoch(bags.units, bags.bounds, target, weight, order.permutation(len(target)), weights, bias,
               training.rate, training.decay, epoch / training.epochs, 1 / training.epochs)  # fmt: skip
    weights -= weights.mean(axis=1, keepdims=True)
    kept = np.ptp(weights, axis=1) >= training.least_difference
    step = float(np.abs(weights[kept]).max(initial=1e-6) / 127)
    units = vocabulary.filter(pa.array(kept)).to_pylist()
    return Weights(names, units, np.rint(weights[kept] / step).astype(np.int8), step, bias.astype(np.float32))


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
def _epoch(units, bounds, target, weight, order, weights, bias, rate, decay, done, share):  # type: ignore[no-untyped-def]
    """One pass in the given order; the rate falls from ``rate`` (1 - done) by ``rate`` share."""
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
            scores[label] = score
        scores -= scores.max()
        scores = np.exp(scores)
        scores /= scores.sum()
        scores[target[text]] -= 1
        for label in range(len(bias)):
            gradient = scores[label] * weight[text] * now
            bias[label] -= gradient * 0.1
            for i in range(first, last):
                weights[units[i], label] -= gradient * scale + now * decay * weights[units[i], label]
