"""Signals from the lines of a document: C4's line rules, RedPajama-v2's line signals, boilerplate phrases.

C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2, and its TensorFlow Datasets build) keeps a line that ends in a
sentence-ending mark, does not end in an ellipsis, has at least 5 words and none of the phrases about JavaScript,
cookies and terms; then it keeps a page with at least 3 sentences, no curly bracket and no "lorem ipsum". datatrove's
build asks for 3 words a line and 5 sentences a page; both counts of sentences are given.
"""

from __future__ import annotations

import numpy as np

from curation.text.scan import Scan
from curation.text.scan_columns import LINE_ELLIPSIS, LINE_FACTS, LINE_TERMINAL
from curation.text.utf8 import njit
from filters import phrases

C4_WORDS = {"c4_sentences": 5, "c4_sentences_short_lines": 3}
"""Fewest words of a kept line, by the name of the signal that counts the sentences of the kept lines."""
LONG_LINE = 200
"""Characters of mC4's long line (Xue et al. 2021, arXiv:2010.11934, section 3.1: a page needs three)."""
_STRICT, _LENIENT = C4_WORDS.values()
_C4_PHRASES = ("javascript", "policy", "cookie")


def per_document(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Sums over the lines of each document: float64[n] of values[lines], bounds int64[n+1]."""
    sums = np.zeros(len(bounds) - 1)
    _per_document(values, bounds, sums)
    return sums


@njit
def _per_document(values, bounds, sums):  # type: ignore[no-untyped-def]
    for d in range(len(sums)):
        total = 0.0
        for i in range(bounds[d], bounds[d + 1]):
            total += values[i]
        sums[d] = total


_SUMS = ("long_lines", "line_words_mean", "line_digit_ratio_mean", "line_upper_ratio_mean", "c4_line_characters")
_FIRST_CATEGORY = len(_SUMS) + len(C4_WORDS)
_FACTS = tuple(LINE_FACTS.index(name) for name in ("units", "unspaced_units", "digits", "upper", "sentences", "marks"))


def compute(scan: Scan, language: np.ndarray, units_per_word: np.ndarray) -> dict[str, np.ndarray]:
    """The line signals of n scanned documents, float64[n] each.

    ``language``: int64[n], index into `curation.languages.CODES` or -1; ``units_per_word``: float64[n].
    """
    categories = phrases.categories()
    names = (*_SUMS, *C4_WORDS, *(f"{category}_line_ratio" for category in categories))
    sums = np.zeros((len(names), len(language)))
    unwanted = sum(1 << categories.index(name) for name in _C4_PHRASES)
    _line_sums(scan.line_facts, scan.line_length, scan.line_bounds, phrases.find(scan, language), units_per_word,
               unwanted, len(categories), sums)  # fmt: skip
    out = dict(zip(names, sums, strict=True))
    lines = np.maximum(scan.column("lines"), 1)
    for name in names:
        if name.endswith(("_mean", "_ratio")):
            out[name] /= lines
    out["c4_line_characters"] /= np.maximum(scan.column("line_characters"), 1)
    return out


@njit
def _line_sums(facts, length, bounds, found, units_per_word, unwanted, categories, out):  # type: ignore[no-untyped-def]
    """Fill out float64[names, n] with sums over the lines of each document, in the order of the names of `compute`."""
    units, unspaced, digits, upper, sentences, marks = _FACTS
    for d in range(len(bounds) - 1):
        long_lines, word_sum, digit_sum, upper_sum, kept = 0, 0.0, 0.0, 0.0, 0
        strict = lenient = 0
        for i in range(bounds[d], bounds[d + 1]):
            line = facts[i]
            words = line[units] - line[unspaced] + line[unspaced] / units_per_word[d]
            long_lines += length[i] >= LONG_LINE
            word_sum += words
            digit_sum += line[digits] / length[i]  # a line has at least one character
            upper_sum += line[upper] / length[i]
            if line[marks] & (LINE_TERMINAL | LINE_ELLIPSIS) == LINE_TERMINAL and found[i] & unwanted == 0:
                lenient += line[sentences] * (words >= _LENIENT)
                strict += line[sentences] * (words >= _STRICT)
                kept += length[i] * (words >= _STRICT)
            if found[i]:
                for bit in range(categories):
                    out[_FIRST_CATEGORY + bit, d] += found[i] >> bit & 1
        out[0, d], out[1, d], out[2, d], out[3, d] = long_lines, word_sum, digit_sum, upper_sum
        out[4, d], out[5, d], out[6, d] = kept, strict, lenient
