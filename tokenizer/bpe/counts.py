"""Tables of distinct pretokens and how often they occur: all that a BPE trainer needs to know of a text.

A count table is an Arrow table with the columns ``pretoken`` (large_binary), ``count`` (uint64) and optionally
``language`` and ``domain`` (string); its schema metadata names the pretoken pattern. Rows are unique and in a fixed
order: most frequent first, then by bytes, language and domain. So equal counts are equal tables, whatever order the
text was read in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from curation.text.utf8 import buffers
from tokenizer.pretoken_table import PretokenTable
from tokenizer.pretokens import QWEN2_PATTERN

GROUP_COLUMNS = ("language", "domain")
_PATTERN = b"pattern"
MOST = 2**63 - 1
"""Pair counts are signed 64-bit integers, and no pair is more frequent than the bytes of the text."""


@njit(cache=True, nogil=True)
def _tally(counts, numbers):  # type: ignore[no-untyped-def]
    for number in numbers:
        counts[number] += np.uint64(1)


@njit(cache=True, nogil=True)
def _tally_counted(counts, numbers, added):  # type: ignore[no-untyped-def]
    for i in range(numbers.size):
        counts[numbers[i]] += added[i]


class PretokenCounter:
    """Counts the pretokens of texts, separately for each group of texts (such as a language and a domain)."""

    def __init__(self, pattern: str = QWEN2_PATTERN, columns: Sequence[str] = ()) -> None:
        """``columns``: what the values of a group are called, from GROUP_COLUMNS.

        Raises ValueError for another column or a pattern that the scanner does not know.
        """
        if unknown := [column for column in columns if column not in GROUP_COLUMNS]:
            raise ValueError(f"Count tables have no column {unknown[0]!r}: use any of {', '.join(GROUP_COLUMNS)}.")
        self.pattern, self.columns = pattern, tuple(columns)
        self._groups: dict[tuple[str, ...], tuple[PretokenTable, NDArray[np.uint64]]] = {}
        PretokenTable(pattern)  # refuses an unknown pattern here rather than at the first text

    def add(self, text: pa.Array, group: Sequence[str] = ()) -> None:
        """Count the pretokens of a (large) string array of NFC text; nulls count as empty.

        ``group`` holds a value for each of ``columns``.
        """
        offsets, data = buffers(pc.fill_null(text, "") if text.null_count else text)
        table, counts = self._group(tuple(group))
        numbers, _ = table.add(data, offsets)
        counts = self._reserve(tuple(group), table, counts)
        _tally(counts, numbers)

    def add_counted(self, pretokens: pa.Array, counts: NDArray[np.uint64], group: Sequence[str] = ()) -> None:
        """Add n pretokens (binary, none null or empty) that were counted elsewhere, ``counts`` uint64[n] times."""
        offsets, data = buffers(pretokens)
        table, present = self._group(tuple(group))
        numbers = table.add_whole(data, offsets)
        _tally_counted(self._reserve(tuple(group), table, present), numbers, counts.astype(np.uint64, copy=False))

    def table(self) -> pa.Table:
        """The count table of all that was added."""
        return _ordered(self.rows(), self.pattern)

    def rows(self) -> pa.Table:
        """The rows of `table` in the order they were met, group after group."""
        schema = count_schema(self.pattern, self.columns)
        pieces = [schema.empty_table()]
        for group, (table, counts) in sorted(self._groups.items()):
            data, offsets = table.buffers()
            buffers_ = [None, pa.py_buffer(offsets.copy()), pa.py_buffer(data.copy())]
            columns: dict[str, Any] = {
                "pretoken": pa.LargeBinaryArray.from_buffers(pa.large_binary(), table.count, buffers_),
                "count": pa.array(counts[: table.count]),
            }
            for column, value in zip(self.columns, group, strict=True):
                columns[column] = pa.repeat(pa.scalar(value, pa.string()), table.count)
            pieces.append(pa.table(columns, schema=schema))
        return pa.concat_tables(pieces)

    def _group(self, group: tuple[str, ...]) -> tuple[PretokenTable, NDArray[np.uint64]]:
        if len(group) != len(self.columns):
            raise ValueError(f"The group {group!r} must have a value for each of the columns {self.columns!r}.")
        if group not in self._groups:
            self._groups[group] = PretokenTable(self.pattern), np.zeros(1 << 10, np.uint64)
        return self._groups[group]

    def _reserve(self, group: tuple[str, ...], table: PretokenTable, counts: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """``counts`` of the group, with room for all pretokens of its table."""
        if table.count > counts.size:
            counts = np.concatenate([counts, np.zeros(max(table.count, 2 * counts.size) - counts.size, np.uint64)])
            self._groups[group] = table, counts
        return counts


def count_table(pretokens: Sequence[bytes], counts: Sequence[int], *, pattern: str = QWEN2_PATTERN) -> pa.Table:
    """The count table of a few pretokens given as Python objects; equal ones are added up."""
    table = pa.table({"pretoken": pa.array(pretokens, pa.large_binary()), "count": pa.array(counts, pa.uint64())})
    return merge([table.replace_schema_metadata(_metadata(pattern))])


def pattern_of(table: pa.Table) -> str:
    """The pretoken pattern a count table was made with. Raises ValueError when its metadata names none."""
    metadata = table.schema.metadata or {}
    if _PATTERN not in metadata:
        raise ValueError("The count table does not say with which pretoken pattern it was made (metadata 'pattern').")
    return bytes(metadata[_PATTERN]).decode()


def merge(tables: Iterable[pa.Table], columns: Sequence[str] | None = None) -> pa.Table:
    """The sum of count tables, grouped by ``columns`` (those of the tables unless given).

    Raises ValueError when there are none, when their patterns or columns differ, or when they cannot be count tables.
    """
    counter: PretokenCounter | None = None
    text_bytes = 0.0
    for position, table in enumerate(tables):
        where = f"Count table {position}"
        present = [column for column in GROUP_COLUMNS if column in table.column_names]
        if counter is None:
            counter = PretokenCounter(pattern_of(table), present if columns is None else columns)
        if pattern_of(table) != counter.pattern:
            raise ValueError(f"{where} was made with another pretoken pattern than the first: count the texts anew.")
        if missing := [column for column in counter.columns if column not in present]:
            raise ValueError(f"{where} has no column {missing[0]!r}: merge by other columns, or count the texts anew.")
        text_bytes += _text_bytes(table, where)
        if text_bytes > MOST:
            raise ValueError(f"{where} brings the text counted to over {MOST:,} bytes: counts could overflow.")
        for group, rows in _groups(table, counter.columns):
            counter.add_counted(combined(rows["pretoken"]), rows["count"].to_numpy(), group)
    if counter is None:
        raise ValueError("There are no count tables to merge.")
    return counter.table()


def arrays(table: pa.Table) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint64]]:
    """Bytes uint8, offsets int64[n+1] and counts uint64[n] of a table's rows; no copy where they lie in one piece."""
    offsets, data = buffers(combined(table["pretoken"]))
    return data, offsets, table["count"].to_numpy()


def _text_bytes(table: pa.Table, where: str) -> float:
    """Bytes of the text counted. Raises ValueError for missing columns, nulls and empty pretokens."""
    for column in ("pretoken", "count"):
        if column not in table.column_names:
            raise ValueError(f"{where} has no column {column!r}, only {', '.join(table.column_names)}.")
    for column in table.column_names:
        if table[column].null_count:
            row = pc.index(table[column].is_null(), True).as_py()
            raise ValueError(f"{where} has a null in column {column!r}, row {row}.")
    lengths = pc.binary_length(table["pretoken"]).to_numpy()
    if lengths.size and lengths.min() == 0:
        raise ValueError(f"{where} has an empty pretoken in row {int(lengths.argmin())}: texts never have any.")
    return float(np.dot(lengths.astype(np.float64), table["count"].to_numpy().astype(np.float64)))


def _groups(table: pa.Table, columns: Sequence[str]) -> Iterable[tuple[tuple[str, ...], pa.Table]]:
    """The rows of each group."""
    if not columns or not table.num_rows:
        yield from [((), table)] if table.num_rows else []
        return
    codes = np.zeros(table.num_rows, np.int64)
    values = []
    for column in columns:
        encoded = combined(table[column].cast(pa.string())).dictionary_encode()
        values.append(encoded.dictionary.to_pylist())
        codes = codes * len(values[-1]) + encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for start, stop in zip(starts, [*starts[1:], codes.size], strict=True):
        code = int(codes[order[start]])
        group = []
        for choices in reversed(values):
            code, index = divmod(code, len(choices))
            group.append(choices[index])
        yield tuple(reversed(group)), table.take(pa.array(order[start:stop]))


def combined(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def count_schema(pattern: str, columns: Sequence[str] = GROUP_COLUMNS) -> pa.Schema:
    """The schema of a count table of pretokens cut by ``pattern``, grouped by ``columns``."""
    fields = [("pretoken", pa.large_binary()), ("count", pa.uint64()), *((column, pa.string()) for column in columns)]
    return pa.schema(fields, _metadata(pattern))


def _metadata(pattern: str) -> dict[bytes, bytes]:
    return {_PATTERN: pattern.encode()}


def _ordered(table: pa.Table, pattern: str) -> pa.Table:
    """Most frequent first, then by bytes, language and domain."""
    present = [column for column in GROUP_COLUMNS if column in table.column_names]
    keys = [("count", "descending"), ("pretoken", "ascending"), *((column, "ascending") for column in present)]
    ordered = table.take(pc.sort_indices(table, keys)).combine_chunks()
    return ordered.replace_schema_metadata(_metadata(pattern))
