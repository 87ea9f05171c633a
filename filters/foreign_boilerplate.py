"""The lines of foreign boilerplate: which lines of a document of this kind are cut."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from curation.langid.identifier import Identifier, Lines
from curation.languages import CODES, numbers
from curation.text import scripts
from curation.text.scan import Scanner
from filters import phrases
from filters.code_switching import line_documents, second_language, whole_lines
from filters.language_spans import SpanFinder

TECHNICAL_SHARE = 0.75
"""Share of its characters that a line to be cut needs in words."""
EDGE = 8
"""Lines from the start and the end of a document that count as its edge."""


class LineLanguages:
    """Finds the lines of foreign boilerplate again, for the few documents that lose them."""

    def __init__(self) -> None:
        self._identifier, self._finder, self._scanner = Identifier(), SpanFinder(), Scanner()

    def foreign(self, text: pa.Array, languages: list[str]) -> np.ndarray:
        """Whether each line of n documents is boilerplate in another language: bool[lines].

        As a whole in another language; a notice, near the start or the end, or more than once in the document; and no
        program code: all of words, with no line of code beside it.
        """
        scan = self._scanner.scan(text)
        lines = self._identifier.identify(text, scan).lines
        main = numbers(languages).astype(np.int16)
        spans = self._finder.find(text, scan, lines, main)
        document, bounds = line_documents(scan), scan.line_bounds
        here = np.arange(len(document))
        edge = np.minimum(here - bounds[:-1][document], bounds[1:][document] - 1 - here) < EDGE
        second = second_language(spans, len(text))
        notice = phrases.find(scan, np.where(second < len(CODES), second, -1)) != 0
        repeated = pl.struct(pl.Series("d", document), pl.Series("h", scan.line_hash))
        again = pl.select(repeated.is_duplicated()).to_series().to_numpy()
        found: np.ndarray = whole_lines(spans) & (edge | notice | again) & ~_near_code(lines, document)
        return found


def _near_code(lines: Lines, document: np.ndarray) -> np.ndarray:
    """Whether a line is partly of technical words, or it or a line beside it is program code: bool[lines]."""
    words = lines.letters[:, 1:].sum(axis=1)
    technical = words < TECHNICAL_SHARE * lines.letters[:, scripts.NONE]
    code = lines.code | (lines.script == scripts.NONE) & (lines.letters[:, scripts.NONE] > 0) & (words > 0)
    near = code.copy()
    same = document[1:] == document[:-1]
    near[1:] |= same & code[:-1]
    near[:-1] |= same & code[1:]
    return technical | near
