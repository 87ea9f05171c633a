"""Components of HPLT's web document score (HPLT v2, Burchell et al. 2025, arXiv:2503.10267; web-docs-scorer).

A *segment* is a line, a *word character* one that is no digit, punctuation, symbol or white space (by Unicode
category). Each score is 1 for a good document and 0 for a bad one: linear between the points published for Spanish,
which other languages stretch by the ratio of their median to the Spanish one. The language score is
``hplt_language`` of `filters.code_switching`. Left out: informativeness, whose curves are published for their
compressor only; see ``compression_ratio``.
"""

from __future__ import annotations

import numpy as np

from curation.languages import CODES
from curation.text.scan import Scan
from filters.lines import per_document
from filters.repetition import RepetitionCounter

SPANISH = (1.3, 2.4, 0.3)
MEDIANS = {
    "en": (1.3, 2.9, 0.5), "zh": (9.0, 9.9, 1.5), "de": (1.2, 2.8, 0.4), "fr": (1.3, 3.4, 1.0), "es": SPANISH,
    "pt": (1.8, 3.1, 0.5), "it": (1.5, 2.9, 0.7), "nl": (1.1, 2.4, 0.3), "ru": (1.6, 3.1, 0.4), "cs": (1.5, 3.1, 0.3),
    "pl": (1.5, 2.8, 0.3), "ar": (1.8, 2.4, 0.4), "fa": (1.5, 2.6, 0.3), "he": (1.0, 3.8, 0.4), "tr": (1.4, 2.5, 0.4),
    "ja": (4.2, 6.5, 0.8), "ko": (6.6, 7.3, 1.2), "vi": (2.4, 3.0, 0.5), "th": (2.0, 1.2, 0.3), "id": (1.4, 2.6, 0.3),
    "ms": (3.2, 3.8, 0.7), "my": (2.3, 0.8, 0.2), "tl": (1.4, 3.1, 0.3), "hi": (2.6, 2.0, 0.3), "bn": (1.2, 1.7, 0.4),
    "ur": (1.8, 2.1, 0.3),
}  # fmt: skip
"""Published medians: digits, punctuation and singular characters in a hundred word characters."""
RELATIVES = {"lo": "th", "km": "th", "ceb": "tl"}
"""Languages without published medians, and the language whose they take."""

NUMBERS = ([1, 10, 15, 30], [1, 0.7, 0.5, 0])
SINGULAR = ([1, 2, 6, 10], [1, 0.7, 0.5, 0])
PUNCTUATION = ([0.3, 0.5, 0.9, 2.5, 9, 13, 25], [0, 0.5, 1, 1, 0.7, 0.5, 0])
URLS = ([5, 30, 100], [1, 0.5, 0])  # in a hundred segments that are not short
SHORT_SEGMENT, LONG_SEGMENT, GREAT_SEGMENT, GREATEST_SEGMENT = 30, 250, 625, 1000  # word characters, in Spanish
LONG_SEGMENTS = 10  # as many or more score 1
ALPHA, WEIGHT = 2.9, 3.0
"""Of the penalty: the sharpness of the soft minimum, and the sum of the exponents."""
LEAST = 0.1  # a lower score makes the penalty 0
PENALISED = ("hplt_numbers", "hplt_punctuation", "hplt_singular", "hplt_urls", "hplt_repeated")
"""The scores that the penalty is made of."""

_TABLE = np.array([MEDIANS[RELATIVES.get(code, code)] for code in CODES] + [SPANISH])  # the last for other languages


def compute(scan: Scan, language: np.ndarray, repetition: RepetitionCounter) -> dict[str, np.ndarray]:
    """The scores, float64[n] each, of n scanned documents.

    ``language``: int64[n], index into `curation.languages.CODES` or -1.
    """
    numbers, punctuation, singular = (_TABLE[language] / SPANISH).T
    word = np.maximum(_word_characters(scan), 1)
    count = scan.column
    marks = count("punctuation") + count("symbols") - count("singular")
    out = {
        "hplt_numbers": np.interp(100 * count("digits") / word / numbers, *NUMBERS),
        "hplt_punctuation": np.interp(100 * marks / word / punctuation, *PUNCTUATION),
        "hplt_singular": np.interp(100 * count("singular") / word / singular, *SINGULAR),
    } | _segments(scan, punctuation, repetition)
    return out | {"hplt_penalty": _penalty(np.stack([out[name] for name in PENALISED]))}


def _word_characters(scan: Scan) -> np.ndarray:
    count = scan.column
    characters: np.ndarray = count("characters") - (
        count("digits") + count("punctuation") + count("symbols") + count("spaces")
    )
    return characters


def _segments(scan: Scan, punctuation: np.ndarray, repetition: RepetitionCounter) -> dict[str, np.ndarray]:
    """Scores of segments; the more punctuation a language uses, the shorter its segments may be."""
    bounds, length = scan.line_bounds, scan.line("word_characters")
    length = length * np.repeat(punctuation, np.diff(bounds))  # as if it were Spanish
    counted = length > SHORT_SEGMENT
    counted_bounds = np.concatenate([[0], np.cumsum(counted)])[bounds]
    segments = np.diff(counted_bounds)
    again, _ = repetition.duplicates(scan.line_hash[counted], scan.line_length[counted], counted_bounds)
    great = length >= GREAT_SEGMENT
    greatness = np.interp(length, [GREAT_SEGMENT, GREATEST_SEGMENT], [0, 1])
    return {
        "hplt_urls": np.interp(100 * scan.column("urls") / np.maximum(segments, 1), *URLS),
        "hplt_repeated": 1 - again / np.maximum(segments, 1),
        "hplt_long_segments": np.minimum(per_document(length > LONG_SEGMENT, bounds) / LONG_SEGMENTS, 1),
        "hplt_great_segments": per_document(greatness * great, bounds) / np.maximum(per_document(great, bounds), 1),
    }


def _penalty(scores: np.ndarray) -> np.ndarray:
    """Weighted product of the scores float64[scores, n], the lowest weighing most; 0 where one is below `LEAST`."""
    safe = np.maximum(scores, LEAST)
    exponents = safe**-ALPHA
    exponents *= WEIGHT / exponents.sum(0)
    penalty: np.ndarray = np.prod(safe**exponents, 0) * (scores >= LEAST).all(0)
    return penalty
