"""The compiled scanner of each pretoken pattern."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenizer.memory import inlined
from tokenizer.pretokens import (
    CL100K_PATTERN,
    GPT2_PATTERN,
    MARKS_AS_LETTERS_PATTERN,
    MARKS_AS_LETTERS_THREE_DIGITS_PATTERN,
    O200K_PATTERN,
    QWEN2_PATTERN,
)
from tokenizer.scan.classes import CASED, PLAIN, WITH_MARKS, character_classes
from tokenizer.scan.gpt2 import gpt2_end
from tokenizer.scan.o200k import o200k_end
from tokenizer.scan.qwen2 import qwen2_end

_QWEN2, _GPT2, _O200K = range(3)
_MANY = 1 << 62


class Scanner(NamedTuple):
    """What compiled code needs to know of a pattern."""

    classes: NDArray[np.uint8]  # [0x110000]: of every code point
    family: int  # the function that finds pretokens
    digits: int  # the most numeric characters in a pretoken


_SCANNERS = {
    QWEN2_PATTERN: (PLAIN, _QWEN2, 1),
    CL100K_PATTERN: (PLAIN, _QWEN2, 3),
    MARKS_AS_LETTERS_PATTERN: (WITH_MARKS, _QWEN2, 1),
    MARKS_AS_LETTERS_THREE_DIGITS_PATTERN: (WITH_MARKS, _QWEN2, 3),
    GPT2_PATTERN: (PLAIN, _GPT2, _MANY),
    O200K_PATTERN: (CASED, _O200K, 3),
}


@cache
def scanner(pattern: str) -> Scanner:
    """The scanner of ``pattern``. Raises ValueError for one that is not in `tokenizer.pretokens.PATTERNS`."""
    if pattern not in _SCANNERS:
        raise ValueError(f"The scanner knows the patterns of tokenizer.pretokens.PATTERNS, not {pattern!r}.")
    expressions, family, digits = _SCANNERS[pattern]
    return Scanner(character_classes(expressions), family, digits)


@inlined
def pretoken_end(data, start, end, scanner):  # type: ignore[no-untyped-def]
    """The index after the pretoken that starts at ``start`` in ``data[:end]``, valid UTF-8, as ``scanner`` finds it."""
    if scanner.family == _QWEN2:
        return qwen2_end(data, start, end, scanner.classes, scanner.digits)
    if scanner.family == _O200K:
        return o200k_end(data, start, end, scanner.classes, scanner.digits)
    return gpt2_end(data, start, end, scanner.classes)
