"""Columnar blocks: what crosses a shuffle. A block is an Arrow IPC stream of one record batch, never one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa


def encode(batch: pa.RecordBatch) -> bytes:
    """One batch as an Arrow IPC stream; only the rows of the batch, not the buffers it is a slice of."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(data: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch()


def concat(blocks: Iterable[bytes], schema: pa.Schema) -> pa.Table:
    """All blocks as one table, whatever their order; sort before relying on it."""
    return pa.Table.from_batches([decode(block) for block in blocks], schema).combine_chunks()


def split(batch: pa.RecordBatch, partition: np.ndarray) -> Iterator[tuple[int, bytes]]:
    """Rows by partition number, ``partition``: int64[rows]; empty partitions give nothing."""
    if not batch.num_rows:
        return
    if not batch.num_rows:
        return
    order = np.argsort(partition, kind="stable")
    numbers, starts = np.unique(partition[order], return_index=True)
    ordered = batch.take(pa.array(order))
    for number, start, end in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
        yield int(number), encode(ordered.slice(start, end - start))
