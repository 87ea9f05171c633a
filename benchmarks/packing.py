"""Packing documents of real lengths: padding, documents cut, and how long a plan of a million documents takes.

    python benchmarks/packing.py DATA.parquet [...] [--vocabulary 16384] [--write SHARDS]

Trains a tokenizer on a sample of the texts, encodes them all and plans windows of several lengths, best fit against
documents laid end to end. `cut` counts documents in more than one window, `cut that fit` those of them no longer than
a window; `blind` is the share of tokens that cannot see the beginning of their document. Plans use every token once
(tests/trainer/data/test_packing.py), so the text in a best-fit epoch is that of the documents. --write keeps the
encoded documents as shards.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.trainer import train_exact
from tokenizer.composition import composed
from tokenizer.encoding import Encoder
from tokenizer.export import export, tokenizer_info
from tokenizer.pretokens import CONTROL_TOKENS
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.writer import write_manifest, write_shard
from trainer.data.packing import Plan, best_fit, concatenated, joined

SAMPLE_BYTES = 16_000_000
MILLION = 1_000_000


def read(paths: list[str]) -> pa.Table:
    """Columns text and language of all files."""
    tables = []
    for path in paths:
        schema = pq.read_schema(path)
        columns = [name for name in ("text", "language") if name in schema.names]
        table = pq.read_table(path, columns=columns)
        if "language" not in columns:
            table = table.append_column("language", pa.array(["code"] * table.num_rows))
        table = table.set_column(1, "language", pc.fill_null(table["language"], "unknown"))
        tables.append(table.cast(pa.schema({"text": pa.large_string(), "language": pa.string()})))
    return pa.concat_tables(tables)


def encode(table: pa.Table, vocabulary: int, folder: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids of all documents, uint32[total], each closed by end-of-text, and their lengths int64[n]."""
    step = max(1, int(table.nbytes / SAMPLE_BYTES))
    counter = PretokenCounter()
    counter.add(composed(table["text"].take(np.arange(0, table.num_rows, step)).combine_chunks()))
    trained = train_exact(counter.table(), vocabulary - len(CONTROL_TOKENS), min_frequency=2)
    export(trained.tokenizer(special_tokens=CONTROL_TOKENS), folder)
    encoder = Encoder(f"{folder}/tokenizer.json")
    tokens, offsets = encoder.encode(table["text"], append_end=True)
    return tokens, np.diff(offsets)


def write(directory: str, table: pa.Table, tokens: np.ndarray, lengths: np.ndarray, folder: str) -> None:
    languages = sorted(set(table["language"].to_pylist()))
    meta = np.zeros(len(lengths), META_DTYPE)
    meta["language"] = [languages.index(name) for name in table["language"].to_pylist()]
    meta["utf8_bytes"] = [len(text.encode()) for text in table["text"].to_pylist()]
    record = write_shard(directory, "part-00000", tokens, np.concatenate([[0], np.cumsum(lengths)]), meta)
    tables = {"languages": languages, "domains": ["text"], "sources": ["benchmark"]}
    write_manifest(directory, [record], tokenizer=tokenizer_info(folder), **tables, recipe={}, parents=[])


def row(name: str, plan: Plan, lengths: np.ndarray, capacity: int) -> str:
    pieces = np.bincount(plan.document, minlength=len(lengths))
    blind = plan.length[plan.start > 0].sum() / lengths.sum()
    padding = 1 - lengths.sum() / (plan.windows * capacity)
    cut_that_fit = ((pieces > 1) & (lengths <= capacity)).sum()
    return (f"| {name} | {capacity:,} | {plan.windows:,} | {padding:.4%} | {(pieces > 1).mean():.1%} | "
            f"{cut_that_fit:,} | {blind:.1%} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--vocabulary", type=int, default=16_384)
    parser.add_argument("--write", metavar="SHARDS")
    arguments = parser.parse_args()
    table = read(arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        tokens, lengths = encode(table, arguments.vocabulary, folder)
        if arguments.write:
            Path(arguments.write).mkdir(parents=True, exist_ok=True)
            write(arguments.write, table, tokens, lengths, folder)
    quantiles = np.quantile(lengths, [0.1, 0.5, 0.9, 0.99]).astype(int)
    print(f"{len(lengths):,} documents, {lengths.sum():,} tokens; tokens a document: mean {lengths.mean():.0f}, "
          f"quantiles 10/50/90/99% {' '.join(f'{q:,}' for q in quantiles)}, most {lengths.max():,}\n")  # fmt: skip
    print("| packing | T | windows | padding | cut | cut that fit | blind |\n|---|--:|--:|--:|--:|--:|--:|")
    documents = np.arange(len(lengths))
    for capacity in (512, 2048, 4096):
        for name, pack in (("best fit", best_fit), ("concatenated", concatenated)):
            print(row(name, pack(documents, lengths, capacity), lengths, capacity))
    languages = np.unique(table["language"].to_numpy(), return_inverse=True)[1]
    for capacity in (512, 2048, 4096):
        groups = [np.flatnonzero(languages == i) for i in range(languages.max() + 1)]
        plan = joined([best_fit(group, lengths[group], capacity) for group in groups])
        print(row(f"best fit, {len(groups)} languages apart", plan, lengths, capacity))
    drawn = np.random.default_rng(0).choice(lengths, MILLION)
    print(f"\n{MILLION:,} documents drawn from these, {drawn.sum():,} tokens:")
    for name, pack in (("best fit", best_fit), ("concatenated", concatenated)):
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            plan = pack(np.arange(MILLION), drawn, 2048)
            seconds.append(time.perf_counter() - begun)
        padding = 1 - drawn.sum() / (plan.windows * 2048)
        print(f"{name}: {statistics.median(seconds):.2f} s, padding {padding:.5%}")


if __name__ == "__main__":
    main()
