"""Text classification with fastText models in compiled code: documents, or parts of them such as lines, by the batch.

Labels and probabilities are those of the package `fasttext`. They depend on the text alone: neither the cache of tokens
nor the order of the texts changes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.langid import fasttext_kernel, fasttext_output
from curation.langid.fasttext_file import read_fasttext
from curation.text import utf8
from curation.text.utf8 import frozen, njit


class Predictions(NamedTuple):
    """The most probable labels of n texts, best first; where a text has fewer than k, -1 and 0."""

    labels: np.ndarray  # int32[n, k]: positions in Classifier.labels
    probabilities: np.ndarray  # float32[n, k]


class Classifier:
    """A supervised fastText model and its working memory; one for each thread.

    A text is one line to the model: newlines in it count as spaces, and the end-of-line token follows it.
    """

    def __init__(self, path: str | Path) -> None:
        """Load a ``.bin`` or ``.ftz`` file.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no supervised model of fastText, or is damaged.
        """
        model = read_fasttext(path)
        self.labels = model.labels
        """Labels with their prefix, ``__label__`` unless it was trained with another; position = label id."""
        self._vocabulary, self._input = fasttext_kernel.vocabulary(model)
        self._output = fasttext_output.output_layer(model)
        self._hidden = np.zeros(self._input.shape[1], np.float32)
        self._subtrees: dict[bytes, fasttext_output.Subtree] = {}
        self._longest = 1 << 12
        self._scratch = fasttext_kernel.scratch(self._vocabulary, self._longest)

    def documents(
        self, text: pa.Array, k: int = 1, restricted: np.ndarray | None = None, characters: int | None = None
    ) -> Predictions:
        """Classify string[n] without nulls, or the first ``characters`` code points of each.

        ``restricted``: see `spans`.
        """
        offsets, data = utf8.buffers(text)
        starts, stops = offsets[:-1], offsets[1:]
        if characters is not None:
            stops = head_stops(offsets, frozen(data), characters)
        return self._classify(data, starts, stops, k, restricted)

    def spans(
        self,
        text: pa.Array,
        bounds: np.ndarray,
        start: np.ndarray,
        stop: np.ndarray,
        k: int = 1,
        restricted: np.ndarray | None = None,
    ) -> Predictions:
        """Classify parts of documents, such as the lines of a `curation.text.scan.Scan`.

        Args:
            text: string[n] without nulls.
            bounds: int64[n+1]; document d has the spans [bounds[d], bounds[d+1]).
            start: int[spans]; first byte of each span, counted from the start of its document.
            stop: int[spans]; the byte after its last. Spans begin and end between characters.
            k: how many labels of each span.
            restricted: ids of the labels that come into question, each once. Their probabilities are then conditional:
                softmax over these labels; with hierarchical softmax the probabilities of their leaves divided by their
                sum. The losses with one sigmoid a label (negative sampling, one-vs-all) keep the probabilities.

        Raises:
            ValueError: ``k`` is not positive, or ``restricted`` is empty, repeats a label or names one that is not.
        """
        offsets, data = utf8.buffers(text)
        first = np.repeat(offsets[:-1], np.diff(bounds))
        return self._classify(data, first + start, first + stop, k, restricted)

    def _classify(
        self, data: np.ndarray, starts: np.ndarray, stops: np.ndarray, k: int, restricted: np.ndarray | None
    ) -> Predictions:
        if k < 1:
            raise ValueError(f"k is {k}: at least one label must be asked for")
        chosen = np.empty(0, np.int32) if restricted is None else self._chosen(restricted)
        key = chosen.tobytes()
        if key not in self._subtrees:
            self._subtrees[key] = fasttext_output.subtree(self._output, chosen)
        found = Predictions(np.full((len(starts), k), -1, np.int32), np.zeros((len(starts), k), np.float32))
        longest = int((stops - starts).max(initial=0))
        if longest > self._longest:
            self._longest = 2 * longest
            self._scratch = fasttext_kernel.scratch(self._vocabulary, self._longest)
        width = min(k, len(self.labels) if restricted is None else len(chosen))
        _classify(frozen(data), frozen(starts), frozen(stops), self._vocabulary, self._input, self._scratch,
                  self._hidden, self._output, chosen, self._subtrees[key], width, *found)  # fmt: skip
        return found

    def _chosen(self, restricted: np.ndarray) -> np.ndarray:
        chosen = np.unique(np.asarray(restricted, np.int32))
        known = len(chosen) > 0 and chosen[0] >= 0 and chosen[-1] < len(self.labels)
        if not known or len(chosen) < len(restricted):
            raise ValueError(
                f"restricted = {list(restricted)}: give ids from 0 to {len(self.labels) - 1}, each once, at least 1"
            )
        return chosen


@njit
def head_stops(offsets, data, characters):  # type: ignore[no-untyped-def]
    """The byte after the first ``characters`` code points of each document, or after its last: int64[n]."""
    stops = np.empty(len(offsets) - 1, np.int64)
    for d in range(len(stops)):
        at, end, seen = offsets[d], offsets[d + 1], 0
        while at < end:
            seen += data[at] & 0xC0 != 0x80
            if seen > characters:
                break
            at += 1
        stops[d] = at
    return stops


@njit
def _classify(data, starts, stops, vocabulary, matrix, scratch, hidden, output, chosen, tree, k,  # type: ignore[no-untyped-def]
              labels, probabilities):  # fmt: skip
    for i in range(len(starts)):
        if fasttext_kernel.text_vector(data, starts[i], stops[i], vocabulary, matrix, scratch, hidden) > 0:
            if len(chosen) == 0:
                fasttext_output.best_labels(hidden, output, k, labels[i], probabilities[i])
            else:
                fasttext_output.best_restricted(hidden, output, chosen, tree, k, labels[i], probabilities[i])
