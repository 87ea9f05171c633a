"""Exchanges: how rows get from the tasks of one step to those of the next, through files.

Each writing task leaves one Arrow file with a record batch for every partition, in their order, or several such rounds
of batches where it cannot hold all its rows at once; a reading task takes its own batches out of every file. So memory
stays that of one task, whatever the engine; a finished task is a file that is there, and a killed job goes on after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation import storage
from curation.dataset import Record, pretty_json


@dataclass(frozen=True)
class Exchange:
    """Files of one exchange: ``folder/task-NNNNN.arrow``."""

    folder: str
    schema: pa.Schema
    partitions: int = 1
    compression: str | None = None  # of the batches: lz4 or zstd

    def _file(self, task: int, suffix: str = "arrow") -> str:
        return storage.join(self.folder, f"task-{task:05d}.{suffix}")

    def has(self, task: int) -> bool:
        return storage.exists(self._file(task))

    def write(
        self, task: int, rows: pa.Table | pa.RecordBatch, partition: np.ndarray, facts: Record | None = None
    ) -> None:
        """Write all rows of a task: ``partition``, int64[rows], says where each goes. ``facts`` are numbers to sum."""
        if facts is not None:  # before the file that says the task is done
            storage.write_bytes(self._file(task, "json"), pretty_json(facts))
        self.write_rounds(task, [(rows, partition)])

    def write_rounds(self, task: int, rounds: Iterable[tuple[pa.Table | pa.RecordBatch, np.ndarray]]) -> None:
        """Write the rows of a task as they come, each time with the partition of every row, int64[rows]."""
        options = pa.ipc.IpcWriteOptions(compression=self.compression)
        with (
            storage.atomic_file(self._file(task)) as local,
            pa.OSFile(local, "wb") as sink,
            pa.ipc.new_file(sink, self.schema, options=options) as writer,
        ):
            for rows, partition in rounds:
                for batch in self._batches_of(rows, partition):
                    writer.write_batch(batch)

    def _batches_of(self, rows: pa.Table | pa.RecordBatch, partition: np.ndarray) -> Iterator[pa.RecordBatch]:
        """One batch for each partition, in their order."""
        order = np.argsort(partition, kind="stable")
        bounds = np.searchsorted(partition[order], np.arange(self.partitions + 1))
        ordered = rows.take(pa.array(order))
        if isinstance(ordered, pa.Table):
            ordered = ordered.combine_chunks()
            batches = ordered.to_batches()
            ordered = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.schema)
        for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
            yield ordered.slice(start, stop - start)

    def read(self, partition: int, tasks: list[int] | range) -> pa.Table:
        """The rows of one partition from the files of the given tasks, in the order of these."""
        batches = [batch for task in tasks for batch in self._batches(task, partition)]
        return pa.Table.from_batches(batches, self.schema).combine_chunks()

    def _batches(self, task: int, partition: int) -> list[pa.RecordBatch]:
        path = self._file(task)
        with (
            storage.open_file(path) if storage.is_remote(path) else pa.memory_map(path) as source,
            pa.ipc.open_file(source) as reader,
        ):
            return [reader.get_batch(at) for at in range(partition, reader.num_record_batches, self.partitions)]

    def facts(self, tasks: list[int] | range) -> list[Record]:
        """What each task said of itself."""
        return [json.loads(storage.read_text(self._file(task, "json"))) for task in tasks]
