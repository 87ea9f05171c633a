"""What every reader yields: raw documents as Arrow batches, and dead records for what could not be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation import schema
from curation.recipe import Columns, Input

RAW = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.large_binary(), nullable=False),  # as read; not yet checked to be UTF-8
        pa.field("url", pa.string()),
        pa.field("license", pa.string()),
        pa.field("date", pa.string()),
        pa.field("metadata", pa.string()),
    ]
)

BATCH_ROWS = 4096
BATCH_BYTES = 8 << 20
SAMPLE_BYTES = 200


class DeadRecord(NamedTuple):
    """Something that could not be read: where, how many records were lost with it, why, and how it begins."""

    source: str
    path: str
    location: str
    records: int
    error: str
    sample: str | None = None


class Read(NamedTuple):
    """One step of a reader."""

    batch: pa.RecordBatch  # RAW
    dead: list[DeadRecord]


EMPTY = pa.RecordBatch.from_pylist([], schema=RAW)


def dead_batch(records: list[DeadRecord]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([record._asdict() for record in records], schema=schema.DEAD)


def sample(data: bytes) -> str:
    return data[:SAMPLE_BYTES].decode("utf-8", "replace")


def wanted_columns(item: Input) -> dict[str, str]:
    """Document column -> input column, for the columns the recipe maps."""
    columns: Columns = item.columns
    return {name: column for name, column in columns.model_dump().items() if column is not None}


def to_raw(table: pa.Table | pa.RecordBatch, item: Input) -> pa.Table:
    """Map input columns to RAW columns; text may still be null."""
    n = table.num_rows
    columns = wanted_columns(item)
    out = {"text": _flat(table[columns["text"]]).cast(pa.large_binary())}
    for name in ("id", "url", "license", "date"):
        out[name] = _strings(_flat(table[columns[name]])) if name in columns else pa.nulls(n, pa.string())
    if item.license is not None:
        out["license"] = pc.fill_null(out["license"], item.license)
    out["metadata"] = _metadata(table, item.metadata) if item.metadata else pa.nulls(n, pa.string())
    return pa.table([out[field.name] for field in RAW], names=RAW.names)


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def is_text_like(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold text: strings or bytes, of either width."""
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(check(kind) for check in checks)


def _strings(column: pa.Array) -> pa.Array:
    """Any column as valid strings; ill-formed UTF-8 becomes U+FFFD."""
    if not is_text_like(column.type):
        return column.cast(pa.string())
    try:
        return column.cast(pa.large_binary()).cast(pa.large_string()).cast(pa.string())
    except pa.ArrowInvalid:
        values = column.cast(pa.large_binary()).to_pylist()
        return pa.array([None if v is None else v.decode("utf-8", "replace") for v in values], pa.string())


def _metadata(table: pa.Table | pa.RecordBatch, names: list[str]) -> pa.Array:
    frame = pl.from_arrow(pa.table({name: _no_bytes(_flat(table[name])) for name in names}))
    assert isinstance(frame, pl.DataFrame)
    encoded = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_arrow()
    return encoded.cast(pa.string())


def _no_bytes(column: pa.Array) -> pa.Array:
    """Bytes as strings, since JSON has no bytes; any other column as it is."""
    if pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.binary())
    is_bytes = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    return _strings(column) if is_bytes else column


def screen(table: pa.Table, item: Input, path: str, location: Callable[[int], str], max_bytes: int) -> Read:
    """Take out rows without text and rows larger than ``max_bytes``; they become dead records."""
    length = pc.binary_length(table["text"])
    good = pc.fill_null(pc.less_equal(length, max_bytes), False)
    dead = []
    if not pc.all(good, min_count=0).as_py():
        for row in pc.indices_nonzero(pc.invert(good)).to_pylist():
            bytes_ = length[row].as_py()
            if bytes_ is None:
                error, begin = f"column '{item.columns.text}' is null", None
            else:
                error = f"document of {bytes_:,} bytes is over annotate.max_document_bytes ({max_bytes:,})"
                begin = sample(table["text"][row].as_buffer().slice(0, min(SAMPLE_BYTES, bytes_)).to_pybytes())
            dead.append(DeadRecord(item.name, path, location(row), 1, error, begin))
        table = table.filter(good)
    batches = table.cast(RAW).combine_chunks().to_batches()
    return Read(batches[0] if batches else EMPTY, dead)
