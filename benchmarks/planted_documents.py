"""Documents with planted near duplicates, of units drawn at random from real text of any language.

A base document is a random sequence of units (see `curation.text.scan`), so that bases share next to no shingle. A copy
has units replaced, dropped and inserted at random places until its exact Jaccard similarity to the base, by the very
shingles that the product uses, lies in the bin it is meant for. All is a pure function of the text and the seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup import minhash
from curation.languages import LANGUAGES
from curation.recipe_dedup import MinHash
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from curation.text.unit_text import separate_units

EDGES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Bounds of the bins of Jaccard similarity; a bin holds its lower bound."""
BINS = len(EDGES) - 1
WORDS = (200, 400)
"""Least and most words of a base; in scripts without spaces as many units as hold the same text."""
ROUNDS = 20
"""Times that a copy outside its bin is made anew."""
SOURCE_UNITS = 2_000_000
BATCH = 1000
HEADER, BODY = 200, (68, 96)
"""Words of the header that a family of pages shares and of each page's own: with h shingles shared and b, c of their
own two pages are h / (h + b + c) alike, here 0.51 to 0.60."""


class Source(NamedTuple):
    """Units of real text of one language."""

    words: np.ndarray  # object[vocabulary]: str
    stream: np.ndarray  # int32[units]: numbers of words as they follow each other in real text
    spaced: bool
    units_per_word: float

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Units as often as they occur in the text: int32[count]."""
        drawn: np.ndarray = self.stream[random.integers(len(self.stream), size=count)]
        return drawn

    def base(self, random: np.random.Generator) -> np.ndarray:
        """Units of a base document: int32[units]."""
        return self.draw(int(random.integers(WORDS[0], WORDS[1] + 1) * self.units_per_word), random)

    def write(self, units: np.ndarray) -> str:
        return (" " if self.spaced else "").join(self.words[units])


class Planted(NamedTuple):
    """n documents in random order and the planted pairs among them."""

    text: pa.LargeStringArray  # [n]
    language: np.ndarray  # str[n]
    group: np.ndarray  # int64[n]: the same for a base and its copies
    family: np.ndarray  # bool[n]: one of a base and several copies, not of a single pair
    pairs: pl.DataFrame  # left, right (rows), language, family, bin (number), jaccard (exact)
    left_out: int  # copies that met their bin in no round


def read_sources(paths: Iterable[Path], languages: Iterable[str]) -> dict[str, Source]:
    """Units of each language from Parquet files with the columns ``language`` and ``text``.

    Raises:
        ValueError: a language has fewer than 10,000 units there.
    """
    paths = list(paths)
    frame = pl.concat([pl.read_parquet(path, columns=["language", "text"]) for path in paths])
    return {code: _source(frame.filter(pl.col("language") == code)["text"], code, paths) for code in languages}


def _source(text: pl.Series, code: str, paths: list[Path]) -> Source:
    language, scanner = LANGUAGES[code], Scanner()
    parts: list[pa.Array] = []
    for start in range(0, len(text), BATCH):
        batch = normalize(text[start : start + BATCH].to_arrow().cast(pa.large_string())).text
        parts.append(pc.split_pattern(separate_units(batch, scanner), " ").flatten())
        if sum(map(len, parts)) > 2 * SOURCE_UNITS:
            break
    encoded = pa.concat_arrays([pa.array([], pa.large_string()), *parts]).dictionary_encode()
    words = np.array(encoded.dictionary.to_pylist(), object)
    # Names in Latin letters would be one unit where nothing parts them, and change which script a document is of.
    kept = np.array([word[:1].isalpha() and (language.spaced or not word.isascii()) for word in words], bool)
    stream = encoded.indices.to_numpy()
    stream = stream[kept[stream]][:SOURCE_UNITS]
    if len(stream) < 10_000:
        raise ValueError(f"language {code}: {len(stream)} units in {', '.join(map(str, paths))}; give more text of it")
    return Source(words, stream, language.spaced, language.units_per_word)


def shingle_sets(text: pa.Array, shingle: int) -> list[np.ndarray]:
    """The set of shingle hashes of each document, sorted uint32 arrays."""
    scanner, sets = Scanner(), []
    for start in range(0, len(text), BATCH):
        batch = text.slice(start, BATCH)
        lists = minhash.shingle_sets(batch, scanner.scan(batch), shingle)
        sets += np.split(lists.values.to_numpy(), lists.offsets.to_numpy()[1:-1])
    return sets


def jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """Exact Jaccard similarity of two sets without repeats."""
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / max(len(left) + len(right) - shared, 1)


def plant(sources: dict[str, Source], documents: int, parameters: MinHash, random: np.random.Generator) -> Planted:
    """About ``documents`` documents, as many in each language: half of them a base and one copy, half a base with one
    copy in every bin."""
    share = documents // len(sources)
    single, full = share // 4, share // 2 // (BINS + 1)
    base_of = np.concatenate([np.arange(single), np.repeat(single + np.arange(full), BINS)])
    bin_of = np.concatenate([np.arange(single) % BINS, np.tile(np.arange(BINS), full)])
    texts: list[str] = []
    codes, groups, families, left, right, bins, values = [], [], [], [], [], [], []
    left_out = 0
    for number, (code, source) in enumerate(sources.items()):
        bases = [source.base(random) for _ in range(single + full)]
        written = [source.write(units) for units in bases]
        copies, similarity = _copies(source, bases, written, base_of, bin_of, parameters, random)
        made = np.flatnonzero([copy is not None for copy in copies])
        left_out += len(copies) - len(made)
        left.append(len(texts) + base_of[made])
        right.append(len(texts) + len(bases) + np.arange(len(made)))
        texts += written + [copy for copy in copies if copy is not None]
        group = np.concatenate([np.arange(len(bases)), base_of[made]])
        groups.append(number * len(bases) + group)
        families.append(group >= single)
        codes.append(np.full(len(group), code))
        bins.append(bin_of[made])
        values.append(similarity[made])
    order = random.permutation(len(texts))
    place = np.argsort(order)
    rows = place[np.concatenate(left)]
    language, family = np.concatenate(codes)[order], np.concatenate(families)[order]
    pairs = pl.DataFrame({
        "left": rows, "right": place[np.concatenate(right)], "language": language[rows], "family": family[rows],
        "bin": np.concatenate(bins), "jaccard": np.concatenate(values),
    })  # fmt: skip
    text = pa.array(texts, pa.large_string()).take(pa.array(order))
    return Planted(text, language, np.concatenate(groups)[order], family, pairs, left_out)


def _copies(
    source: Source, bases: list[np.ndarray], written: list[str], base_of: np.ndarray, bin_of: np.ndarray,
    parameters: MinHash, random: np.random.Generator,
) -> tuple[list[str | None], np.ndarray]:  # fmt: skip
    """For each base in ``base_of`` (int64[m]) a copy in its bin, or None, and its similarity (float64[m])."""
    own = shingle_sets(pa.array(written, pa.large_string()), parameters.shingle)
    low, high = np.array(EDGES[:-1])[bin_of], np.array(EDGES[1:])[bin_of]
    lengths = np.array([len(units) for units in bases])[base_of]
    copies: list[str | None] = [None] * len(base_of)
    similarity = np.zeros(len(base_of))
    # An edit changes about as many of the shingles as a shingle has units; a first guess, corrected by what is found.
    change = np.full(len(base_of), parameters.shingle * source.units_per_word) / lengths
    pending = np.arange(len(base_of))
    for _ in range(ROUNDS):
        wanted = -np.log(_kept(random.uniform(low[pending], high[pending])))
        edits = np.maximum(1, np.rint(wanted / change[pending])).astype(int)
        new = [source.write(_edited(bases[base_of[i]], k, source, random)) for i, k in zip(pending, edits, strict=True)]
        sets = shingle_sets(pa.array(new, pa.large_string()), parameters.shingle)
        found = np.array([jaccard(own[base_of[i]], copy) for i, copy in zip(pending, sets, strict=True)])
        good = (low[pending] <= found) & (found < high[pending])
        for at in np.flatnonzero(good):
            copies[pending[at]], similarity[pending[at]] = new[at], found[at]
        change[pending] = np.maximum(-np.log(_kept(np.clip(found, 0.01, 0.999))) / edits, 1e-4)
        pending = pending[~good]
        if not len(pending):
            break
    return copies, similarity


def _kept(similarity: np.ndarray) -> np.ndarray:
    """Share of the shingles of a base that a copy of about its length keeps at a Jaccard similarity."""
    return 2 * similarity / (1 + similarity)


def _edited(units: np.ndarray, edits: int, source: Source, random: np.random.Generator) -> np.ndarray:
    """Units with ``edits`` of them replaced, dropped or put behind a new one, each as likely: int32[units]."""
    at = random.permutation(len(units))[:edits]
    kind, new = random.integers(3, size=len(at)), source.draw(len(at), random)
    out = units.copy()
    out[at[kind == 0]] = new[kind == 0]
    out[at[kind == 1]] = -1
    out = np.insert(out, at[kind == 2], new[kind == 2])
    return out[out >= 0]


def one_band(source: Source, documents: int, parameters: MinHash, random: np.random.Generator) -> pa.LargeStringArray:
    """Documents that share the key of the first band and, of some 300 shingles, only one for each of its rows.

    Of very many single shingles the one with the least value of a row is its minimum in almost every document.
    """
    tried = [source.draw(parameters.shingle, random) for _ in range(400_000)]
    text, scanner = pa.array([source.write(units) for units in tried], pa.large_string()), Scanner()
    values = [
        minhash.signatures(batch, scanner.scan(batch), parameters)[:, : parameters.rows]
        for batch in (text.slice(start, BATCH) for start in range(0, len(text), BATCH))
    ]
    passages = [tried[i] for i in np.concatenate(values).argmin(0)]
    out = []
    for _ in range(documents):
        body = source.base(random)
        cuts = np.sort(random.choice(len(body) // 10, len(passages), replace=False)) * 10
        pieces = np.split(body, cuts)
        placed = [part for i, piece in enumerate(pieces[:-1]) for part in (piece, passages[i])]
        out.append(source.write(np.concatenate([*placed, pieces[-1]])))
    return pa.array(out, pa.large_string())


def pages_with_one_header(source: Source, documents: int, random: np.random.Generator) -> pa.LargeStringArray:
    """Pages of one long header and shorter bodies of their own: each two 0.51 to 0.60 alike."""
    header = source.draw(HEADER, random)
    bodies = [source.draw(int(random.integers(BODY[0], BODY[1] + 1)), random) for _ in range(documents)]
    return pa.array([source.write(np.concatenate([header, body])) for body in bodies], pa.large_string())
