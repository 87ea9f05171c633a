"""What a tokenizer makes of a body of text, counted once: every figure on text is computed from these counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.text import utf8
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from curation.text.unit_spans import unit_spans
from tokenizer.evaluation.subject import Subject


@dataclass(frozen=True)
class Text:
    """Documents in NFC, and what the scan knows of them."""

    text: pa.LargeStringArray  # [n]
    offsets: NDArray[np.int64]  # [n+1]: where each document begins and ends in the bytes of all
    characters: int
    unit_start: NDArray[np.int64]  # [units]: in the bytes of all
    unit_stop: NDArray[np.int64]
    unit_bounds: NDArray[np.int64]  # [n+1]

    @property
    def utf8_bytes(self) -> int:
        return int(self.offsets[-1])


def measured(documents: Sequence[str] | pa.Array, scanner: Scanner | None = None) -> Text:
    """Normalise and scan ``documents``, n texts without nulls."""
    column = documents if isinstance(documents, pa.Array) else pa.array(documents, pa.large_string())
    text = normalize(column).text
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    scan = (scanner or Scanner()).scan(text)
    offsets, _ = utf8.buffers(text)
    start, stop = unit_spans(text, scan)
    return Text(text, offsets - offsets[0], int(scan.column("characters").sum()), start, stop, scan.unit_bounds.copy())


@dataclass(frozen=True)
class Usage:
    """Counts over some documents. Units are those of `curation.text.scan`: words where words are written apart."""

    documents: int
    utf8_bytes: int
    characters: int
    units: int
    tokens: NDArray[np.int64]  # [vocabulary_size]: how often each occurs
    traced_units: int
    """Units of documents whose tokens add up to their bytes, so that the place of every token is known: all, unless the
    tokenizer changes the text, as SentencePiece's does that puts a space before it."""
    inner_borders: int  # borders between tokens that fall inside a traced unit
    continued_units: int  # traced units with at least one of them


def count(subject: Subject, text: Text) -> Usage:
    """How ``subject`` encodes ``text``."""
    ids, id_offsets = subject.encode(text.text)
    used = np.bincount(ids, minlength=len(subject.tokens)).astype(np.int64)
    traced, inner = _inner_borders(subject.lengths[ids], id_offsets, text)
    return Usage(
        documents=len(text.text),
        utf8_bytes=text.utf8_bytes,
        characters=text.characters,
        units=len(text.unit_start),
        tokens=used,
        traced_units=traced,
        inner_borders=int(inner.sum()),
        continued_units=int(np.count_nonzero(inner)),
    )


def total(usages: Iterable[Usage]) -> Usage:
    """The counts of all together. At least one is needed."""
    every = list(usages)
    names = [name for name in Usage.__dataclass_fields__ if name != "tokens"]
    sums = {name: sum(getattr(usage, name) for usage in every) for name in names}
    return Usage(tokens=np.sum([usage.tokens for usage in every], axis=0), **sums)


def _inner_borders(
    lengths: NDArray[np.int64], id_offsets: NDArray[np.int64], text: Text
) -> tuple[int, NDArray[np.int64]]:
    """The number of units that can be traced, and the borders between tokens inside each of them, int64[traced].

    ``lengths`` int64[tokens]: bytes of the tokens of all documents in order; those of document d are
    ``[id_offsets[d], id_offsets[d+1])``.
    """
    reached = np.concatenate([[0], np.cumsum(lengths)])
    begin = reached[id_offsets]
    traced = np.diff(begin) == np.diff(text.offsets)
    tokens = np.repeat(traced, np.diff(id_offsets))
    shift = np.repeat(text.offsets[:-1] - begin[:-1], np.diff(id_offsets))
    borders = (reached[1:] + shift)[tokens]
    units = np.repeat(traced, np.diff(text.unit_bounds))
    start, stop = text.unit_start[units], text.unit_stop[units]
    inner = np.searchsorted(borders, stop, "left") - np.searchsorted(borders, start, "right")
    return int(units.sum()), np.maximum(inner, 0)
