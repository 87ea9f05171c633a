"""Importance weights: how much likelier a document's units are in a target set than in a raw one.

Data Selection with Importance Resampling (Xie et al. 2023, arXiv:2302.03169, section 4): units and pairs of
neighbouring units are hashed into 10,000 buckets; each set is a bag of them; the weight of a document is the sum over
its n-grams of log p(bucket | target) - log p(bucket | raw), in nats. RedPajama-v2 gives the same sum towards books,
Wikipedia and OpenWebText (``rps_doc_*_importance``). The sum grows with length; ``mean`` divides it by the n-grams.

Each language has bags of its own: a common one would measure how much of the target is in the language.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.text.scan import Scan, Scanner, mix
from curation.text.utf8 import inline, njit
from filters.quality_model import CARD, QualityError, check_model

BUCKETS = 10_000
"""Of Xie et al., section 4.1."""
WEIGHTS = "weights.npy"
KIND = "importance"
_SALT = np.uint64(0x9E3779B97F4A7C15)


def count_ngrams(scan: Scan, rows: np.ndarray, into: np.ndarray) -> None:
    """Add the n-grams of n scanned documents to the bags of their languages.

    Args:
        rows: int64[n], row of each document's language in ``into``; -1: the document is left out.
        into: int64[languages, BUCKETS].
    """
    _count(scan.unit_hash, scan.unit_bounds, rows, into)


def log_ratios(target: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Weight of one n-gram of each bucket in nats: float32[languages, BUCKETS] of two bags int64[languages, BUCKETS].

    One is added to every bucket, so that none is impossible. A choice: the paper's code adds 1e-8 to the shares, which
    lets a single unseen bucket decide.
    """
    return (_log_shares(target) - _log_shares(raw)).astype(np.float32)


def _log_shares(bags: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.log(bags + 1) - np.log(bags.sum(1, keepdims=True) + bags.shape[1])
    return shares


class ImportanceModel:
    """Weights of a few languages and the buffers to apply them: one per worker."""

    def __init__(self, languages: list[str], weights: np.ndarray, mean: bool = False) -> None:
        """``weights``: float32[languages, BUCKETS], see `log_ratios`; ``mean``: divide by the number of n-grams."""
        self._rows = {language: row for row, language in enumerate(languages)}
        self._weights, self._mean = weights, mean
        self._scanner = Scanner()

    def score(self, text: pa.Array, language: pa.Array) -> pa.FloatArray:
        """float32[n] of a (large) string array [n] of normalised text and string[n]; null for documents without units
        and languages that the model has not seen."""
        rows = np.array([self._rows.get(code, -1) for code in language.to_pylist()], np.int64)
        scan = self._scanner.scan(text)
        sums, ngrams = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
        _score(scan.unit_hash, scan.unit_bounds, rows, self._weights, sums, ngrams)
        values = sums / np.maximum(ngrams, 1) if self._mean else sums
        return pa.array(values.astype(np.float32), pa.float32(), mask=ngrams == 0)


def open_model(folder: str, mean: bool = False) -> ImportanceModel:
    """The model of a folder written by `glotmill quality importance`.

    Raises:
        FileNotFoundError: it is not there.
        QualityError: its files do not belong together, or it is a model of another kind.
    """
    check_folder(folder)
    languages = json.loads(Path(folder, CARD).read_text("utf-8"))["languages"]
    return ImportanceModel(list(languages), np.load(Path(folder, WEIGHTS)), mean)


def check_folder(folder: str) -> dict[str, str]:
    """SHA-256 by file name of what scores depend on.

    Raises:
        FileNotFoundError, QualityError: as `open_model`.
    """
    card = Path(folder, CARD)
    if not card.is_file():
        raise FileNotFoundError(f"{folder}: no folder of `glotmill quality importance` (no {CARD} in it)")
    if json.loads(card.read_text("utf-8")).get("kind") != KIND:
        raise QualityError(f"{folder}: a model of another kind; name it under 'fasttext'")
    return check_model(folder)


@inline
def _bucket(key, buckets):  # type: ignore[no-untyped-def]
    return np.int64(key % np.uint64(buckets))


@njit
def _count(unit_hash, bounds, rows, into):  # type: ignore[no-untyped-def]
    for d in range(len(rows)):
        if rows[d] < 0:
            continue
        bag = into[rows[d]]
        for i in range(bounds[d], bounds[d + 1]):
            bag[_bucket(unit_hash[i], len(bag))] += 1
            if i > bounds[d]:
                bag[_bucket(mix((unit_hash[i - 1] * _SALT) ^ unit_hash[i]), len(bag))] += 1


@njit
def _score(unit_hash, bounds, rows, weights, sums, ngrams):  # type: ignore[no-untyped-def]
    for d in range(len(rows)):
        if rows[d] < 0:
            continue
        bag, total = weights[rows[d]], 0.0
        for i in range(bounds[d], bounds[d + 1]):
            total += bag[_bucket(unit_hash[i], len(bag))]
            if i > bounds[d]:
                total += bag[_bucket(mix((unit_hash[i - 1] * _SALT) ^ unit_hash[i]), len(bag))]
        sums[d] = total
        units = bounds[d + 1] - bounds[d]
        ngrams[d] = max(2 * units - 1, 0)
