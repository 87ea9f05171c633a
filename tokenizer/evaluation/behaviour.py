"""How a tokenizer cuts numbers, indentation and line ends: regular text where a habit is easily seen."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from tokenizer.evaluation.subject import Subject

DIGITS = range(1, 7)
NUMBERS = 900  # of each length that are tried, evenly spaced: all of the three-digit ones
SHOWN_SPLITS = 3
SPACES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
TABS = (1, 2, 3, 4)
LINE_ENDS = (1, 2, 3, 4)


def behaviour(subject: Subject) -> dict[str, Any]:
    """``digits``: by number of digits, see `number_splits`; ``spaces``, ``tabs``: [length, tokens] of indentations of
    so many between a line end and a letter; ``newlines``, ``crlf``: of so many line ends between two letters."""
    return {
        "digits": {str(digits): number_splits(subject, digits) for digits in DIGITS},
        "spaces": _added(subject, "a\n", " ", SPACES, "a\na"),
        "tabs": _added(subject, "a\n", "\t", TABS, "a\na"),
        "newlines": _added(subject, "a", "\n", LINE_ENDS, "aa"),
        "crlf": _added(subject, "a", "\r\n", LINE_ENDS, "aa"),
    }


def number_splits(subject: Subject, digits: int) -> dict[str, Any]:
    """How numbers of so many decimal digits are cut: ``tokens`` on average, and ``splits``, lists of the lengths of the
    pieces, such as "3+1", and the share of the numbers that are cut so, the most frequent first."""
    first = 10 ** (digits - 1) if digits > 1 else 0
    numbers = np.unique(np.linspace(first, 10**digits - 1, NUMBERS).astype(np.int64))
    ids, offsets = subject.encode(pa.array(map(str, numbers), pa.large_string()))
    lengths = subject.lengths[ids].astype(str)
    splits = Counter("+".join(lengths[start:stop]) for start, stop in zip(offsets[:-1], offsets[1:], strict=True))
    shown = sorted(splits.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_SPLITS]
    return {
        "tokens": float(len(ids) / len(numbers)),
        "splits": [[split, times / len(numbers)] for split, times in shown],
    }


def _added(subject: Subject, before: str, repeated: str, lengths: tuple[int, ...], without: str) -> list[list[int]]:
    """Each of ``lengths``, and the tokens that ``repeated``, so many times before a letter, adds to ``without``."""
    texts = [without, *(f"{before}{repeated * length}a" for length in lengths)]
    _, offsets = subject.encode(pa.array(texts, pa.large_string()))
    tokens = np.diff(offsets)
    return [[length, int(number - tokens[0])] for length, number in zip(lengths, tokens[1:], strict=True)]
