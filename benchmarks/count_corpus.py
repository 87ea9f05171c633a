"""Counts of a folder of documents for the benchmarks of tokenizers: most of them, and those held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.languages import CODES
from curation.mixture import uniform
from tokenizer.bpe.counts import GROUP_COLUMNS, PretokenCounter
from tokenizer.composition import composed

HELD_OUT = 0.05
BATCH_ROWS = 2000
CODE = "code"


def read_texts(folder: str) -> Iterator[tuple[str, list[str], pa.Array]]:
    """Language ("code" for source code), ids and NFC texts (large_string) of the documents of known language."""
    for path in sorted(Path(folder).glob("*.parquet")):
        if not {"id", "text", "language"} <= set(pq.read_schema(path).names):
            continue
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=["id", "text", "language"]):
            batch = batch.filter(batch["text"].is_valid())
            languages = np.array([language or "" for language in batch["language"].to_pylist()])
            if path.stem == CODE:
                languages[:] = CODE
            for language in sorted(set(languages) & {*CODES, CODE}):
                rows = batch.filter(pa.array(languages == language))
                yield language, rows["id"].to_pylist(), composed(rows["text"].cast(pa.large_string()))


def read_counts(folder: str, pattern: str) -> tuple[pa.Table, pa.Table]:
    """Count tables by language of most documents, and of the others, chosen by a hash of their ids."""
    counters = PretokenCounter(pattern, GROUP_COLUMNS[:1]), PretokenCounter(pattern, GROUP_COLUMNS[:1])
    for language, ids, texts in read_texts(folder):
        held_out = uniform(ids, 0, "held") < HELD_OUT
        for counter, rows in zip(counters, (~held_out, held_out), strict=True):
            counter.add(texts.filter(pa.array(rows)), (language,))
    return counters[0].table(), counters[1].table()
