"""Words and phrases as sequences of unit hashes, found again in a text by one hash-table look-up a unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from curation.text.scan import Scan, mix
from curation.text.utf8 import inline, njit

_SALT = np.uint64(0x9E3779B97F4A7C15)


def sequences(scan: Scan) -> Iterator[np.ndarray]:
    """The unit hashes uint64[units] of each scanned text."""
    for first, end in zip(scan.unit_bounds[:-1], scan.unit_bounds[1:], strict=True):
        yield scan.unit_hash[first:end]


@inline
def language_seed(language: Any) -> Any:
    """Key of the empty sequence in a language: sequences of two languages never share a key by construction."""
    return mix(np.uint64(language + 1) * _SALT)


@inline
def extend_key(key: Any, unit: Any) -> Any:
    """Key of a sequence with one more unit."""
    return mix((key * _SALT) ^ unit)


@njit
def sequence_key(units: np.ndarray, language: int) -> np.uint64:
    """Key of a sequence of unit hashes in a language (its number in `CODES`)."""
    key = language_seed(language)
    for unit in units:
        key = extend_key(key, unit)
    return key
