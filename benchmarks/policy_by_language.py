"""Whether the bounds of a policy mean the same in every language: share of documents that each rule rejects.

    python benchmarks/policy_by_language.py DATA.parquet... [--policy glotmill-29] [--domain web]

Reads the columns ``text`` and ``language``; takes documents of at least 50 words in one of the 29 languages, and each
rule of the domain alone. Files should hold about the same documents in many languages, such as translations. A language
is named where a rule rejects twice as many of its documents as in the median language, and at least 5 points more.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.languages import CODES
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters.policy import NUMBERS, Domain, load_policy
from filters.rules import fails
from filters.signals import SignalCounter

LEAST_WORDS, LEAST_DOCUMENTS = 50, 25


def signals(path: str) -> pl.DataFrame:
    scanner, counter, frames = Scanner(), SignalCounter(), []
    for batch in pq.ParquetFile(path).iter_batches(1000, columns=["text", "language"]):
        batch = batch.filter(pc.is_in(batch["language"], pa.array(CODES)))
        languages = batch["language"].to_pylist()
        text = normalize(batch["text"].cast(pa.large_string())).text
        computed = pl.from_arrow(pa.Table.from_batches([counter.compute(text, scanner.scan(text), languages)]))
        assert isinstance(computed, pl.DataFrame)
        frames.append(computed.with_columns(language=pl.Series(languages, dtype=pl.String)))
    return pl.concat(frames).filter(pl.col("words") >= LEAST_WORDS)


def rates(documents: pl.DataFrame, domain: Domain) -> pl.DataFrame:
    """Percentage of the documents of each language that fail each rule on signals of the text."""
    columns = []
    for name, rule in domain.rules.items():
        if rule.signal in NUMBERS and rule.signal in documents.columns and rule.signal != "words":
            overrides = {code: bounds[name] for code, bounds in domain.languages.items() if name in bounds}
            columns.append((100 * fails(rule, overrides).cast(pl.Float64).mean()).alias(name))
    grouped = documents.group_by("language").agg(pl.len().alias("documents"), *columns)
    return grouped.filter(pl.col("documents") >= LEAST_DOCUMENTS).sort("language")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--policy", default="glotmill-29")
    parser.add_argument("--domain", default="web")
    arguments = parser.parse_args()
    domain = load_policy(arguments.policy).domains[arguments.domain]
    for path in arguments.paths:
        table = rates(signals(path), domain)
        print(f"{path}: {table['documents'].sum():,} documents of {table.height} languages")
        for name in table.columns[2:]:
            values = table[name].to_numpy()
            median = float(np.median(values))
            odd = [f"{code} {value:.1f}" for code, value in zip(table["language"], values, strict=True)
                   if value > max(2 * median, median + 5)]  # fmt: skip
            print(f"  {name:<38} median {median:5.2f} %  highest {values.max():5.1f} %  {' '.join(odd)}")


if __name__ == "__main__":
    main()
