"""Exchanges: how rows get from the tasks of one step to those of the next, through files.

Each writing task leaves one Arrow file with a record batch for every partition, in their order; a reading task takes
its own batch out of every file. So memory stays that of one task, whatever the engine; a finished task is a file that
is there, and a killed job goes on behind it.
"""

from __future__ import annotations

import json
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

    def _file(self, task: int, suffix: str = "arrow") -> str:
        return storage.join(self.folder, f"task-{task:05d}.{suffix}")

    def has(self, task: int) -> bool:
        return storage.exists(self._file(task))

    def write(
        self, task: int, rows: pa.Table | pa.RecordBatch, partition: np.ndarray, facts: Record | None = None
    ) -> None:
        """Write all rows of a task: ``partition``, int64[rows], says where each goes. ``facts`` are numbers to sum."""
        order = np.argsort(partition, kind="stable")
        bounds = np.searchsorted(partition[order], np.arange(self.partitions + 1))
        ordered = rows.take(pa.array(order))
        if isinstance(ordered, pa.Table):
            ordered = ordered.combine_chunks()
            batches = ordered.to_batches()
            ordered = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.schema)
        if facts is not None:  # before the file that says the task is done
            storage.write_bytes(self._file(task, "json"), pretty_json(facts))
        with (
            storage.atomic_file(self._file(task)) as local,
            pa.OSFile(local, "wb") as sink,
            pa.ipc.new_file(sink, self.schema) as writer,
        ):
            for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
                writer.write_batch(ordered.slice(start, stop - start))

    def read(self, partition: int, tasks: list[int] | range) -> pa.Table:
        """The rows of one partition from the files of the given tasks, in the order of these."""
        batches = [self._batch(task, partition) for task in tasks]
        return pa.Table.from_batches(batches, self.schema).combine_chunks()

    def _batch(self, task: int, partition: int) -> pa.RecordBatch:
        filesystem, path = storage.resolve(self._file(task))
        if storage.is_remote(self.folder):
            with filesystem.open_input_file(path) as source, pa.ipc.open_file(source) as reader:
                return reader.get_batch(partition)
        with pa.memory_map(path) as source, pa.ipc.open_file(source) as reader:
            return reader.get_batch(partition)

    def facts(self, tasks: list[int] | range) -> list[Record]:
        """What each task said of itself."""
        return [json.loads(storage.read_text(self._file(task, "json"))) for task in tasks]
