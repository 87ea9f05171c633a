"""The tokens of a dataset in windows of one length, as if its shards were one array: for formats with fixed samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.shards.walk import walk


def windows(directory: str | Path, length: int, most: int) -> Iterator[NDArray[np.unsignedinteger[Any]]]:
    """Windows of ``length`` tokens that follow each other, uint16/uint32[n, length], ``most`` at a time and fewer last.

    Tokens at the end that fill no window are left out: the number of tokens modulo ``length``. Raises as ``walk``.
    """
    waiting: list[NDArray[Any]] = []
    size, batch = 0, length * most
    for shard in walk(directory):
        tokens = shard.tokens
        while size + tokens.size >= batch:
            taken, tokens = tokens[: batch - size], tokens[batch - size :]
            yield np.concatenate([*waiting, taken]).reshape(-1, length)
            waiting, size = [], 0
        waiting.append(np.array(tokens))
        size += tokens.size
    if size >= length:
        yield np.concatenate(waiting)[: size // length * length].reshape(-1, length)
