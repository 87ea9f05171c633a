"""How frequent words are in each of the languages in Latin script: evidence for the language of single words.

The words and their frequencies are those of wordfreq (Speer 2022, https://github.com/rspeer/wordfreq, CC BY-SA 4.0),
for Cebuano of books and news; `benchmarks/langid_data.py` and ``python -m curation.langid.lexicon`` make the file.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.languages import CODES
from curation.text.hash_table import hash_table
from curation.text.scan import Scanner
from curation.text.utf8 import frozen

FILE = Path(__file__).with_name("words.npz")
LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "cs", "pl", "tr", "vi", "id", "ms", "ceb", "tl")
WORDS = 12_000
"""Most frequent words of each language that are kept."""
STEPS = 12
"""Steps of a nat in which logarithms are stored, in 8 bits."""
ABSENT = 16.0
"""Nats of a word that is not in a language's list: 1 in 9 million."""
FUNCTION = 6.3
"""Nats of a function word: at least 1 in 540, so among the sixty or so most frequent."""


class Lexicon(NamedTuple):
    """Tables for compiled code: a word's row from its hash, its nats from the row."""

    keys: np.ndarray  # uint64[2**k]: hashes of units
    rows: np.ndarray  # int32[2**k]
    nats: np.ndarray  # float32[words, len(LANGUAGES)]: -log of the frequency
    column: np.ndarray  # int64[len(CODES)]: of each of the 29 languages, -1 for those in other scripts


@lru_cache(maxsize=1)
def load() -> Lexicon:
    """The lexicon that comes with the package."""
    with np.load(FILE, allow_pickle=False) as file:
        units, stored = file["units"].tobytes().decode().split("\n"), file["nats"]
    hashes = Scanner().scan(pa.array(units, pa.large_string())).unit_hash
    keys, rows = hash_table({int(hash_): row for row, hash_ in enumerate(hashes)})
    nats = np.where(stored == 255, np.float32(ABSENT), stored / np.float32(STEPS))
    column = np.array([LANGUAGES.index(code) if code in LANGUAGES else -1 for code in CODES])
    return Lexicon(keys, rows.astype(np.int32), frozen(nats.astype(np.float32)), column)


def build(frequencies: dict[str, dict[str, float]]) -> tuple[list[str], np.ndarray]:
    """Words in order, and uint8[words, len(LANGUAGES)] in steps of 1/`STEPS` nats, 255 where absent.

    ``frequencies``: by language, of lower-case words; those that are not one unit of the scan are left out.
    """
    kept: dict[str, dict[str, float]] = {}
    for language in LANGUAGES:
        words = sorted(frequencies[language], key=lambda word: (-frequencies[language][word], word))
        single = np.diff(Scanner().scan(pa.array(words, pa.large_string())).unit_bounds) == 1
        chosen = [word for word, one in zip(words, single, strict=True) if one and not word.isdecimal()][:WORDS]
        kept[language] = {word: frequencies[language][word] for word in chosen}
    units = sorted(set().union(*kept.values()))
    nats = np.full((len(units), len(LANGUAGES)), 255, np.uint8)
    for column, language in enumerate(LANGUAGES):
        for row, word in enumerate(units):
            if word in kept[language]:
                nats[row, column] = min(round(-np.log(kept[language][word]) * STEPS), 254)
    return units, nats


def main(table: str) -> None:
    """Write the lexicon from a Parquet file with the columns ``word``, ``language`` and ``frequency``."""
    import polars as pl

    frame = pl.read_parquet(table)
    frequencies = {
        language: dict(frame.filter(pl.col("language") == language).select("word", "frequency").iter_rows())
        for language in LANGUAGES
    }
    units, nats = build(frequencies)
    np.savez_compressed(FILE, units=np.frombuffer("\n".join(units).encode(), np.uint8), nats=nats)


if __name__ == "__main__":
    main(sys.argv[1])
