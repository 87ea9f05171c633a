"""Specialists: small linear models over the units of a text, for languages the general model takes for each other.

A specialist is a multinomial logistic regression whose features are the units of the scan, lower case: the score of a
label is the sum of its weights of the text's units, divided by the square root of their number, plus a bias. Units do
what fastText's n-grams of characters did not on Malay and Indonesian: nearly the same letters, other words.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.text.hash_table import hash_table, look_up
from curation.text.scan import Scanner
from curation.text.utf8 import frozen, njit

FOLDER = Path(__file__).with_name("models")


class Weights(NamedTuple):
    """A specialist as it is stored."""

    labels: tuple[str, ...]
    units: list[str]
    weights: np.ndarray  # int8[units, labels], in steps of `step`
    step: float
    bias: np.ndarray  # float32[labels]


class Specialist:
    """A specialist and its table of units."""

    def __init__(self, stored: Weights) -> None:
        self.labels = stored.labels
        scan = Scanner().scan(pa.array(stored.units, pa.large_string()))
        if (np.diff(scan.unit_bounds) != 1).any():
            raise ValueError("a specialist's units must each be one unit of the scan")
        rows = {int(hash_): row for row, hash_ in enumerate(scan.unit_hash)}
        self._keys, values = hash_table(rows)
        self._rows = values.astype(np.int32)
        self._weights = frozen(stored.weights.astype(np.float32) * np.float32(stored.step))
        self._bias = stored.bias.astype(np.float32)

    def probabilities(self, unit_hash: np.ndarray, bounds: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Probabilities of the labels, float32[m, labels]; zeros for texts without a unit that the specialist knows.

        Args:
            unit_hash: uint64[units], of a `Scan`.
            bounds: int64[n+1]; text t has the units [bounds[t], bounds[t+1]).
            texts: int64[m], the texts asked for.
        """
        out = np.zeros((len(texts), len(self.labels)), np.float32)
        _probabilities(unit_hash, bounds, texts, self._keys, self._rows, self._weights, self._bias, out)
        return out


@njit
def _probabilities(unit_hash, bounds, texts, keys, rows, weights, bias, out):  # type: ignore[no-untyped-def]
    for i in range(len(texts)):
        first, last, known = bounds[texts[i]], bounds[texts[i] + 1], 0
        scores = out[i]
        for unit in range(first, last):
            slot = look_up(keys, unit_hash[unit])
            if keys[slot] == 0:
                continue
            known += 1
            row = weights[rows[slot]]
            for label in range(len(scores)):
                scores[label] += row[label]
        if known == 0:
            continue
        share = np.float32(1 / np.sqrt(np.float64(last - first)))
        for label in range(len(scores)):
            scores[label] = scores[label] * share + bias[label]
        highest, total = scores.max(), np.float32(0)
        for label in range(len(scores)):
            scores[label] = np.exp(scores[label] - highest)
            total += scores[label]
        for label in range(len(scores)):
            scores[label] /= total


def save(path: Path, stored: Weights) -> None:
    np.savez_compressed(
        path, labels=np.array(stored.labels), units=np.frombuffer("\n".join(stored.units).encode(), np.uint8),
        weights=stored.weights, step=np.float64(stored.step), bias=stored.bias,
    )  # fmt: skip


def load(path: Path) -> Weights:
    """Raises ValueError where the file is none that `save` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            units = file["units"].tobytes().decode().split("\n")
            return Weights(tuple(file["labels"].tolist()), units, file["weights"], float(file["step"]), file["bias"])
    except (KeyError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no specialist of language identification: {error}") from error


def fingerprints() -> dict[str, str]:
    """SHA-256 of the files of those that come with the package."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FOLDER.glob("*.npz"))}


@lru_cache(maxsize=1)
def shipped() -> tuple[Specialist, ...]:
    """Those that come with the package."""
    return tuple(Specialist(load(path)) for path in sorted(FOLDER.glob("*.npz")))
