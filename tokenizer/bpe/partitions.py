"""Counting text of any size: tasks count pretokens, partitions of them add up, and nothing holds the whole table.

Each task leaves its counts in files, cut by a hash of the pretoken (`curation.dedup.exchange`), so that all rows of a
pretoken meet in one partition. There they are added up, rare ones are cut up (`back_off`), and their pieces travel to
their own partitions, one round for each size of window. The parts together are the count table that one process
would make of the same text, whatever the numbers of tasks and partitions and the order they run in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.dedup.exchange import Exchange
from curation.dedup.keys import hash_strings, partition_of
from tokenizer.bpe.back_off import WINDOWS, cut_rare, frequent
from tokenizer.bpe.counts import GROUP_COLUMNS, PretokenCounter, combined, count_schema, merge

SPILL_BYTES = 256 << 20
"""Text that a task counts before it writes its counts out: some 1.5 million distinct pretokens, about 200 MB."""


@dataclass(frozen=True)
class PartitionedCounts:
    """Counts on their way through files under ``folder``, from ``tasks`` tasks to ``partitions`` parts of a table."""

    folder: str
    pattern: str
    tasks: int
    partitions: int
    back_off: int = 1  # rarer pretokens are cut up and dropped

    def count(self, task: int, texts: Iterable[tuple[Sequence[str], pa.Array]]) -> None:
        """Count the texts of one task: (language, domain) and a large string array of NFC text at a time."""
        self._counted().write_rounds(task, ((rows, self._partition(rows)) for rows in self._blocks(texts)))

    def add(self, task: int, rows: pa.Table) -> None:
        """Give the rows of a count table instead of text to count."""
        self._counted().write(task, rows, self._partition(rows))

    def has(self, task: int) -> bool:
        return self._counted().has(task)

    @property
    def rounds(self) -> range:
        """The rounds of `cut` that come before `part`."""
        return range(len(WINDOWS) if self.back_off > 1 else 0)

    def cut(self, round_: int, partition: int) -> None:
        """One round of cutting rare pretokens, once all partitions have done the round before."""
        kept, pieces = self._kept(round_), self._pieces(round_)
        if not kept.has(partition):
            frequent_rows, cut_rows = cut_rare(self._summed(round_, partition), self.back_off, WINDOWS[round_])
            pieces.write(partition, cut_rows, self._partition(cut_rows))
            kept.write(partition, frequent_rows, np.zeros(frequent_rows.num_rows, np.int64))

    def part(self, partition: int) -> pa.Table:
        """The finished rows of one partition, in the order of count tables."""
        table = self._summed(len(self.rounds), partition)
        return frequent(table, self.back_off).combine_chunks() if self.back_off > 1 else table

    def delete(self) -> None:
        storage.delete_folder(self.folder)

    def _blocks(self, texts: Iterable[tuple[Sequence[str], pa.Array]]) -> Iterator[pa.Table]:
        counter, counted = PretokenCounter(self.pattern, GROUP_COLUMNS), 0
        for group, text in texts:
            counter.add(text, group)
            counted += pc.sum(pc.binary_length(text)).as_py() or 0
            if counted >= SPILL_BYTES:
                yield counter.rows()
                counter, counted = PretokenCounter(self.pattern, GROUP_COLUMNS), 0
        yield counter.rows()

    def _summed(self, rounds: int, partition: int) -> pa.Table:
        """The rows of a partition after so many rounds of cutting, added up."""
        if not rounds:
            counted = self._counted()
            return merge(counted.read(partition, [task]) for task in range(self.tasks))
        kept, pieces = self._kept(rounds - 1), self._pieces(rounds - 1)
        sources = (pieces.read(partition, [source]) for source in range(self.partitions))
        return merge([kept.read(0, [partition]), *sources])

    def _partition(self, rows: pa.Table) -> np.ndarray:
        return partition_of(hash_strings(combined(rows["pretoken"])), self.partitions)

    def _exchange(self, name: str, partitions: int) -> Exchange:
        return Exchange(storage.join(self.folder, name), count_schema(self.pattern), partitions, "zstd")

    def _counted(self) -> Exchange:
        return self._exchange("counted", self.partitions)

    def _kept(self, round_: int) -> Exchange:
        return self._exchange(f"kept-{round_}", 1)

    def _pieces(self, round_: int) -> Exchange:
        return self._exchange(f"pieces-{round_}", self.partitions)
