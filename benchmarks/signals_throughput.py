"""Scan and all signals on one core: MB/s of UTF-8, the cost of each part, and the memory they touch.

    python benchmarks/signals_throughput.py DATA.parquet... [--rounds 5] [--rows 1000]

Reads the columns ``text`` and ``language`` (null: identified as none), normalises, and times the scan and the signals
compiled and warm; medians over the rounds. Memory is the growth of the process's peak over that of the loaded text
while the first round runs, in multiples of the largest batch.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.languages import numbers, units_per_word
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters import hplt, lines, sentences, stop_words
from filters.repetition import RepetitionCounter
from filters.signals import SIGNALS, SignalCounter
from filters.statistics import StatisticsCounter

Batch = tuple[pa.Array, list[str]]


def load(paths: list[str], rows: int) -> list[Batch]:
    """Normalised batches of so many documents and their languages."""
    batches = []
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(rows, columns=["text", "language"]):
            text = pa.array(batch["text"].cast(pa.large_string()))
            batches.append((normalize(text).text, [code or "und" for code in batch["language"].to_pylist()]))
    return batches


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000, help="documents of a batch")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)

    small = pa.array(["Warm up.\n"] * 4, pa.large_string())
    SignalCounter().compute(small, Scanner().scan(small), ["en"] * 4)
    batches = load(arguments.paths, arguments.rows)
    largest = max(text.nbytes for text, _ in batches)
    megabytes = sum(text.nbytes for text, _ in batches) / 1e6
    scanner, counter = Scanner(), SignalCounter()
    before = peak_bytes()
    rounds = []
    for _ in range(arguments.rounds):
        started = time.perf_counter()
        for text, languages in batches:
            counter.compute(text, scanner.scan(text), languages)
        rounds.append(time.perf_counter() - started)
        if len(rounds) == 1:
            memory = peak_bytes() - before
    documents = sum(len(text) for text, _ in batches)
    print(f"{megabytes:.1f} MB of text, {documents:,} documents, one core, {len(SIGNALS)} signals")
    median, best = megabytes / statistics.median(rounds), megabytes / min(rounds)
    print(f"scan and all signals: {median:.1f} MB/s (best {best:.1f})")
    print(f"memory: {memory / largest:.2f} x the largest batch ({largest / 1e6:.1f} MB)")
    for name, seconds in parts(batches, arguments.rounds).items():
        print(f"  {name:<28} {seconds * 1e3 / megabytes:6.2f} ms/MB")


def parts(batches: list[Batch], rounds: int) -> dict[str, float]:
    """Seconds of each part over all batches, medians."""
    scanner, repetition, statistic = Scanner(), RepetitionCounter(), StatisticsCounter()
    taken: dict[str, list[float]] = {}

    names = (
        "scan",
        "n-grams, unit entropy",
        "character entropy, compression",
        "lines, phrases",
        "sentences",
        "scores",
        "stop words",
    )
    for _ in range(rounds):
        for name in names:
            taken.setdefault(name, []).append(0.0)
        for text, languages in batches:
            number, per_word = numbers(languages), units_per_word(languages)
            marks = [time.perf_counter()]
            scan = scanner.scan(text)
            marks.append(time.perf_counter())
            repetition.ngrams(scan)
            marks.append(time.perf_counter())
            statistic.compute(text)
            marks.append(time.perf_counter())
            lines.compute(scan, number, per_word)
            marks.append(time.perf_counter())
            sentences.compute(text, scan)
            marks.append(time.perf_counter())
            hplt.compute(scan, number, repetition)
            marks.append(time.perf_counter())
            stop_words.count(scan, number)
            marks.append(time.perf_counter())
            for name, seconds in zip(names, np.diff(marks), strict=True):
                taken[name][-1] += seconds
    return {name: statistics.median(values) for name, values in taken.items()}


if __name__ == "__main__":
    main()
