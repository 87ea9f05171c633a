"""Quality of near-deduplication on built truth: pairs of documents with edits at known Jaccard similarities.

    python benchmarks/dedup_planted.py DATA.parquet... --documents 100000

A document is a random sequence of words of its language, taken from the DATA (columns text, language), so that no two
share anything; in languages without spaces a word is four characters of running text. Half of the documents are copies
of the others with words replaced at random places; the similarity of a pair is that of the sets of shingles the product
itself makes, computed exactly, and evenly spread from 0.45 to 1. The third table is an attack: pages with a header in
common, long enough to fill a band of nearly all, and little else.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.dedup import minhash
from curation.dedup.in_memory import find_duplicates
from curation.languages import LANGUAGES
from curation.recipe_dedup import MinHash
from curation.text.scan import Scanner

LANGUAGE_CODES = ("en", "ru", "ar", "he", "hi", "bn", "ko", "zh", "ja", "th", "my", "vi")
WORDS = (150, 300)
"""Fewest and most of a document."""
LEAST, SIMILARITY = 0.45, 0.7
PARAMETERS = MinHash()
BATCH = 1000


class Planted(NamedTuple):
    text: pa.Array
    pairs: pl.DataFrame  # left, right: rows; language; similarity


def vocabulary(texts: list[str], language: str) -> np.ndarray:
    """Words of a language as often as they occur: object[m]."""
    if LANGUAGES[language].spaced:
        return np.array([word for text in texts for word in text.split()], object)
    running = "".join("".join(text.split()) for text in texts)
    return np.array([running[at : at + 4] for at in range(0, len(running), 4)], object)


def plant(sources: dict[str, np.ndarray], documents: int, random: np.random.Generator) -> Planted:
    texts, rows = [], []
    for language, words in sources.items():
        space = " " if LANGUAGES[language].spaced else ""
        for _ in range(documents // 2 // len(sources)):
            base = words[random.integers(0, len(words), random.integers(*WORDS))]
            # Replacing one word takes away and brings about 5 shingles: J = (1 - x) / (1 + x), x of n words replaced.
            wanted = random.uniform(LEAST, 1)
            untouched = 2 * wanted / (1 + wanted)
            copy = base.copy()
            changed = random.random(len(base)) < 1 - untouched ** (1 / 5)
            copy[changed] = words[random.integers(0, len(words), int(changed.sum()))]
            rows.append((len(texts), len(texts) + 1, language))
            texts += [space.join(base), space.join(copy)]
    text = pa.array(texts, pa.large_string())
    pairs = pl.DataFrame(rows, schema=["left", "right", "language"], orient="row")
    sets = shingle_sets(text)
    exact = [jaccard(sets[left], sets[right]) for left, right in zip(pairs["left"], pairs["right"], strict=True)]
    return Planted(text, pairs.with_columns(similarity=pl.Series(exact)))


def shingle_sets(text: pa.Array) -> list[np.ndarray]:
    scanner, out = Scanner(), []
    for start in range(0, len(text), BATCH):
        batch = text.slice(start, BATCH)
        lists = minhash.shingle_sets(batch, scanner.scan(batch), PARAMETERS.shingle)
        out += [np.array(item.as_py(), np.uint32) for item in lists]
    return out


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / max(len(a) + len(b) - shared, 1)


def share_a_band(planted: Planted) -> np.ndarray:
    """Whether the documents of each pair are candidates: bool[pairs]."""
    scanner, bands = Scanner(), []
    for start in range(0, len(planted.text), BATCH):
        batch = planted.text.slice(start, BATCH)
        signature = minhash.signatures(batch, scanner.scan(batch), PARAMETERS)
        bands.append(minhash.band_hashes(signature, PARAMETERS.bands))
    hashes = np.concatenate(bands)
    left, right = planted.pairs["left"].to_numpy(), planted.pairs["right"].to_numpy()
    found: np.ndarray = (hashes[left] == hashes[right]).any(axis=1)
    return found


def recall_table(pairs: pl.DataFrame, by: str) -> str:
    theory = pl.col("similarity").map_elements(
        lambda s: minhash.catch_probability(s, PARAMETERS.bands, PARAMETERS.rows), pl.Float64
    )
    rows = (
        pairs.with_columns(theory=theory)
        .group_by(by)
        .agg(pairs=pl.len(), found=pl.col("found").mean(), theory=pl.col("theory").mean(),
             error=(pl.col("theory") * (1 - pl.col("theory"))).sum().sqrt() / pl.len())
        .sort(by)
    )  # fmt: skip
    lines = [
        f"| {by} | pairs | share a band % | by the curve % | difference | standard error |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows.to_dicts():
        found, expected = 100 * row["found"], 100 * row["theory"]
        lines.append(f"| {row[by]} | {row['pairs']:,} | {found:.1f} | {expected:.1f} | {found - expected:+.1f} | "
                     f"{100 * row['error']:.1f} |")  # fmt: skip
    return "\n".join(lines)


def verified_table(planted: Planted) -> str:
    """Documents merged into a keeper, and how similar they are in truth, by verification and language."""
    lines = ["| verify | language | merged | at 0.70 or more % | at 0.65 or more % | pairs at 0.70 found % |",
             "|---|---|--:|--:|--:|--:|"]  # fmt: skip
    for verify in ("signature", "exact"):
        found = find_duplicates(planted.text, PARAMETERS, SIMILARITY, verify == "exact")
        keeper, address = found["keeper"].to_numpy().astype(np.int64), np.arange(len(planted.text))
        left, right = planted.pairs["left"].to_numpy(), planted.pairs["right"].to_numpy()
        merged = (keeper[left] == keeper[right]) & ((keeper[left] == left) | (keeper[right] == right))
        strays = int((keeper != address).sum()) - int(merged.sum())  # into the document of another pair
        frame = planted.pairs.with_columns(merged=pl.Series(merged))
        for language in [*frame["language"].unique().sort(), "all"]:
            own = frame if language == "all" else frame.filter(pl.col("language") == language)
            similarity = own.filter(pl.col("merged"))["similarity"]
            real = own.filter(pl.col("similarity") >= SIMILARITY)
            at_least = [100 * (similarity >= least).mean() for least in (SIMILARITY, SIMILARITY - 0.05)]
            lines.append(f"| {verify} | {language} | {len(similarity):,} | {at_least[0]:.2f} | {at_least[1]:.2f} | "
                         f"{100 * real['merged'].mean():.1f} |")  # fmt: skip
        lines.append(f"| {verify} | other pairs | {strays} | | | |")
    return "\n".join(lines)


def attack(words: np.ndarray, pages: int, random: np.random.Generator) -> str:
    """Pages of a header of 200 words and 70 to 95 of their own: about 0.55 alike, and nearly all in one component."""
    header = " ".join(words[random.integers(0, len(words), 200)])
    bodies = (" ".join(words[random.integers(0, len(words), random.integers(70, 96))]) for _ in range(pages))
    text = pa.array([f"{header} {body}" for body in bodies], pa.large_string())
    signature, exact = (find_duplicates(text, PARAMETERS, SIMILARITY, flag) for flag in (False, True))
    largest = np.unique(exact["candidates"].to_numpy(), return_counts=True)[1].max()
    removed = [pages - pc.sum(pc.is_null(found["match"])).as_py() for found in (signature, exact)]
    return (f"{pages:,} pages about 0.55 alike, {largest:,} of them one component, of which an unverified run would "
            f"keep 1; removed by signature {removed[0]:,}, by exact similarity {removed[1]:,}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    table = pa.concat_tables([pq.read_table(path, columns=["text", "language"]) for path in arguments.data])
    sources = {}
    for language in LANGUAGE_CODES:
        texts = table.filter(pc.equal(table["language"], language))["text"].slice(0, 300).to_pylist()
        words = vocabulary(texts, language)
        if len(words) > 5000:
            sources[language] = words
    random = np.random.default_rng(arguments.seed)
    planted = plant(sources, arguments.documents, random)
    step = (pl.col("similarity") / 0.05).floor() * 0.05
    pairs = planted.pairs.with_columns(found=share_a_band(planted), bin=step.round(2))
    print(f"{len(planted.text):,} documents in {len(sources)} languages\n")
    print(recall_table(pairs.rename({"bin": "Jaccard from"}), "Jaccard from"), "\n")
    print(recall_table(pairs, "language"), "\n")
    print(verified_table(planted), "\n")
    print(attack(sources["en"], 20_000, random))


if __name__ == "__main__":
    main()
