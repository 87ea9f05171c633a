"""Counting text of many gigabytes in bounded memory: megabytes a second, peak memory, disk.

Repeats the documents of a folder until there is as much text as asked. In every repetition but the first one letter of
each --change-one-in is replaced by another of its document and as many bytes, so that new pretokens keep coming as in
real text: the growth is printed as the exponent of Heaps' law (0.65 to 0.69 on multilingual documentation). One process
counts, cuts and adds up, as one worker of the job `count` does.

    python benchmarks/count_scale.py DATA_FOLDER --gigabytes 8

DATA_FOLDER holds Parquet files with the columns id, text and language (an ISO code, or "code").
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from count_corpus import read_texts
from numba import njit
from peak_memory import peak_bytes

from curation.text.utf8 import buffers, decode
from tokenizer.bpe.partitions import PartitionedCounts
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN


@njit(cache=True)
def _vary(data, offsets, letters, one_in, seed):  # type: ignore[no-untyped-def]
    """Replace letters in place; a letter takes the place of another of the same text and as many bytes."""
    state = np.uint64(seed)
    for text in range(offsets.size - 1):
        start, end = offsets[text], offsets[text + 1]
        i = start
        while i < end:
            code_point, after = decode(data, i)
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)  # Knuth's MMIX generator
            if letters[code_point] and (state >> np.uint64(33)) % np.uint64(one_in) == 0:
                other = start + np.int64((state >> np.uint64(20)) % np.uint64(end - start))
                while other > start and data[other] & 0xC0 == 0x80:
                    other -= 1
                found, stop = decode(data, other)
                if letters[found] and stop - other == after - i:
                    for k in range(after - i):
                        data[i + k] = data[other + k]
            i = after


class Texts:
    """The documents of one repetition after the other, and the CPU seconds that making them took."""

    def __init__(self, folder: str, one_in: int) -> None:
        self._folder, self._one_in = folder, one_in
        self._letters = np.array([unicodedata.category(chr(code)).startswith("L") for code in range(0x110000)])
        self.seconds, self.bytes = 0.0, 0

    def repetition(self, number: int) -> Iterator[tuple[tuple[str, str], pa.Array]]:
        started = time.process_time()
        for language, _, text in read_texts(self._folder):
            if number:
                offsets, data = buffers(text)
                changed = data.copy()
                _vary(changed, offsets, self._letters, self._one_in, number)
                pieces = [None, pa.py_buffer(offsets), pa.py_buffer(changed)]
                text = pa.Array.from_buffers(pa.large_string(), len(text), pieces)
            self.bytes += pc.sum(pc.binary_length(text)).as_py() or 0
            self.seconds += time.process_time() - started
            yield (language, "web"), text
            started = time.process_time()


def peak_megabytes() -> float:
    return peak_bytes(os.getpid()) / 1e6


def disk_megabytes(folder: str) -> float:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--change-one-in", type=int, default=150)
    parser.add_argument("--back-off", type=int, default=1)
    arguments = parser.parse_args()
    texts = Texts(arguments.folder, arguments.change_one_in)
    with tempfile.TemporaryDirectory(prefix="glotmill-") as folder:
        once = sum(pc.sum(pc.binary_length(text)).as_py() or 0 for _, text in texts.repetition(0))
        repetitions = max(1, round(arguments.gigabytes * 1e9 / once))
        counts = PartitionedCounts(
            folder, MARKS_AS_LETTERS_PATTERN, repetitions, max(1, round(arguments.gigabytes)), arguments.back_off
        )
        texts.seconds, texts.bytes = 0.0, 0
        started = time.process_time()
        for task in range(repetitions):
            counts.count(task, texts.repetition(task))
        counting = time.process_time() - started - texts.seconds
        megabytes = texts.bytes / 1e6
        print(f"{megabytes:,.0f} MB counted in {counting:,.0f} CPU seconds: {megabytes / counting:,.0f} MB/s; "
              f"reading and varying took {texts.seconds:,.0f} more")  # fmt: skip
        print(f"peak memory {peak_megabytes():,.0f} MB; exchange {disk_megabytes(folder):,.0f} MB on disk")
        started = time.process_time()
        rows = distinct = kept_bytes = 0
        for round_ in counts.rounds:
            for partition in range(counts.partitions):
                counts.cut(round_, partition)
        for partition in range(counts.partitions):
            part = counts.part(partition)
            rows, distinct = rows + part.num_rows, distinct + len(part["pretoken"].unique())
            pq.write_table(part, f"{folder}/part.parquet", compression="zstd", compression_level=3)
            kept_bytes += Path(folder, "part.parquet").stat().st_size
        adding = time.process_time() - started
        print(f"added up in {adding:,.0f} CPU seconds: {rows:,} rows, {distinct:,} distinct pretokens in "
              f"{counts.partitions} parts, {kept_bytes / 1e6:,.0f} MB")  # fmt: skip
        if repetitions > 1 and arguments.back_off == 1:
            parts = (replace(counts, tasks=1).part(partition) for partition in range(counts.partitions))
            first = sum(len(part["pretoken"].unique()) for part in parts)
            print(f"growth: {first:,} distinct in {once / 1e6:,.0f} MB; exponent of Heaps' law "
                  f"{math.log(distinct / first) / math.log(repetitions):.2f}")  # fmt: skip
        print(f"all: {megabytes / (counting + adding):,.0f} MB/s of one core; "
              f"peak memory {peak_megabytes():,.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
