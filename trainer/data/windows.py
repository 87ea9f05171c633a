"""Windows of a packing plan as NumPy arrays: inputs, labels, positions, and which document each token belongs to.

A piece's inputs begin with the token before it, for the first piece of a document the end-of-text token:

    inputs   <end> d1 ... dn
    labels   d1 ... dn <end>

so every token of every document is a label exactly once, and none is predicted from another document.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from tokenizer.pretokens import END_OF_TEXT
from tokenizer.shards.reader import ShardSet
from trainer.data.packing import Plan

IGNORED = -100
"""The label that torch.nn.functional.cross_entropy skips by default."""
Integers = NDArray[np.int64]


class Samples(NamedTuple):
    """B samples of T tokens, and the pieces of documents they hold."""

    tokens: Integers  # int64[B, T]; the end-of-text token in padding
    labels: Integers  # int64[B, T]: the next token; IGNORED in padding
    positions: NDArray[np.int32]  # int32[B, T]: from 0 in each piece and in padding
    document_ids: NDArray[np.int32]  # int32[B, T]: number of the piece in its sample, -1 in padding
    cu_seqlens: NDArray[
        np.int32
    ]  # int32[pieces+paddings+1]: where each begins in the B * T tokens, as FlashAttention's
    row: Integers  # int64[pieces]: the sample of each piece
    document: Integers  # int64[pieces]: its document's number in the shards
    length: NDArray[np.int32]  # int32[pieces]: its tokens
    language: NDArray[np.uint16]  # uint16[pieces]: into ShardSet.languages
    domain: NDArray[np.uint16]  # uint16[pieces]: into ShardSet.domains
    utf8_bytes: Integers  # int64[pieces]: of the whole document, at the piece that ends it; else 0


def read_windows(shards: ShardSet, plan: Plan, windows: Integers, sequence_length: int) -> Samples:
    """These windows of a plan for T = ``sequence_length``, in this order.

    Raises:
        ShardDamaged: a block they lie in does not match its checksum; names shard, block and bytes.
        ValueError: a token is not in the tokenizer's vocabulary; names its document and place.
    """
    row, piece = pieces_of(plan, windows)
    document, start, length = plan.document[piece], plan.start[piece], plan.length[piece]
    begin = shards.document_offsets[document] + start
    led = start > 0  # the token before the piece is the document's own
    flat = shards.gather(begin - led, begin + length)
    _check_vocabulary(shards, flat, begin - led, begin + length)
    shape = (len(windows), sequence_length)
    tokens, labels = np.empty(shape, np.int64), np.empty(shape, np.int64)
    positions, ids = np.empty(shape, np.int32), np.empty(shape, np.int32)
    cu_seqlens = np.empty(len(row) + len(windows) + 1, np.int32)
    used = _lay(flat, row, length, led, end_of_text(shards), tokens, labels, positions, ids, cu_seqlens)
    meta = shards.meta[document]
    ends = begin + length == shards.document_offsets[document + 1]
    return Samples(tokens, labels, positions, ids, cu_seqlens[:used], row, document, length, meta["language"],
                   meta["domain"], np.where(ends, meta["utf8_bytes"], 0).astype(np.int64))  # fmt: skip


def pieces_of(plan: Plan, windows: Integers) -> tuple[Integers, Integers]:
    """The pieces of these windows, window by window: place of the window and number in the plan, int64[pieces] each."""
    first = plan.bounds[windows]
    count = plan.bounds[windows + 1] - first
    row = np.repeat(np.arange(len(windows)), count)
    return row, np.arange(len(row)) + (first - np.cumsum(count) + count)[row]


def end_of_text(shards: ShardSet) -> int:
    """The id of `<|endoftext|>`, from the shards' manifest.

    Raises:
        ValueError: if the manifest does not give it.
    """
    value = shards.manifest["tokenizer"].get("special_tokens", {}).get(END_OF_TEXT)
    if not isinstance(value, int):
        raise ValueError(
            f"the shards' manifest gives no id for {END_OF_TEXT} under tokenizer.special_tokens (found {value!r}): "
            "write the shards with a tokenizer that has this token"
        )
    return value


def _check_vocabulary(shards: ShardSet, flat: NDArray[np.uint32], starts: Integers, stops: Integers) -> None:
    """Raise for a token that no embedding would have: checksums only say that the tokens are those once written."""
    limit = shards.manifest["tokenizer"]["vocabulary_size"]
    if len(flat) == 0 or flat.max() < limit:
        return
    bad = int(np.flatnonzero(flat >= limit)[0])
    before = np.cumsum(stops - starts)
    piece = int(np.searchsorted(before, bad, side="right"))
    place = int(stops[piece] - before[piece] + bad)
    document = int(np.searchsorted(shards.document_offsets, place, side="right")) - 1
    raise ValueError(
        f"token {flat[bad]} at position {place:,} of the shards (document {document:,}, its token "
        f"{place - int(shards.document_offsets[document]):,}, address {int(shards.meta['address'][document])}) is "
        f"outside the vocabulary of {limit:,}: the shards were made with another tokenizer than their manifest says"
    )


@nb.njit(cache=True, nogil=True)
def _lay(flat, row, length, led, end, tokens, labels, positions, ids, bounds):  # type: ignore[no-untyped-def]
    """Lay the pieces of ``flat`` into their rows; returns how many of ``bounds`` are used."""
    rows, width = tokens.shape
    piece, at, used = 0, 0, 0
    for r in range(rows):
        place, number = 0, 0
        while piece < len(row) and row[piece] == r:
            bounds[used] = r * width + place
            used += 1
            size = length[piece]
            to = place + size
            first = end
            if led[piece]:
                first = np.int64(flat[at])
                at += 1
            text, line = flat[at : at + size], tokens[r, place:to]
            line[0] = first
            for i in range(1, size):
                line[i] = text[i - 1]
            line = labels[r, place:to]
            for i in range(size):
                line[i] = text[i]
            _count(positions[r, place:to], ids[r, place:to], number)
            at += size
            place = to
            piece += 1
            number += 1
        if place < width:
            bounds[used] = r * width + place
            used += 1
            tokens[r, place:] = end
            labels[r, place:] = IGNORED
            _count(positions[r, place:], ids[r, place:], -1)
    bounds[used] = rows * width
    return used + 1


@nb.njit(cache=True, nogil=True)
def _count(positions, ids, number):  # type: ignore[no-untyped-def]
    for i in range(len(positions)):
        positions[i] = i
        ids[i] = number
