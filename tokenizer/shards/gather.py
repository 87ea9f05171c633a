"""Reading many ranges of tokens in one call: compiled copies out of blocks that lie anywhere in memory."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

njit = nb.njit(cache=True, nogil=True)
Integers = NDArray[np.int64]


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    """An address, uint64, as a pointer, so that one compiled call reads from any number of memory maps."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


@njit
def _shard_of(position: int, shard_starts: Integers, guess: int) -> int:
    """The shard that holds the token at ``position``; quick where the guess is right."""
    if shard_starts[guess] <= position < shard_starts[guess + 1]:
        return guess
    return int(np.searchsorted(shard_starts, position, side="right")) - 1


@njit
def gather(
    addresses: NDArray[np.uint64],
    shard_starts: Integers,
    first_blocks: Integers,
    block_tokens: int,
    width: int,
    starts: Integers,
    stops: Integers,
    out: NDArray[np.uint32],
) -> bool:
    """Copy the token ranges [starts, stops) of all shards joined to ``out``, one after the other.

    Args:
        addresses: uint64[blocks], where each block's tokens lie in memory; 0 for a block that may not be read yet.
        shard_starts: int64[shards+1], the first token of each shard.
        first_blocks: int64[shards+1], the first block of each shard.
        block_tokens: tokens of a block; only the last of a shard has fewer.
        width: bytes of a token, 2 or 4.
        out: uint32[sum of stops - starts].

    Returns:
        False as soon as a block is met that may not be read yet: see ``unread_blocks``.
    """
    at, shard = 0, 0
    for i in range(len(starts)):
        position = starts[i]
        while position < stops[i]:
            shard = _shard_of(position, shard_starts, shard)
            place = position - shard_starts[shard]
            address = addresses[first_blocks[shard] + place // block_tokens]
            if address == 0:
                return False
            offset = place % block_tokens
            count = min(stops[i] - position, block_tokens - offset, shard_starts[shard + 1] - position)
            target = out[at : at + count]
            first = address + np.uint64(offset * width)
            if width == 4:
                wide = nb.carray(_pointer(first), (count,), np.uint32)  # type: ignore[call-arg]
                for j in range(count):
                    target[j] = wide[j]
            else:
                narrow = nb.carray(_pointer(first), (count,), np.uint16)  # type: ignore[call-arg]
                for j in range(count):
                    target[j] = narrow[j]
            position += count
            at += count
    return True


@njit
def unread_blocks(
    addresses: NDArray[np.uint64],
    shard_starts: Integers,
    first_blocks: Integers,
    block_tokens: int,
    starts: Integers,
    stops: Integers,
) -> Integers:
    """Numbers of the blocks with address 0 that the ranges touch, int64[n], rising. Arguments as ``gather``."""
    found = [np.int64(0) for _ in range(0)]
    shard = 0
    for i in range(len(starts)):
        position = starts[i]
        while position < stops[i]:
            shard = _shard_of(position, shard_starts, shard)
            place = position - shard_starts[shard]
            block = first_blocks[shard] + place // block_tokens
            if addresses[block] == 0:
                found.append(block)
            position += min(block_tokens - place % block_tokens, shard_starts[shard + 1] - position)
    return np.unique(np.array(found, dtype=np.int64))
