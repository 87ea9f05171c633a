"""Parquet files, in ranges of rows."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from curation import storage
from curation.readers.raw import BATCH_BYTES, BATCH_ROWS, EMPTY, DeadRecord, Read, screen, to_raw, wanted_columns
from curation.recipe import Input


def _columns(item: Input) -> list[str]:
    return sorted({*wanted_columns(item).values(), *item.metadata})


def describe(path: str) -> tuple[pa.Schema, pq.FileMetaData]:
    """Schema and footer.

    Raises:
        OSError, pa.ArrowInvalid: the file is no whole Parquet file.
    """
    with storage.open_file(path) as source:
        file = pq.ParquetFile(source)
        return file.schema_arrow, file.metadata


def text_bytes(item: Input, metadata: pq.FileMetaData) -> int:
    """Uncompressed bytes of the columns that are read."""
    wanted = set(_columns(item))
    groups = (metadata.row_group(g) for g in range(metadata.num_row_groups))
    chunks = (group.column(c) for group in groups for c in range(group.num_columns))
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in wanted)


def read(path: str, item: Input, start: int, stop: int, max_bytes: int) -> Iterator[Read]:
    """Rows ``[start, stop)``. A row group that cannot be decoded is one dead record; the others are still read."""
    with storage.open_file(path) as source:
        file = pq.ParquetFile(source)
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            begin, end = max(start, first), min(stop, first + rows)
            if begin < end:
                yield from _read_group(file, group, first, begin, end, path, item, max_bytes)
            first += rows


def _read_group(
    file: pq.ParquetFile, group: int, first: int, begin: int, end: int, path: str, item: Input, max_bytes: int
) -> Iterator[Read]:
    metadata = file.metadata.row_group(group)
    per_row = max(1, metadata.total_byte_size // max(1, metadata.num_rows))
    step = max(1, min(BATCH_ROWS, BATCH_BYTES // per_row))
    row = first
    try:
        for batch in file.iter_batches(step, row_groups=[group], columns=_columns(item), use_threads=False):
            low, high = max(begin - row, 0), min(end - row, batch.num_rows)
            if low < high:
                table = to_raw(batch.slice(low, high - low), item)
                at = row + low
                yield screen(table, item, path, lambda i, at=at: f"row {at + i}", max_bytes)  # type: ignore[misc]
            row += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        low = max(begin, row)
        message = f"row group {group} cannot be decoded: {error}"
        yield Read(EMPTY, [DeadRecord(item.name, path, f"rows {low} to {end - 1}", end - low, message)])
