"""Quality of near-deduplication on built truth: recall of bands, precision and recall of merges, adversaries.

python benchmarks/planted_duplicates.py DATA.parquet... [--documents 100000] [--seed 1] [--languages en ru ...]

DATA has the columns ``language`` and ``text``; its units are the material of the documents (`planted_documents`). Truth
is the exact Jaccard similarity of the product's own shingle sets. Prints Markdown.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
from planted_documents import (
    BATCH,
    BINS,
    EDGES,
    Planted,
    Source,
    jaccard,
    one_band,
    pages_with_one_header,
    plant,
    read_sources,
    shingle_sets,
)

from curation.dedup import in_memory, minhash
from curation.dedup.keepers import Chosen, choose_keepers
from curation.recipe_dedup import MinHash
from curation.text.scan import Scanner

LANGUAGES = ("en", "ru", "ar", "he", "hi", "ko", "vi", "zh", "ja", "th")
SIMILARITY, MARGIN = 0.7, 0.05
PARAMETERS = MinHash()
FALSE_EDGES = (0.0, 0.4, 0.5, 0.55, 0.6, 0.62, 0.64, 0.65, 0.66, 0.67, 0.68, 0.69, 0.7)
VERIFIED_BY = {False: "signature", True: "exact"}


class Merges:
    """What `find_duplicates` made of some documents, with the exact similarity of every merge."""

    def __init__(self, text: pa.Array, sets: list[np.ndarray], exact: bool) -> None:
        facts: list[dict[str, Any]] = []

        def recorded(*arguments: Any) -> Chosen:  # the comparisons are counted, but not in the table
            chosen = choose_keepers(*arguments)
            facts.append(chosen.facts)
            return chosen

        started = time.perf_counter()
        with mock.patch.object(in_memory, "choose_keepers", recorded):
            table = in_memory.find_duplicates(text, PARAMETERS, SIMILARITY, exact)
        self.seconds = time.perf_counter() - started
        self.compared = sum(fact["compared"] for fact in facts)
        self.keeper = table["keeper"].to_numpy().astype(np.int64)
        self.largest_component = int(np.unique(table["candidates"].to_numpy(), return_counts=True)[1].max())
        self.largest_cluster = int(table["cluster_size"].to_numpy().max())
        self.rows = np.flatnonzero(self.keeper != np.arange(len(text)))
        self.estimate = table["similarity"].to_numpy(zero_copy_only=False)[self.rows]
        self.jaccard = np.array([jaccard(sets[row], sets[self.keeper[row]]) for row in self.rows])

    def precision(self, least: float = SIMILARITY, among: np.ndarray | None = None) -> float:
        """Share of the merges (of those where ``among``, bool[n documents], is true) at least this similar."""
        chosen = self.jaccard if among is None else self.jaccard[among[self.rows]]
        return float((chosen >= least).mean()) if len(chosen) else float("nan")


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    names = list(header)
    print("\n| " + " | ".join(names) + " |\n|---|" + "--:|" * (len(names) - 1))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def bin_name(number: int) -> str:
    return f"{EDGES[number]:.2f} to {EDGES[number + 1]:.2f}"


def share_a_band(text: pa.Array, pairs: pl.DataFrame) -> np.ndarray:
    """Whether the two documents of each pair have a band in common: bool[pairs]."""
    scanner, parts = Scanner(), []
    for start in range(0, len(text), BATCH):
        batch = text.slice(start, BATCH)
        signature = minhash.signatures(batch, scanner.scan(batch), PARAMETERS)
        lists = minhash.band_lists(signature, PARAMETERS.bands, np.ones(len(batch), bool))
        parts.append(lists.values.to_numpy().reshape(-1, PARAMETERS.bands))
    bands = np.concatenate(parts)
    found: np.ndarray = (bands[pairs["left"].to_numpy()] == bands[pairs["right"].to_numpy()]).any(1)
    return found


def recall_of_bands(planted: Planted) -> pl.DataFrame:
    """Prints recall against theory; returns the pairs with the columns ``caught`` and ``expected``."""
    values = planted.pairs["jaccard"].to_list()
    expected = [minhash.catch_probability(value, PARAMETERS.bands, PARAMETERS.rows) for value in values]
    caught = share_a_band(planted.text, planted.pairs)
    pairs = planted.pairs.with_columns(caught=pl.Series(caught), expected=pl.Series(expected))
    summary = (
        pl.len(),
        pl.col("jaccard").mean(),
        (100 * pl.col("caught").mean()).alias("recall"),
        (100 * pl.col("expected").mean()).alias("theory"),
        (100 * (pl.col("caught").cast(pl.Float64) - pl.col("expected")).mean()).alias("difference"),
        (100 * (pl.col("expected") * (1 - pl.col("expected"))).sum().sqrt() / pl.len()).alias("error"),
    )
    print("\n## Recall of the bands: planted pairs that share one, percent")
    rows = pairs.group_by("bin").agg(summary).sort("bin").to_dicts()
    rows.append({"bin": None} | pairs.select(summary).to_dicts()[0])
    table(
        ("exact Jaccard", "pairs", "mean", "found", "theory", "difference", "standard error"),
        [("all" if row["bin"] is None else bin_name(row["bin"]), f"{row['len']:,}", f"{row['jaccard']:.3f}",
          f"{row['recall']:.2f}", f"{row['theory']:.2f}", f"{row['difference']:+.2f}", f"{row['error']:.2f}")
         for row in rows],
    )  # fmt: skip
    print("\nDifference to theory in points ± standard error, by language:")
    cells = {(row["language"], row["bin"]): row for row in pairs.group_by("language", "bin").agg(summary).to_dicts()}
    cells |= {(row["language"], None): row for row in pairs.group_by("language").agg(summary).to_dicts()}

    def cell(language: str, number: int | None) -> str:
        row = cells.get((language, number))
        return f"{row['difference']:+.1f} ± {row['error']:.1f}" if row else "-"

    languages = pairs["language"].unique().sort().to_list()
    table(
        ("language", *map(bin_name, range(BINS)), "all"),
        [(code, *(cell(code, number) for number in range(BINS)), cell(code, None)) for code in languages],
    )
    # Where nearly every pair is caught the errors are not normal, and say nothing.
    scores = [row["difference"] / row["error"] for key, row in cells.items() if key[1] in (0, 1, 2, 3, 4)]
    size, largest = np.sqrt(np.mean(np.square(scores))), np.abs(scores).max()
    print(f"\nDifference over standard error, {len(scores)} cells under {EDGES[5]}: root mean square {size:.2f} "
          f"(1 is chance alone), largest {largest:.2f}.")  # fmt: skip
    return pairs


def quality_of_merges(planted: Planted, pairs: pl.DataFrame) -> None:
    sets = shingle_sets(planted.text, PARAMETERS.shingle)
    found = {exact: Merges(planted.text, sets, exact) for exact in (False, True)}
    likely = pairs.filter(pl.col("jaccard") >= SIMILARITY)
    left, right = likely["left"].to_numpy(), likely["right"].to_numpy()
    print(f"\n## Merges at similarity {SIMILARITY}\n\nRecall: of planted pairs at {SIMILARITY} or more, those with one "
          f"keeper, and those of which at most one is kept. {100 * likely['caught'].mean():.2f} % share a band "
          f"({100 * likely['expected'].mean():.2f} % by theory).")  # fmt: skip
    names = ("merges", f"Jaccard >= {SIMILARITY}", f"Jaccard >= {SIMILARITY - MARGIN:.2f}", "between groups",
             "single pairs", "families", "recall: one keeper", "single pairs one keeper", "not both kept",
             "comparisons a document", "seconds")  # fmt: skip
    single = ~likely["family"].to_numpy()
    columns = []
    for merges in found.values():
        keeper, own = merges.keeper, np.arange(len(merges.keeper))
        together = keeper[left] == keeper[right]
        both_kept = (keeper[left] == left) & (keeper[right] == right)
        between = (planted.group[merges.rows] != planted.group[keeper[merges.rows]]).sum()
        columns.append((
            f"{len(merges.rows):,}", f"{merges.precision():.4f}", f"{merges.precision(SIMILARITY - MARGIN):.4f}",
            between, f"{merges.precision(among=~planted.family):.4f}", f"{merges.precision(among=planted.family):.4f}",
            f"{together.mean():.4f}", f"{together[single].mean():.4f}", f"{1 - both_kept.mean():.4f}",
            f"{merges.compared / len(own):.2f}", f"{merges.seconds:.1f}"))  # fmt: skip
    table(("", *(f"verify={name}" for name in VERIFIED_BY.values())), zip(names, *columns, strict=True))
    print("\nPlanted single pairs by exact Jaccard, percent that share a band and that are merged:")
    alone = pairs.filter(~pl.col("family"))
    ends = alone["left"].to_numpy(), alone["right"].to_numpy()
    merged = {
        name: pl.Series(name, found[exact].keeper[ends[0]] == found[exact].keeper[ends[1]])
        for exact, name in VERIFIED_BY.items()
    }
    rates = (pl.len(), *(100 * pl.col(name).mean() for name in ("caught", *merged)))
    rows = alone.with_columns(**merged).group_by("bin").agg(rates).sort("bin").to_dicts()
    table(
        ("exact Jaccard", "pairs", "share a band", *(f"merged, {name}" for name in merged)),
        [(bin_name(row["bin"]), row["len"], *(f"{row[name]:.2f}" for name in ("caught", *merged))) for row in rows],
    )
    print("\nPrecision by language:")
    table(
        ("language", "merges", *VERIFIED_BY.values()),
        [(code, int((planted.language[found[False].rows] == code).sum()),
          *(f"{merges.precision(among=planted.language == code):.4f}" for merges in found.values()))
         for code in np.unique(planted.language)],
    )  # fmt: skip
    false_merges(found[False])


def false_merges(merges: Merges) -> None:
    """Prints where the merges below the threshold lie, and what a higher threshold of the estimate would do."""
    false = merges.jaccard[merges.jaccard < SIMILARITY]
    print(f"\nMerges by signature whose exact Jaccard is under {SIMILARITY}: {len(false):,} of {len(merges.rows):,}, "
          f"mean {false.mean():.4f}, least {false.min(initial=1):.4f}:")  # fmt: skip
    counts = np.histogram(false, FALSE_EDGES)[0]
    table(
        ("exact Jaccard", "merges", "percent of the false", "percent of all"),
        [(f"{low:.2f} to {high:.2f}", count, f"{100 * count / max(len(false), 1):.1f}",
          f"{100 * count / max(len(merges.rows), 1):.2f}")
         for low, high, count in zip(FALSE_EDGES, FALSE_EDGES[1:], counts, strict=False)],
    )  # fmt: skip
    print("\nThe same merges, only those with at least this estimate:")
    true = (merges.jaccard >= SIMILARITY).sum()
    rows = []
    for least in (0.70, 0.71, 0.72, 0.73, 0.74, 0.75):
        taken = merges.jaccard[merges.estimate >= least] >= SIMILARITY
        rows.append((f"{least:.2f}", f"{len(taken):,}", f"{taken.mean():.4f}", f"{100 * taken.sum() / true:.2f}"))
    table(("estimate", "merges", "precision", "percent of the true merges left"), rows)


def adversaries(source: Source, documents: int, random: np.random.Generator) -> None:
    print(f"\n## Adversaries, {documents:,} documents each")
    cases = {
        "one band's key in common, else unlike": one_band(source, documents, PARAMETERS, random),
        "one header, 0.51 to 0.60 alike": pages_with_one_header(source, documents, random),
    }
    rows = []
    for name, text in cases.items():
        sets = shingle_sets(text, PARAMETERS.shingle)
        some = random.integers(len(text), size=(2, 2000))
        alike = np.mean([jaccard(sets[i], sets[j]) for i, j in some.T if i != j])
        for exact, verify in VERIFIED_BY.items():
            merges = Merges(text, sets, exact)
            false = int((merges.jaccard < SIMILARITY).sum())
            rows.append((name, verify, f"{alike:.3f}", f"{merges.largest_component:,}", f"{merges.largest_cluster:,}",
                         f"{len(merges.rows):,}", f"{false:,}", f"{merges.compared / len(text):.1f}",
                         f"{merges.seconds:.1f}"))  # fmt: skip
    table(("documents", "verify", "mean Jaccard of two", "largest component before", "largest cluster after", "merged",
           f"of those under {SIMILARITY}", "comparisons a document", "seconds"), rows)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="+", help="Parquet files with the columns language and text")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--adversarial", type=int, default=20_000, help="documents of each adversary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--languages", nargs="+", default=LANGUAGES)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    sources = read_sources(arguments.data, arguments.languages)
    started = time.perf_counter()
    planted = plant(sources, arguments.documents, PARAMETERS, random)
    print(f"{len(planted.text):,} documents, {planted.text.nbytes / 1e6:.0f} MB, {len(sources)} languages, "
          f"{len(planted.pairs):,} planted pairs ({planted.left_out} left out, which met their bin in no round), built "
          f"in {time.perf_counter() - started:.0f} s; {PARAMETERS.bands} bands of {PARAMETERS.rows} rows, "
          f"seed {arguments.seed}.")  # fmt: skip
    table(("language", "units of text", "vocabulary"),
          [(code, f"{len(source.stream):,}", f"{len(np.unique(source.stream)):,}")
           for code, source in sources.items()])  # fmt: skip
    pairs = recall_of_bands(planted)
    quality_of_merges(planted, pairs)
    adversaries(next(iter(sources.values())), arguments.adversarial, random)
    print(f"\nPeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB.")


if __name__ == "__main__":
    main()
