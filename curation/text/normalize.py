"""Text normalisation: valid UTF-8, NFC, LF line ends, no control characters.

A compiled pass finds the documents that need anything done; most need nothing and are passed on without a copy. Only
the others are repaired, one by one, with Python's own codecs and `unicodedata`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.text import unicode_tables, utf8
from curation.text.unicode_tables import CHECK_NFC, REPAIR

_LINE_END = re.compile("\r\n|[" + re.escape(unicode_tables.LINE_ENDS) + "]")
_REMOVED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


class Normalized(NamedTuple):
    text: pa.LargeStringArray  # [n]
    invalid_utf8: np.ndarray  # uint32[n]: ill-formed sequences replaced by U+FFFD
    removed_characters: np.ndarray  # uint32[n]: control characters and noncharacters removed


def normalize(text: pa.Array) -> Normalized:
    """Normalise a (large) string or binary array without nulls."""
    offsets, data = utf8.buffers(text)
    flags = _inspect(offsets, data, unicode_tables.load().properties)
    invalid = np.zeros(len(text), np.uint32)
    removed = np.zeros(len(text), np.uint32)
    mask = np.zeros(len(text), bool)
    repaired = []
    for row in np.flatnonzero(flags):
        raw = data[offsets[row] : offsets[row + 1]].tobytes()
        if flags[row] & REPAIR:
            clean, invalid[row], removed[row] = normalize_bytes(raw)
        elif unicodedata.is_normalized("NFC", clean := raw.decode()):
            continue
        else:
            clean = unicodedata.normalize("NFC", clean)
        mask[row] = True
        repaired.append(clean.encode())
    merged = text.cast(pa.large_binary())
    if repaired:
        merged = pc.replace_with_mask(merged, pa.array(mask), pa.array(repaired, pa.large_binary()))
    return Normalized(merged.cast(pa.large_string()), invalid, removed)


def may_need_composing(text: pa.Array) -> np.ndarray:
    """Which texts of a (large) string array without nulls hold a character that NFC may change: bool[n]."""
    offsets, data = utf8.buffers(text)
    flagged: np.ndarray = _inspect(offsets, data, unicode_tables.load().properties) & CHECK_NFC != 0
    return flagged


def normalize_bytes(raw: bytes) -> tuple[str, int, int]:
    """One document: its normalised text, ill-formed sequences replaced, characters removed.

    Each maximal ill-formed subpart becomes one U+FFFD (Unicode 15, section 3.9, as in Python's codec).
    """
    try:
        text, invalid = raw.decode("utf-8"), 0
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        invalid = text.count("\ufffd") - raw.count(b"\xef\xbf\xbd")
    text = _LINE_END.sub("\n", text)
    text, removed = _REMOVED.subn("", text)
    return unicodedata.normalize("NFC", text), invalid, removed


@utf8.njit
def _inspect(offsets: np.ndarray, data: np.ndarray, properties: np.ndarray) -> np.ndarray:
    """uint8[n]: nonzero where a document is ill-formed or holds a character that may need normalising."""
    n = len(offsets) - 1
    flags = np.zeros(n, np.uint8)
    for d in range(n):
        i, end = offsets[d], offsets[d + 1]
        found = np.uint8(0)
        while i < end:
            if data[i] < 0x80:
                found |= properties[data[i]]
                i += 1
                continue
            length = utf8.valid_length(data, i, end)
            if length == 0:
                found = np.uint8(REPAIR)
                break
            code, i = utf8.decode(data, i)
            found |= properties[code]
        flags[d] = found & np.uint8(CHECK_NFC | REPAIR)
    return flags
