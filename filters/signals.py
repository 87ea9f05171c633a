"""The signals: every number stored about a document, in one plain table, and the function that computes them.

Ratios with a zero denominator are 0. *Units* stand for words (`curation.text.scan`); *words* are units divided by the
language's `units_per_word`, so that a number of words means about as much text in every language.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.languages import CODES, LANGUAGES
from curation.text.scan import Scan
from filters import lines, phrases, stop_words
from filters.repetition import DUPLICATE_SIZES, TOP_SIZES, RepetitionCounter
from filters.statistics import StatisticsCounter


class Signal(NamedTuple):
    name: str
    dtype: str  # Arrow type
    unit: str
    definition: str
    source: str


GOPHER = "Gopher (Rae et al. 2021, arXiv:2112.11446), table A1 and section A.1.1"
FINEWEB = "FineWeb (Penedo et al. 2024, arXiv:2406.17557), section 3.6"
C4 = "C4 (Raffel et al. 2020, arXiv:1910.10683), section 2.2"
REDPAJAMA = "RedPajama-v2 (Weber et al. 2024, arXiv:2411.12372), quality signals"
OURS = "Glotmill"

SIGNALS: tuple[Signal, ...] = (
    Signal("characters", "uint32", "code points", "length of the text", OURS),
    Signal("units", "uint32", "units", "words, characters or clusters, by script", OURS),
    Signal("words", "float32", "words", "units divided by the language's units per word", GOPHER),
    Signal("mean_unit_length", "float32", "code points", "characters inside units / units", GOPHER),
    Signal("hash_ratio", "float32", "ratio", "'#' characters / words", GOPHER),
    Signal("ellipsis_ratio", "float32", "ratio", "'...' and '…' / words", GOPHER),
    Signal("letter_token_ratio", "float32", "ratio", "white-space tokens with a letter / tokens", GOPHER),
    Signal("stop_words", "uint32", "words", "occurrences of the language's stop words", GOPHER),
    Signal("distinct_stop_words", "uint8", "words", "different stop words of the language that occur", GOPHER),
    Signal("bullet_line_ratio", "float32", "ratio", "lines that start with a bullet / lines", GOPHER),
    Signal("ellipsis_line_ratio", "float32", "ratio", "lines that end in an ellipsis / lines", GOPHER),
    Signal("lines", "uint32", "lines", "lines that are not blank", OURS),
    Signal("paragraphs", "uint32", "paragraphs", "blocks of lines between blank lines", OURS),
    Signal("sentences", "uint32", "sentences", "runs of sentence-ending marks of any of the scripts", OURS),
    Signal("duplicate_line_ratio", "float32", "ratio", "lines seen before in the document / lines", GOPHER),
    Signal("duplicate_line_characters", "float32", "ratio", "characters of such lines / characters of lines", GOPHER),
    Signal("duplicate_paragraph_ratio", "float32", "ratio", "paragraphs seen before / paragraphs", GOPHER),
    Signal("duplicate_paragraph_characters", "float32", "ratio", "their characters / characters of lines", GOPHER),
    *(
        Signal(f"top_{k}_gram", "float32", "ratio", f"unit characters in the most frequent {k}-gram", GOPHER)
        for k in TOP_SIZES
    ),
    *(
        Signal(f"duplicate_{k}_gram", "float32", "ratio", f"unit characters in repeated {k}-grams", GOPHER)
        for k in DUPLICATE_SIZES
    ),
    Signal("terminal_line_ratio", "float32", "ratio", "lines that end in a sentence-ending mark / lines", FINEWEB),
    Signal("short_line_ratio", "float32", "ratio", "lines of at most 30 characters / lines", FINEWEB),
    Signal("newline_word_ratio", "float32", "ratio", "line ends / words", FINEWEB),
    Signal("digit_ratio", "float32", "ratio", "digits / characters", OURS),
    Signal("punctuation_ratio", "float32", "ratio", "punctuation and symbols / characters", OURS),
    Signal("upper_ratio", "float32", "ratio", "upper-case letters / letters", OURS),
    Signal("space_ratio", "float32", "ratio", "white space / characters", OURS),
    Signal("letter_ratio", "float32", "ratio", "letters / characters", OURS),
    Signal("line_length_mean", "float32", "code points", "characters of lines / lines", "The Stack (arXiv:2211.15533)"),
    Signal("line_length_max", "uint32", "code points", "longest line", "The Stack (arXiv:2211.15533)"),
    Signal("curly_brackets", "uint32", "characters", "'{' and '}'", C4),
    Signal("longest_unit", "uint32", "code points", "longest unit", C4),
    Signal("c4_sentences", "uint32", "sentences", "sentences in the lines C4 keeps, of at least 5 words", C4),
    Signal("c4_sentences_short_lines", "uint32", "sentences", "the same with lines of at least 3 words", C4),
    Signal("c4_line_characters", "float32", "ratio", "characters of the lines C4 keeps / of all lines", C4),
    Signal("line_words_mean", "float32", "words", "words of a line, mean over lines", REDPAJAMA),
    Signal("line_digit_ratio_mean", "float32", "ratio", "digits / characters of a line, mean over lines", REDPAJAMA),
    Signal(
        "line_upper_ratio_mean", "float32", "ratio", "upper case / characters of a line, mean over lines", REDPAJAMA
    ),
    Signal("stop_word_ratio", "float32", "ratio", "stop words / units", REDPAJAMA),
    Signal("unique_unit_ratio", "float32", "ratio", "different units / units", REDPAJAMA),
    Signal("unit_entropy", "float32", "nats", "entropy of the distribution of units", REDPAJAMA),
    Signal("character_entropy", "float32", "bits", "entropy of the distribution of code points", OURS),
    Signal("compression_ratio", "float32", "ratio", "bytes after zstd level -1 / bytes", OURS),
    *(
        Signal(f"{category}_line_ratio", "float32", "ratio", f"lines with a {category} phrase / lines", OURS)
        for category in phrases.categories()
    ),
)

NAMES = tuple(signal.name for signal in SIGNALS)
SCHEMA = pa.schema([pa.field(s.name, pa.type_for_alias(s.dtype), nullable=False) for s in SIGNALS])


class SignalCounter:
    """Computes all signals batch by batch, reusing scratch memory."""

    def __init__(self) -> None:
        self._repetition = RepetitionCounter()
        self._statistics = StatisticsCounter()

    def compute(self, text: pa.Array, scan: Scan, languages: list[str]) -> pa.RecordBatch:
        """Signals of n documents and their scan, in the order of `SCHEMA`; ``languages``: n identified codes."""
        number = np.array([_NUMBER.get(language, -1) for language in languages], np.int64)
        per_word = np.array([LANGUAGES[x].units_per_word if x in LANGUAGES else 1.0 for x in languages])
        columns = _counted(scan, scan.column("units") / per_word)
        columns |= self._repetition.ngrams(scan) | self._repeated_blocks(scan)
        columns |= self._statistics.compute(text, scan) | lines.compute(scan, number, per_word)
        columns["stop_words"], distinct = stop_words.count(scan, number)
        columns["distinct_stop_words"] = distinct
        columns["stop_word_ratio"] = _ratio(columns["stop_words"], scan.column("units"))
        arrays = [pa.array(columns[signal.name].astype(signal.dtype)) for signal in SIGNALS]
        return pa.record_batch(arrays, schema=SCHEMA)

    def _repeated_blocks(self, scan: Scan) -> dict[str, np.ndarray]:
        out = {}
        characters = scan.column("line_characters")
        for block, hashes, lengths, bounds in (
            ("line", scan.line_hash, scan.line_length, scan.line_bounds),
            ("paragraph", scan.paragraph_hash, scan.paragraph_length, scan.paragraph_bounds),
        ):
            count, repeated = self._repetition.duplicates(hashes, lengths, bounds)
            out[f"duplicate_{block}_ratio"] = _ratio(count, np.diff(bounds))
            out[f"duplicate_{block}_characters"] = _ratio(repeated, characters)
        return out


_NUMBER = {code: number for number, code in enumerate(CODES)}


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / np.where(denominator == 0, 1, denominator) * (denominator != 0)


def _counted(scan: Scan, words: np.ndarray) -> dict[str, np.ndarray]:
    """The signals that are a count of the scan or the ratio of two."""
    count = scan.column
    characters, line_count, units = count("characters"), count("lines"), count("units")
    longest = np.zeros(len(line_count), np.int64)
    filled = np.flatnonzero(line_count)
    if len(filled):
        longest[filled] = np.maximum.reduceat(scan.line_length, scan.line_bounds[filled])
    return {
        "characters": characters,
        "units": units,
        "words": words,
        "mean_unit_length": _ratio(count("unit_characters"), units),
        "hash_ratio": _ratio(count("hashes"), words),
        "ellipsis_ratio": _ratio(count("ellipses"), words),
        "letter_token_ratio": _ratio(count("letter_tokens"), count("tokens")),
        "bullet_line_ratio": _ratio(count("bullet_lines"), line_count),
        "ellipsis_line_ratio": _ratio(count("ellipsis_lines"), line_count),
        "lines": line_count,
        "paragraphs": count("paragraphs"),
        "sentences": count("sentences"),
        "terminal_line_ratio": _ratio(count("terminal_lines"), line_count),
        "short_line_ratio": _ratio(count("short_lines"), line_count),
        "newline_word_ratio": _ratio(count("newlines"), words),
        "digit_ratio": _ratio(count("digits"), characters),
        "punctuation_ratio": _ratio(count("punctuation") + count("symbols"), characters),
        "upper_ratio": _ratio(count("upper"), count("letters")),
        "space_ratio": _ratio(count("spaces"), characters),
        "letter_ratio": _ratio(count("letters"), characters),
        "line_length_mean": _ratio(count("line_characters"), line_count),
        "line_length_max": longest,
        "curly_brackets": count("curly_brackets"),
    }
