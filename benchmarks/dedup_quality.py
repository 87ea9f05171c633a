"""Near-duplicate clusters of a finished run against exact pairwise Jaccard similarity.

    python benchmarks/dedup_quality.py RUN [--documents 3000] [--threshold 0.8] [--seed 0]

Takes runs of consecutive documents (copies tend to lie near each other, so that there are pairs to find), computes the
exact Jaccard similarity of the 5-unit shingle sets of every pair, and compares the pairs at or over the threshold
with the pairs that share a cluster of the run.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
import pyarrow as pa

from curation.dataset import read_manifest, read_part
from curation.dedup.minhash import shingle_hashes
from curation.text.scan import Scanner

STRETCH = 250
"""Consecutive documents taken at a time."""


def sample(run: str, documents: int, seed: int) -> pa.Table:
    """Columns address, text, cluster, keeper of about ``documents`` documents, in stretches spread over all parts."""
    names = sorted(read_manifest(run, "documents")["files"])
    random = np.random.default_rng(seed)
    stretches: list[pa.Table] = []
    while sum(s.num_rows for s in stretches) < 1.5 * documents:  # some stretches overlap
        name = names[random.integers(len(names))]
        table = read_part(run, "documents", name, ["address", "text"])
        for column in ("cluster", "keeper"):
            table = table.append_column(column, read_part(run, "duplicates", name, [column]).column(0))
        start = int(random.integers(max(1, table.num_rows - STRETCH)))
        stretches.append(table.slice(start, STRETCH))
    frame = pl.from_arrow(pa.concat_tables(stretches))
    assert isinstance(frame, pl.DataFrame)
    return frame.unique("address", keep="first", maintain_order=True).head(documents).to_arrow()


def similar_pairs(text: pa.Array, least: float) -> dict[tuple[int, int], float]:
    """Exact Jaccard similarity of every pair that has at least ``least``, by counting shared shingles."""
    hashes, bounds = shingle_hashes(text, Scanner().scan(text), 5)
    owner = np.repeat(np.arange(len(text)), np.diff(bounds))
    shingles = pl.DataFrame({"document": owner, "shingle": hashes}).unique()
    size = dict(shingles.group_by("document").len().iter_rows())
    shared = (
        shingles.join(shingles, on="shingle", suffix="_other")
        .filter(pl.col("document") < pl.col("document_other"))
        .group_by("document", "document_other")
        .len()
    )
    pairs = {}
    for a, b, common in shared.iter_rows():
        similarity = common / (size[a] + size[b] - common)
        if similarity >= least:
            pairs[a, b] = similarity
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    table = sample(arguments.run, arguments.documents, arguments.seed)
    text = table["text"].combine_chunks().cast(pa.large_string())
    cluster = table["cluster"].to_numpy()
    exact = similar_pairs(text, 0.5)
    true = {pair for pair, similarity in exact.items() if similarity >= arguments.threshold}
    order = np.argsort(cluster, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1)
    found = {(min(a, b), max(a, b)) for g in groups for i, a in enumerate(g.tolist()) for b in g.tolist()[i + 1 :]}

    print(f"{table.num_rows} documents, {len(true)} pairs at Jaccard >= {arguments.threshold}, {len(found)} found")
    print(f"recall    {len(found & true) / max(1, len(true)):.4f}")
    print(f"precision {len(found & true) / max(1, len(found)):.4f} at Jaccard >= {arguments.threshold}")
    for floor in (0.7, 0.6, 0.5):
        real = sum(exact.get(pair, 0.0) >= floor for pair in found)
        print(f"          {real / max(1, len(found)):.4f} at Jaccard >= {floor}")
    kept = table["address"].to_numpy() == table["keeper"].to_numpy()
    both = sum(bool(kept[a] and kept[b]) for a, b in true)
    print(f"pairs at Jaccard >= {arguments.threshold} of which both documents are kept: {both}")
    for low, high in ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        band = [pair for pair, similarity in exact.items() if low <= similarity < high]
        caught = sum(pair in found for pair in band)
        print(f"pairs at {low:.1f} to {min(high, 1.0):.1f}: {caught} of {len(band)} in one cluster")


if __name__ == "__main__":
    main()
