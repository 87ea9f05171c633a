"""MinHash signatures and LSH bands over unit shingles, bit-identical to `datasketch.MinHash(scheme="affine32")`.

A shingle is ``shingle`` consecutive units; a shorter document is one shingle. A shingle's 32-bit hash x is pre-mixed
with MurmurHash3's finaliser and permuted as ``a*x + b mod 2**32`` with datasketch's own constants (datasketch 2.0,
issue 212 there); the signature is the minimum per permutation (Broder 1997). A band is a hash of ``rows`` consecutive
signature values: documents at Jaccard similarity s share at least one of b bands with probability 1 - (1 - s**r)**b
(Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

from functools import lru_cache

import datasketch
import numpy as np

from curation.recipe import MinHash
from curation.text.scan import Scan, mix
from curation.text.utf8 import njit

_SALT = np.uint64(0x9E3779B97F4A7C15)


@lru_cache(maxsize=8)
def permutations(count: int, seed: int) -> np.ndarray:
    """datasketch's constants a, b: uint32[2, count]."""
    constants: np.ndarray = datasketch.MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    return np.ascontiguousarray(constants)


def shingle_hashes(scan: Scan, shingle: int) -> tuple[np.ndarray, np.ndarray]:
    """32-bit hashes of all shingles of the batch: uint32[shingles] and their bounds int64[n+1]."""
    units = np.diff(scan.unit_bounds)
    bounds = np.concatenate([[0], np.cumsum(np.where(units > 0, np.maximum(units - shingle + 1, 1), 0))])
    out = np.empty(bounds[-1], np.uint32)
    _shingles(scan.unit_hash, scan.unit_bounds, bounds, shingle, out)
    return out, bounds


def signatures(scan: Scan, parameters: MinHash) -> np.ndarray:
    """uint32[n, bands * rows]; a document without units keeps datasketch's empty value 2**32 - 1."""
    constants = permutations(parameters.bands * parameters.rows, parameters.seed)
    hashes, bounds = shingle_hashes(scan, parameters.shingle)
    out = np.full((len(bounds) - 1, constants.shape[1]), 0xFFFFFFFF, np.uint32)
    _minima(hashes, bounds, constants[0], constants[1], out)
    return out


def band_hashes(signature: np.ndarray, bands: int) -> np.ndarray:
    """uint64[n, bands] of signatures uint32[n, bands * rows]; the band's number is part of its hash."""
    n, values = signature.shape
    out = np.empty((n, bands), np.uint64)
    _bands(signature.reshape(n, bands, values // bands), out)
    return out


def catch_probability(similarity: float, bands: int, rows: int) -> float:
    """Probability that two documents at this Jaccard similarity share a band."""
    return float(1 - (1 - similarity**rows) ** bands)


def sketches(signature: np.ndarray) -> np.ndarray:
    """The low byte of every signature value: uint8[n, values]. A quarter of the size, enough to verify candidates."""
    low: np.ndarray = (signature & np.uint32(0xFF)).astype(np.uint8)
    return low


def sketch_similarity(equal: np.ndarray, values: int) -> np.ndarray:
    """Jaccard similarity estimated from the number of equal bytes of two sketches of ``values`` bytes.

    Bytes of different minima are equal by chance with probability 1/256 (b-bit minwise hashing, Li and König 2010,
    arXiv:0910.3349, with b = 8 and sets far smaller than the hash range).
    """
    estimate: np.ndarray = np.clip((equal / values - 1 / 256) / (1 - 1 / 256), 0, 1)
    return estimate


@njit
def _shingles(unit_hash, unit_bounds, bounds, shingle, out):  # type: ignore[no-untyped-def]
    for d in range(len(bounds) - 1):
        first, end = unit_bounds[d], unit_bounds[d + 1]
        for s in range(bounds[d + 1] - bounds[d]):
            key = np.uint64(0)
            for i in range(first + s, min(first + s + shingle, end)):
                key = mix((key * _SALT) ^ unit_hash[i])
            out[bounds[d] + s] = np.uint32(key >> np.uint64(32))


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
