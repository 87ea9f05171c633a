"""Training windows and evaluation batches from a set of token shards.

Documents lie one after another, each ending in `<|endoftext|>`. That token has two parts to play: it is the last
label of the document it ends and the first input of the document after it. So a document d1 ... dn <end> is always
learned and always scored as

    inputs   <end> d1 ... dn
    labels   d1 ... dn <end>

which makes every token a label once and never predicts a document from its neighbour.

Training cuts the concatenated tokens into windows of T + 1 that overlap by one token: 100% of each row is used, and
documents are cut at row ends. Window order is a new permutation every epoch. Sample number g alone decides what
sample g is, so the loader has no state: resuming is asking for the next number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainer.data.permutation import permute, round_keys

IGNORED = -100  # the label value that torch.nn.functional.cross_entropy skips by default
END_OF_TEXT = "<|endoftext|>"
Integers = npt.NDArray[np.int64]


class TokenSource(Protocol):
    """What training needs of a set of token shards; `tokenizer.shards.reader.open_shards` returns one."""

    @property
    def num_documents(self) -> int: ...

    @property
    def num_tokens(self) -> int: ...

    @property
    def document_offsets(self) -> Integers:
        """int64 (num_documents + 1,): document i is tokens [offsets[i], offsets[i + 1]) of all shards joined."""
        ...

    @property
    def meta(self) -> npt.NDArray[Any]:
        """(num_documents,) records; used here: `language` and `domain` (table indices), `utf8_bytes`, `address`."""
        ...

    @property
    def languages(self) -> Sequence[str]: ...

    @property
    def domains(self) -> Sequence[str]: ...

    @property
    def manifest(self) -> Mapping[str, Any]:
        """`manifest["tokenizer"]` has `fingerprint`, `vocabulary_size` and `special_tokens`, token -> id."""
        ...

    @property
    def fingerprint(self) -> str: ...

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint32]: ...


@dataclass(frozen=True)
class Batch:
    """Four int64 tensors (B, T).

    `labels` is the next token or -100; `positions` count from 0 inside each document; `document_ids` tell documents
    of one row apart.
    """

    tokens: Tensor
    labels: Tensor
    positions: Tensor
    document_ids: Tensor

    def to(self, device: torch.device) -> "Batch":
        tensors = (self.tokens, self.labels, self.positions, self.document_ids)
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))

    def split(self, parts: int) -> list["Batch"]:
        """Cuts the rows into `parts` batches of equal size, in order."""
        tensors = (self.tokens, self.labels, self.positions, self.document_ids)
        return [Batch(*cut) for cut in zip(*(tensor.chunk(parts) for tensor in tensors), strict=True)]

    @property
    def num_labels(self) -> int:
        return int((self.labels != IGNORED).sum())


@dataclass(frozen=True)
class Windows:
    """All training windows of `source`: window w is tokens [w T, w T + T], so labels never repeat.

    Args:
        sequence_length: T, inputs per row.
        seed: decides the order of windows in every epoch.
        vocab_size: rows of the model's embedding; every token is checked against it.

    Raises:
        ValueError: if the source is shorter than one window.
    """

    source: TokenSource
    sequence_length: int
    seed: int
    vocab_size: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(
                f"the training shards hold {self.source.num_tokens:,} tokens, fewer than one window of "
                f"sequence_length + 1 = {self.sequence_length + 1:,}: add text or shorten sequence_length"
            )

    @property
    def count(self) -> int:
        """Windows per epoch. Never labels: the very first token of the shards, and up to T - 1 at their end."""
        return (self.source.num_tokens - 1) // self.sequence_length

    def window(self, sample: int) -> int:
        """The window that sample number `sample` (0, 1, 2, ... over all epochs) shows."""
        epoch, ordinal = divmod(sample, self.count)
        return permute(ordinal, self.count, round_keys(self.seed, epoch))

    def row(self, sample: int) -> tuple[Integers, Integers, Integers, Integers]:
        """Tokens, labels, positions and document ids of one sample, each int64 (T,).

        Raises:
            ValueError: if a token is outside the vocabulary.
        """
        start = self.window(sample) * self.sequence_length
        tokens = read_tokens(self.source, start, start + self.sequence_length + 1, self.vocab_size)
        inputs, labels = tokens[:-1], tokens[1:].copy()
        where = np.arange(start, start + len(tokens))
        document = np.searchsorted(self.source.document_offsets, where, side="right") - 1
        leaves = document[1:] != document[:-1]  # the label begins another document
        opens = leaves & (inputs == end_of_text(self.source))
        labels[leaves & ~opens] = IGNORED  # no <|endoftext|> between the two: nothing to predict the label from
        ids = np.where(opens, document[1:], document[:-1])
        return inputs, labels, positions_within(ids), ids - ids[0]

    def batch(self, first: int, rows: int) -> Batch:
        """Samples first, first + 1, ..., first + rows - 1."""
        columns = zip(*(self.row(sample) for sample in range(first, first + rows)), strict=True)
        return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))


def evaluation_batches(
    source: TokenSource, documents: Sequence[int], sequence_length: int, rows: int, vocab_size: int
) -> Iterator[tuple[Batch, Integers]]:
    """Every token of the given documents as a label exactly once, packed into batches.

    A document longer than `sequence_length` is cut into pieces, each piece seeing only itself and the token before
    it. Pieces fill rows in order and never span two rows.

    Yields:
        A batch of at most `rows` rows, and the int64 (B, T) document number of every label (-1 where padded).
    """
    full: list[list[_Piece]] = []
    current: list[_Piece] = []
    used = 0
    for piece in _pieces(source, documents, sequence_length, vocab_size):
        if used + len(piece.labels) > sequence_length:
            full.append(current)
            current, used = [], 0
            if len(full) == rows:
                yield _pack(full, sequence_length, end_of_text(source))
                full = []
        current.append(piece)
        used += len(piece.labels)
    if current:
        yield _pack([*full, current], sequence_length, end_of_text(source))


@dataclass(frozen=True)
class _Piece:
    document: int
    inputs: Integers
    labels: Integers


def _pieces(source: TokenSource, documents: Sequence[int], length: int, vocab_size: int) -> Iterator[_Piece]:
    offsets, end = source.document_offsets, end_of_text(source)
    for document in documents:
        labels = read_tokens(source, int(offsets[document]), int(offsets[document + 1]), vocab_size)
        inputs = np.concatenate((np.array([end], dtype=np.int64), labels[:-1]))
        for cut in range(0, len(labels), length):
            yield _Piece(document, inputs[cut : cut + length], labels[cut : cut + length])


def _pack(rows: list[list[_Piece]], length: int, padding: int) -> tuple[Batch, Integers]:
    shape = (len(rows), length)
    tokens, labels = np.full(shape, padding), np.full(shape, IGNORED)
    ids, owners = np.full(shape, -1), np.full(shape, -1)
    for row, pieces in enumerate(rows):
        start = 0
        for number, piece in enumerate(pieces):
            cells = row, slice(start, start + len(piece.labels))
            tokens[cells], labels[cells] = piece.inputs, piece.labels
            ids[cells], owners[cells] = number, piece.document
            start += len(piece.labels)
    positions = np.stack([positions_within(row) for row in ids])
    return Batch(*map(torch.from_numpy, (tokens, labels, positions, ids))), owners


def positions_within(ids: Integers) -> Integers:
    """Distance from the start of each run of equal ids: [7, 7, 7, 8, 8] -> [0, 1, 2, 0, 1]."""
    where = np.arange(len(ids))
    starts = np.concatenate(([True], ids[1:] != ids[:-1]))
    return where - np.maximum.accumulate(np.where(starts, where, 0))


def end_of_text(source: TokenSource) -> int:
    """The id of `<|endoftext|>`, from the shards' manifest.

    Raises:
        ValueError: if the manifest does not give it.
    """
    value = source.manifest["tokenizer"].get("special_tokens", {}).get(END_OF_TEXT)
    if not isinstance(value, int):
        raise ValueError(
            f"the shards' manifest gives no id for {END_OF_TEXT} under tokenizer.special_tokens (found {value!r}): "
            "write the shards with a tokenizer that has this token"
        )
    return value


def read_tokens(source: TokenSource, start: int, stop: int, vocab_size: int) -> Integers:
    """Reads tokens [start, stop) as int64 and checks them before they reach an embedding.

    Raises:
        ValueError: naming the first token that is not below `vocab_size`, its document and its place.
    """
    tokens = source.read(start, stop).astype(np.int64)
    bad = np.flatnonzero(tokens >= vocab_size)
    if bad.size:
        place = start + int(bad[0])
        document = int(np.searchsorted(source.document_offsets, place, side="right")) - 1
        raise ValueError(
            f"token {tokens[bad[0]]} at position {place:,} of the shards (document {document:,}, its token "
            f"{place - int(source.document_offsets[document]):,}, address {int(source.meta['address'][document])}) is "
            f"outside the model's vocabulary of {vocab_size:,}: the shards were damaged or made with another tokenizer"
        )
    return tokens
