"""Reads models of fastText (Joulin et al. 2016, arXiv:1612.03651): ``.bin`` and ``.ftz`` files.

All numbers are little-endian. In order: magic number and version, arguments, dictionary with the index of the n-grams
that pruning kept, input matrix, output matrix. A quantised matrix (product quantisation, Jégou et al. 2011) is expanded
once, here.
"""

from __future__ import annotations

import mmap
import struct
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LABEL_PREFIX = "__label__"
MAGIC = 793712314
VERSIONS = (11, 12)
_SUPERVISED = 3
_CENTROIDS = 256
"""Centroids of each part of a quantised vector: its code is one byte."""


class Loss(IntEnum):
    """How the model turns a text's vector into probabilities; the values are those of the file."""

    HIERARCHICAL_SOFTMAX = 1
    NEGATIVE_SAMPLING = 2
    SOFTMAX = 3
    ONE_VS_ALL = 4


class FastTextFile(NamedTuple):
    """A supervised model as it is stored, its matrices expanded."""

    loss: Loss
    dimension: int
    min_ngram: int  # characters of the shortest and the longest character n-gram; longest 0: none
    max_ngram: int
    word_ngrams: int  # words of the longest word n-gram; 1: none
    buckets: int  # n-grams are hashed into this many
    entries: tuple[bytes, ...]  # words, then labels
    words: int  # entries that are words
    label_counts: np.ndarray  # int64[labels]: occurrences in training, falling
    kept_ngrams: np.ndarray | None  # int32[kept, 2]: bucket, and its row after the words; None: every bucket has one
    input: np.ndarray  # float32[words + rows of n-grams, dimension]
    output: np.ndarray  # float32[outputs, dimension]
    output_norms: np.ndarray  # float32[outputs]: factors of the products with the rows of the output matrix

    @property
    def labels(self) -> list[str]:
        """Labels with their prefix, as in the file; bytes that are no UTF-8 as escapes."""
        return [entry.decode("utf-8", "backslashreplace") for entry in self.entries[self.words :]]


def read_fasttext(path: str | Path) -> FastTextFile:
    """Read a supervised model of format version 11 or 12.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such model, or is cut off or damaged; the message says where.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no fastText model at {path}: name a .bin or .ftz file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: download or copy the model again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Reader(path, data).model()


class _Reader:
    """A position in the file, and errors that name it."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path, self._data, self._at = path, data, 0

    def model(self) -> FastTextFile:
        version = self._signature()
        (dimension, _, _, _, _, word_ngrams, loss, kind, buckets, min_ngram, max_ngram, _, _) = self._unpack(
            "12id", "the arguments"
        )
        if kind != _SUPERVISED:
            raise ValueError(f"{self._path} has word vectors and no labels: name a model made by supervised training")
        known = [member.value for member in Loss]
        self._check(loss in known, f"loss {loss} is none of {known}")
        self._check(dimension > 0 and word_ngrams >= 0 and buckets >= 0, "the arguments make no sense")
        if version == 11:
            max_ngram = 0  # supervised models of version 11 have no character n-grams, whatever they say
        self._check(buckets > 0 or (max_ngram <= 0 and word_ngrams <= 1), "n-grams, but no buckets for them")

        entries, words, label_counts, kept = self._dictionary(buckets)
        quantised = self._flag("the input matrix")
        self._check(quantised or kept is None, "n-grams are pruned, but the input matrix is not quantised")
        input_matrix, norms = self._matrix(quantised, "the input matrix")
        if norms is not None:
            input_matrix = input_matrix * norms[:, None]
        quantised_output = self._flag("the output matrix")
        output, norms = self._matrix(quantised and quantised_output, "the output matrix")

        ngram_rows = buckets if kept is None else int(kept[:, 1].max(initial=-1)) + 1
        for matrix, rows, what in ((input_matrix, words + ngram_rows, "input"), (output, len(label_counts), "output")):
            fits = matrix.shape[0] >= rows and matrix.shape[1] == dimension
            self._check(fits, f"the {what} matrix is {matrix.shape}, not ({rows}, {dimension})")
        return FastTextFile(
            Loss(loss), dimension, min_ngram, max_ngram, word_ngrams, buckets, entries, words, label_counts, kept,
            input_matrix, output, np.ones(len(output), np.float32) if norms is None else norms,
        )  # fmt: skip

    def _signature(self) -> int:
        advice = "name a .bin or .ftz file that fastText saved"
        if len(self._data) < 8 or self._unpack("i", "the signature")[0] != MAGIC:
            raise ValueError(f"{self._path} is no fastText model, its first bytes are {self._data[:4]!r}: {advice}")
        version = int(self._unpack("i", "the signature")[0])
        if version not in VERSIONS:
            raise ValueError(f"{self._path} has version {version} of fastText's format, known are {VERSIONS}: {advice}")
        return version

    def _dictionary(self, buckets: int) -> tuple[tuple[bytes, ...], int, np.ndarray, np.ndarray | None]:
        size, words, labels, _, pruned = self._unpack("3i2q", "the dictionary")
        self._check(words >= 0 and labels > 0 and size == words + labels, "the dictionary makes no sense")
        entries, counts = [], []
        for index in range(size):
            end = self._data.find(b"\0", self._at)
            if end < 0:
                raise self._cut_off("the dictionary")
            entries.append(self._data[self._at : end])
            self._at = end + 1
            count, is_label = self._unpack("qb", "the dictionary")
            self._check(is_label == (index >= words), f"entry {index} of the dictionary is of the wrong kind")
            counts.append(count)
        kept = None
        if pruned >= 0:
            kept = self._array(np.int32, 2 * pruned, "the index of n-grams").reshape(-1, 2)
            buckets_once = len(np.unique(kept[:, 0])) == pruned and kept[:, 0].max(initial=-1) < buckets
            self._check(bool(buckets_once and (kept >= 0).all()), "the index of n-grams makes no sense")
        return tuple(entries), words, np.array(counts[words:], np.int64), kept

    def _matrix(self, quantised: bool, what: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows float32[rows, columns], and their norms float32[rows] where these are stored apart."""
        if not quantised:
            rows, columns = self._unpack("2q", what)
            self._check(rows >= 0 and columns > 0, f"{what} has shape ({rows}, {columns})")
            return self._array(np.float32, rows * columns, what).reshape(rows, columns), None
        has_norms = self._flag(what)
        rows, columns, size = self._unpack("2qi", what)
        codes = self._array(np.uint8, size, what)
        vectors = self._quantised(codes, rows, columns, what)
        if not has_norms:
            return vectors, None
        norm_codes = self._array(np.uint8, rows, what)
        return vectors, self._quantised(norm_codes, rows, 1, what)[:, 0]

    def _quantised(self, codes: np.ndarray, rows: int, columns: int, what: str) -> np.ndarray:
        """Expand codes uint8[rows * parts] with the centroids that follow in the file: float32[rows, columns]."""
        dimension, parts, width, last = self._unpack("4i", what)
        sound = parts > 0 and dimension == columns == (parts - 1) * width + last and len(codes) == rows * parts
        self._check(sound, f"the quantisation of {what} makes no sense")
        centroids = self._array(np.float32, dimension * _CENTROIDS, what)
        vectors = np.empty((rows, columns), np.float32)
        for part, code in enumerate(codes.reshape(rows, parts).T):
            first, size = part * width, last if part == parts - 1 else width
            table = centroids[first * _CENTROIDS : (first + size) * _CENTROIDS].reshape(_CENTROIDS, size)
            vectors[:, first : first + size] = table[code]
        return vectors

    def _flag(self, what: str) -> bool:
        (flag,) = self._unpack("B", what)
        self._check(flag in (0, 1), f"the mark before {what} is {flag}, not 0 or 1")
        return bool(flag)

    def _unpack(self, layout: str, what: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self._take(struct.calcsize("<" + layout), what))

    def _array(self, dtype: Any, count: int, what: str) -> np.ndarray:
        self._check(count >= 0, f"{what} has {count} values")
        return np.frombuffer(self._take(count * np.dtype(dtype).itemsize, what), np.dtype(dtype).newbyteorder("<"))

    def _take(self, size: int, what: str) -> bytes:
        if self._at + size > len(self._data):
            raise self._cut_off(what)
        self._at += size
        return self._data[self._at - size : self._at]

    def _cut_off(self, what: str) -> ValueError:
        return ValueError(
            f"{self._path} is cut off: it ends after {len(self._data):,} bytes, in {what}; download or copy it again"
        )

    def _check(self, sound: bool, problem: str) -> None:
        if not sound:
            raise ValueError(
                f"{self._path}, before byte {self._at:,}: {problem}; the file is damaged, download or copy it again"
            )
