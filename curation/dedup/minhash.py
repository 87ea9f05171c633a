"""MinHash signatures and LSH bands over unit shingles, bit-identical to `datasketch.MinHash(scheme="affine32")`.

A shingle is a number of consecutive units that depends on the script of the document (`shingle_lengths`); a shorter
document is one shingle. A shingle's 32-bit hash x is pre-mixed
with MurmurHash3's finaliser and permuted as ``a*x + b mod 2**32`` with datasketch's own constants (datasketch 2.0,
issue 212 there); the signature is the minimum per permutation (Broder 1997). A band is a hash of ``rows`` consecutive
signature values: documents at Jaccard similarity s share at least one of b bands with probability 1 - (1 - s**r)**b
(Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

from functools import lru_cache

import datasketch
import numpy as np
import pyarrow as pa

from curation.recipe_dedup import MinHash
from curation.text import utf8
from curation.text.scan import Scan, mix
from curation.text.utf8 import njit

_SALT = np.uint64(0x9E3779B97F4A7C15)
CHARACTER_SHINGLE, CLUSTER_SHINGLE = 7 / 5, 13 / 5
"""Units of a shingle for one of a spaced script, where units are Han characters and runs of kana, and where they are
clusters (Thai, Lao, Khmer, Burmese). An edit of one word changes n shingles of n words, or n + m - 1 of n units where a
word has m: as large a share of the document when n units = (n - 1) * m + 1. The Universal Declaration has 1.44 units in
Chinese and 1.55 in Japanese for one of English, 2.5 to 3.2 in the others; with 5 words that is 7 and 13 units."""


@lru_cache(maxsize=8)
def permutations(count: int, seed: int) -> np.ndarray:
    """datasketch's constants a, b: uint32[2, count]."""
    constants: np.ndarray = datasketch.MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    return np.ascontiguousarray(constants)


def shingle_lengths(text: pa.Array, scan: Scan, shingle: int) -> np.ndarray:
    """Units of a shingle in each of n documents, by the script of most of its units: int64[n].

    Args:
        text: the documents, string array [n].
        scan: of the same documents.
        shingle: units of a shingle in scripts that part words by spaces.
    """
    lengths = np.full(len(text), shingle)
    rows = np.flatnonzero(2 * scan.column("unspaced_units") > scan.column("units"))
    if len(rows) and shingle > 1:
        clusters = _writes_clusters(*utf8.buffers(text), rows)
        lengths[rows] = np.where(clusters, round(shingle * CLUSTER_SHINGLE), round(shingle * CHARACTER_SHINGLE))
    return lengths


def shingle_hashes(text: pa.Array, scan: Scan, shingle: int) -> tuple[np.ndarray, np.ndarray]:
    """32-bit hashes of all shingles of n documents: uint32[shingles] and their bounds int64[n+1]."""
    lengths = shingle_lengths(text, scan, shingle)
    units = np.diff(scan.unit_bounds)
    bounds = np.concatenate([[0], np.cumsum(np.where(units > 0, np.maximum(units - lengths + 1, 1), 0))])
    out = np.empty(bounds[-1], np.uint32)
    _shingles(scan.unit_hash, scan.unit_bounds, bounds, lengths, out)
    return out, bounds


def signatures(text: pa.Array, scan: Scan, parameters: MinHash) -> np.ndarray:
    """uint32[n, bands * rows]; a document without units keeps datasketch's empty value 2**32 - 1."""
    constants = permutations(parameters.bands * parameters.rows, parameters.seed)
    hashes, bounds = shingle_hashes(text, scan, parameters.shingle)
    out = np.full((len(bounds) - 1, constants.shape[1]), 0xFFFFFFFF, np.uint32)
    _minima(hashes, bounds, constants[0], constants[1], out)
    return out


def shingle_sets(text: pa.Array, scan: Scan, shingle: int) -> pa.ListArray:
    """The sorted set of shingle hashes of each document: list<uint32>[n]."""
    hashes, bounds = shingle_hashes(text, scan, shingle)
    ends = np.zeros(len(bounds), np.int64)
    kept = _sort_sets(hashes, bounds, ends)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(hashes[:kept]))


def band_hashes(signature: np.ndarray, bands: int) -> np.ndarray:
    """uint64[n, bands] of signatures uint32[n, bands * rows]; the band's number is part of its hash."""
    n, values = signature.shape
    out = np.empty((n, bands), np.uint64)
    _bands(signature.reshape(n, bands, values // bands), out)
    return out


def band_lists(signature: np.ndarray, bands: int, known: np.ndarray) -> pa.ListArray:
    """The bands of each document, list<uint64>[n]; empty where ``known``, bool[n], is false."""
    hashes = band_hashes(signature, bands)[known].ravel()
    ends = np.concatenate([[0], np.cumsum(known * bands)])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(hashes))


def catch_probability(similarity: float, bands: int, rows: int) -> float:
    """Probability that two documents at this Jaccard similarity share a band."""
    return float(1 - (1 - similarity**rows) ** bands)


def sketches(signature: np.ndarray) -> pa.BinaryArray:
    """The low byte of every signature value, binary[n]. A quarter of the size, enough to verify candidates."""
    low = (signature & np.uint32(0xFF)).astype(np.uint8)
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(low.shape[1]), len(low), [None, pa.py_buffer(low)])
    return fixed.cast(pa.binary())


def sketch_similarity(equal: np.ndarray, values: int) -> np.ndarray:
    """Jaccard similarity estimated from the number of equal bytes of two sketches of ``values`` bytes.

    Bytes of different minima are equal by chance with probability 1/256 (b-bit minwise hashing, Li and König 2010,
    arXiv:0910.3349, with b = 8 and sets far smaller than the hash range).
    """
    estimate: np.ndarray = np.clip((equal / values - 1 / 256) / (1 - 1 / 256), 0, 1)
    return estimate


@njit
def _writes_clusters(offsets, data, rows):  # type: ignore[no-untyped-def]
    """Whether a document has more characters of U+0800 to 1FFF (Thai, Lao, Burmese, Khmer) than of U+3000 to 9FFF
    (kana, Han), by the first bytes of their UTF-8: bool[rows]."""
    out = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        clusters = characters = 0
        for at in range(offsets[rows[i]], offsets[rows[i] + 1]):
            clusters += (data[at] == 0xE0) | (data[at] == 0xE1)
            characters += (data[at] >= 0xE3) & (data[at] <= 0xE9)
        out[i] = clusters > characters
    return out


@njit
def _shingles(unit_hash, unit_bounds, bounds, lengths, out):  # type: ignore[no-untyped-def]
    for d in range(len(bounds) - 1):
        first, end = unit_bounds[d], unit_bounds[d + 1]
        for s in range(bounds[d + 1] - bounds[d]):
            key = np.uint64(0)
            for i in range(first + s, min(first + s + lengths[d], end)):
                key = mix((key * _SALT) ^ unit_hash[i])
            out[bounds[d] + s] = np.uint32(key >> np.uint64(32))


@njit
def _sort_sets(hashes, bounds, ends):  # type: ignore[no-untyped-def]
    """Replace the hashes of each document by its sorted set, one document after the other; ends[d+1] is its end."""
    kept = 0
    for d in range(len(bounds) - 1):
        ordered = np.sort(hashes[bounds[d] : bounds[d + 1]])
        for i in range(len(ordered)):
            if i == 0 or ordered[i] != ordered[i - 1]:
                hashes[kept] = ordered[i]
                kept += 1
        ends[d + 1] = kept
    return kept


@njit
def _minima(hashes, bounds, a, b, out):  # type: ignore[no-untyped-def]
    count = len(a)
    for d in range(len(bounds) - 1):
        minima = out[d]
        for s in range(bounds[d], bounds[d + 1]):
            x = hashes[s]
            x ^= x >> np.uint32(16)
            x = np.uint32(x * np.uint32(0x85EBCA6B))
            x ^= x >> np.uint32(13)
            x = np.uint32(x * np.uint32(0xC2B2AE35))
            x ^= x >> np.uint32(16)
            for p in range(count):
                minima[p] = min(minima[p], np.uint32(np.uint32(a[p] * x) + b[p]))


@njit
def _bands(signature, out):  # type: ignore[no-untyped-def]
    n, bands, rows = signature.shape
    for d in range(n):
        for band in range(bands):
            key = np.uint64(band + 1)
            for row in range(rows):
                key = mix((key * _SALT) ^ np.uint64(signature[d, band, row]))
            out[d, band] = key
