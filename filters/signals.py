"""Signals of scanned documents: the columns of `filters.signal_table`, computed batch by batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from curation.languages import numbers, units_per_word, words
from curation.text.scan import COUNTS, Scan
from filters import bad_words, hplt, lines, sentences, stop_words
from filters.repetition import RepetitionCounter
from filters.signal_table import NAMES, SCHEMA, SIGNALS, Signal
from filters.statistics import StatisticsCounter

__all__ = ["NAMES", "SCHEMA", "SIGNALS", "Signal", "SignalCounter"]


class SignalCounter:
    """Computes all signals batch by batch, reusing scratch memory."""

    def __init__(self, bad_word_files: Mapping[str, str] | None = None) -> None:
        """``bad_word_files``: language (or ``any``) to the file of its bad words."""
        self._repetition = RepetitionCounter()
        self._statistics = StatisticsCounter()
        self._bad_words = bad_words.table(bad_word_files) if bad_word_files else None

    def compute(self, text: pa.Array, scan: Scan, languages: list[str]) -> pa.RecordBatch:
        """Signals of n documents and their scan, in the order of `SCHEMA`; ``languages``: n identified codes."""
        columns = self.columns(text, scan, languages)
        arrays = [pa.array(columns[signal.name].astype(signal.dtype)) for signal in SIGNALS]
        return pa.record_batch(arrays, schema=SCHEMA)

    def columns(self, text: pa.Array, scan: Scan, languages: list[str]) -> dict[str, np.ndarray]:
        """The same before they are rounded for storage: int64[n] or float64[n] each."""
        number, per_word = numbers(languages), units_per_word(languages)
        columns = _counted(scan, words(scan.column("units"), scan.column("unspaced_units"), per_word))
        columns |= self._repetition.ngrams(scan) | self._repeated_blocks(scan)
        columns |= self._statistics.compute(text) | lines.compute(scan, number, per_word)
        columns |= sentences.compute(text, scan) | hplt.compute(scan, number, self._repetition)
        columns["stop_words"], columns["distinct_stop_words"] = stop_words.count(scan, number)
        columns["bad_words"] = np.zeros(len(number), np.int64)
        if self._bad_words is not None:
            columns["bad_words"] = bad_words.count(self._bad_words, scan, number)
        for name in ("bad_word", "stop_word"):
            columns[f"{name}_ratio"] = _ratio(columns[f"{name}s"], scan.column("units"))
        return columns

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


_COUNTED = ("units", "characters", "lines", "paragraphs", "sentences", "curly_brackets")
_RATIOS = {
    "mean_unit_length": ("unit_characters", "units"),
    "hash_ratio": ("hashes", "words"),
    "ellipsis_ratio": ("ellipses", "words"),
    "letter_token_ratio": ("letter_tokens", "tokens"),
    "bullet_line_ratio": ("bullet_lines", "lines"),
    "ellipsis_line_ratio": ("ellipsis_lines", "lines"),
    "terminal_line_ratio": ("terminal_lines", "lines"),
    "short_line_ratio": ("short_lines", "lines"),
    "newline_word_ratio": ("newlines", "words"),
    "digit_ratio": ("digits", "characters"),
    "punctuation_ratio": ("marks", "characters"),
    "upper_ratio": ("upper", "letters"),
    "space_ratio": ("spaces", "characters"),
    "letter_ratio": ("letters", "characters"),
    "line_length_mean": ("line_characters", "lines"),
    "all_capital_unit_ratio": ("all_capital_units", "units"),
    "capital_unit_ratio": ("capital_units", "units"),
    "url_ratio": ("url_characters", "characters"),
    "markup_ratio": ("markup_characters", "characters"),
    "table_line_ratio": ("table_lines", "lines"),
    "list_line_ratio": ("list_lines", "lines"),
}
"""Signals that are the ratio of two counts of the scan, or of words, or of ``marks``: punctuation and symbols."""
_VALUES = (*COUNTS, "words", "marks")
_NUMERATORS, _DENOMINATORS = np.array([[_VALUES.index(name) for name in pair] for pair in _RATIOS.values()]).T


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator != 0)


def _longest(length: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The greatest of the lengths of each document: int64[n] of int32[...] between bounds int64[n+1], 0 of none."""
    longest = np.zeros(len(bounds) - 1, np.int64)
    filled = np.flatnonzero(np.diff(bounds))
    if len(filled):
        longest[filled] = np.maximum.reduceat(length, bounds[filled])
    return longest


def _counted(scan: Scan, words: np.ndarray) -> dict[str, np.ndarray]:
    """The signals that are a count of the scan, a greatest length or the ratio of two counts."""
    marks = scan.column("punctuation") + scan.column("symbols")
    values = np.vstack([scan.counts.T, words, marks])
    columns = dict(zip(_RATIOS, _ratio(values[_NUMERATORS], values[_DENOMINATORS]), strict=True))
    return columns | {name: scan.column(name) for name in _COUNTED} | {
        "words": words,
        "longest_unit": _longest(scan.unit_length, scan.unit_bounds),
        "line_length_max": _longest(scan.line_length, scan.line_bounds),
    }  # fmt: skip
