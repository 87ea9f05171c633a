"""The merge loop at millions of distinct pretokens, and what a terabyte of text would need.

    python benchmarks/bpe_scale.py TEXT.parquet... [--pretokens 20000000] [--size 151643]

Text gives distinct pretokens slowly, so that its pairs and triples of neighbouring pretokens are taken for pretokens:
they are longer than real ones and grow in number as real ones would with far more text. Heaps' law (distinct = K times
text to a power; Heaps 1978) is fitted to real pretokens at a tenth, a third and all of the text, with and without
backing off (`tokenizer.bpe.back_off`), and the time and memory of a terabyte follow from distinct bytes. Numbers are of
one process: CPU seconds and the highest resident memory above that before training.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bpe_training import sample_texts
from numba import njit
from numpy.typing import NDArray
from peak_memory import peak_bytes

from curation.text.utf8 import buffers
from tokenizer.bpe.back_off import back_off
from tokenizer.bpe.counts import PretokenCounter, arrays, count_table, pattern_of
from tokenizer.bpe.trainer import Options, train
from tokenizer.pretoken_table import PretokenTable

TERABYTE = 1e12


def neighbours(texts: pa.Array, pretokens: int) -> pa.Table:
    """A count table of ``pretokens`` distinct pretokens, pairs and triples of pretokens of the texts."""
    table = PretokenTable()
    offsets, data = buffers(texts)
    numbers, _ = table.add(data, offsets)
    known, ends = table.buffers()
    counts = [np.bincount(numbers, minlength=table.count)]
    columns = [np.arange(table.count)[:, None]]
    grams = numbers.astype(np.uint64)
    for length in (2, 3, 4):
        if sum(map(len, counts)) < pretokens:
            keys = grams[:-1] << np.uint64(32) | numbers[length - 1 :].astype(np.uint64)
            _, place, inverse, found = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
            columns.append(np.stack([numbers[place + i] for i in range(length)], axis=1))
            counts.append(found)
            grams = inverse.astype(np.uint64)
    pieces = [_joined(known, ends, column) for column in columns]
    joined = pa.chunked_array(pieces).slice(0, pretokens).combine_chunks()
    tally = pa.array(np.concatenate(counts)[:pretokens].astype(np.uint64))
    schema = count_table([], []).schema
    return pa.table({"pretoken": joined, "count": tally}).replace_schema_metadata(schema.metadata)


def _joined(known: NDArray[np.uint8], ends: NDArray[np.int64], rows: NDArray[np.int64]) -> pa.LargeBinaryArray:
    lengths = np.diff(ends)[rows].sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    out = np.empty(offsets[-1], np.uint8)
    _copy(known, ends, rows, out)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(out)]
    )


@njit
def _copy(known, ends, rows, out):  # type: ignore[no-untyped-def]
    at = 0
    for row in rows:
        for number in row:
            for i in range(ends[number], ends[number + 1]):
                out[at] = known[i]
                at += 1


def measure(table: pa.Table, size: int) -> tuple[float, float]:
    """CPU seconds and MiB above the memory before, of one training in the default mode."""
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    before, start = peak_bytes(os.getpid()), time.process_time()
    train(table, size, Options(min_frequency=1))
    return time.process_time() - start, (peak_bytes(os.getpid()) - before) / 2**20


def distinct(texts: pa.Array, least: int) -> tuple[int, int]:
    """Distinct pretokens of the texts after backing off, and their bytes."""
    counter = PretokenCounter()
    counter.add(texts)
    table = counter.table()
    if least > 1:
        table = back_off(table, least)
    return table.num_rows, int(arrays(table)[1][-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--pretokens", type=int, default=20_000_000)
    parser.add_argument("--size", type=int, default=151_643)
    arguments = parser.parse_args()
    texts = sample_texts(arguments.files, 1e6)
    total = pc.sum(pc.binary_length(texts)).as_py()
    train(count_table([b"the", b"cat"], [2, 3]), 258)  # compile

    shares = (0.1, 0.32, 1.0)
    growth = {least: [distinct(texts.slice(0, int(len(texts) * s)), least) for s in shares] for least in (1, 5)}
    print(f"{'':<12}{'distinct pretokens at':>36}{'':>4}{'Heaps':>7}{'bytes at':>12}")
    print(
        f"{'back off':<12}" + "".join(f"{total * s / 1e6:>9.0f} MB" for s in shares) + f"{'exponent':>11}{'1 TB':>12}"
    )
    terabyte = {}
    for least, points in growth.items():
        bytes_ = [size for _, size in points]
        exponent = np.polyfit(np.log(shares), np.log(bytes_), 1)[0]
        terabyte[least] = bytes_[-1] * (TERABYTE / total) ** exponent
        print(f"{least:<12}" + "".join(f"{n:>12,}" for n, _ in points) + f"{exponent:>11.2f}{terabyte[least]:>12.3g}")

    print(f"\n{arguments.size:,} tokens")
    print(f"{'pretokens':>12}{'bytes':>14}{'CPU s':>8}{'MiB':>8}{'ns a byte':>11}{'B a byte':>10}")
    table = neighbours(texts, arguments.pretokens)
    del texts
    assert pattern_of(table)
    for part in (4, 1):
        rows = table.slice(0, table.num_rows // part).combine_chunks()
        bytes_of = int(pc.sum(pc.binary_length(rows["pretoken"])).as_py())
        seconds, mib = measure(rows, arguments.size)
        per_second, per_byte = seconds / bytes_of, mib * (1 << 20) / bytes_of
        print(
            f"{rows.num_rows:>12,}{bytes_of:>14,}{seconds:>8.1f}{mib:>8.0f}{per_second * 1e9:>11.0f}{per_byte:>10.1f}"
        )
    for least, bytes_of in terabyte.items():
        print(f"1 TB of such text, back off {least}: {bytes_of * per_second / 60:.1f} CPU minutes, ", end="")
        print(f"{bytes_of * per_byte / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
