"""How varied a text is: entropy of its characters, compressed size. (Its units: `filters.repetition`.)"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import zstandard

from curation.text import utf8
from filters.repetition import LOGARITHMS, logarithm

COMPRESSION_LEVEL = -1
"""Of zstd. Only the comparison of documents matters; level 1 takes a fifth longer, level 3 half as long again."""
_AT_ONCE = 1 << 20
_ASCII, _CODE_POINTS = 0x80, 0x110000


class StatisticsCounter:
    """Computes the signals batch by batch, reusing its tables."""

    def __init__(self) -> None:
        self._occurrences = np.zeros(_CODE_POINTS, np.int32)
        self._seen = np.empty(_CODE_POINTS, np.int32)
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_content_size=False)

    def compute(self, text: pa.Array) -> dict[str, np.ndarray]:
        """float64[n] each, of n documents."""
        offsets, data = utf8.buffers(text)
        characters = np.zeros(len(text))
        _character_entropy(offsets, data, LOGARITHMS, self._occurrences, self._seen, characters)
        return {"character_entropy": characters, "compression_ratio": self._compressed(offsets, data)}

    def _compressed(self, offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
        """Compressed bytes over bytes of each document, 1 for an empty one."""
        size = np.diff(offsets)
        out = np.ones(len(size))
        filled = np.flatnonzero(size)
        segments = np.stack([offsets[:-1][filled], size[filled]], 1).astype(np.uint64)
        # A call for a megabyte or so: one for each document costs time, one for all the memory of all their results.
        cuts = np.flatnonzero(np.diff(np.cumsum(size[filled]) // _AT_ONCE)) + 1
        for documents, rows in zip(np.split(filled, cuts), np.split(segments, cuts), strict=True):
            if len(documents):
                buffers = zstandard.BufferWithSegments(memoryview(data), rows.tobytes())  # type: ignore[arg-type]
                compressed = self._compressor.multi_compress_to_buffer(buffers, threads=1)
                out[documents] = np.array([len(compressed[i]) for i in range(len(compressed))]) / size[documents]
        return out


@utf8.njit
def _character_entropy(offsets, data, logarithms, occurrences, seen, out):  # type: ignore[no-untyped-def]
    """Entropy of the code points of each document, in bits. ``occurrences`` is all zero before and after; ``seen`` is
    scratch of the same size."""
    for d in range(len(offsets) - 1):
        i, end, n, different = offsets[d], offsets[d + 1], 0, 0
        while i < end:
            if data[i] < _ASCII:
                occurrences[data[i]] += 1
                i += 1
                n += 1
                continue
            code, i = utf8.decode(data, i)
            if occurrences[code] == 0:
                seen[different] = code
                different += 1
            occurrences[code] += 1
            n += 1
        if n == 0:
            continue
        weighted = 0.0
        for code in range(_ASCII):
            if occurrences[code] > 0:
                weighted += occurrences[code] * logarithm(logarithms, occurrences[code])
                occurrences[code] = 0
        for j in range(different):
            weighted += occurrences[seen[j]] * logarithm(logarithms, occurrences[seen[j]])
            occurrences[seen[j]] = 0
        out[d] = max(np.log(n) - weighted / n, 0.0) / np.log(2.0)
