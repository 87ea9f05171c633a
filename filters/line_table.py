"""A table of the lines of documents: what line rules are about, one row for each line that is not blank."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
import pyarrow as pa

from curation.languages import numbers, units_per_word, words
from curation.text import utf8
from curation.text.cut import gather
from curation.text.scan import Scan
from curation.text.scan_columns import LINE_BULLET, LINE_CURLY, LINE_ELLIPSIS, LINE_TERMINAL
from filters import phrases

_COUNTS = {"characters": pl.Int32, "units": pl.Int32, "words": pl.Float64, "sentences": pl.Int32}
_RATIOS = ("letter_ratio", "digit_ratio", "upper_ratio")
_MARKS = {"terminal": LINE_TERMINAL, "ellipsis": LINE_ELLIPSIS, "bullet": LINE_BULLET, "curly": LINE_CURLY}

NUMBERS = (*_COUNTS, *_RATIOS)
"""Columns a rule may bound. They mean of a line what the signals of these names mean of a document."""
FOREIGN = "foreign_boilerplate"
"""A column, and the kind of mixture (`filters.code_switching`) whose documents it is about."""
FLAGS = (*_MARKS, "seen_before", *phrases.categories(), FOREIGN)
"""Columns that are true or false: how the line begins and ends, a curly bracket in it, whether an equal line stands
before it in the document, whether a phrase of each category of `filters.phrases` is in it, and whether it is in another
language in a document of the kind ``foreign_boilerplate`` (`filters.line_rules` finds these; here it is false)."""
COLUMNS: dict[str, type[pl.DataType]] = {
    **_COUNTS, **dict.fromkeys(_RATIOS, pl.Float64), **dict.fromkeys(FLAGS, pl.Boolean),
    "language": pl.String, "text": pl.String,
}  # fmt: skip
"""Columns a line rule may use, and their types; ``text`` is the line without outer white space."""


def line_table(text: pa.Array, scan: Scan, languages: list[str], wanted: Collection[str] = COLUMNS) -> pl.DataFrame:
    """The lines of n documents in order.

    Args:
        text: the documents, string array [n].
        scan: their scan, still valid.
        languages: n codes.
        wanted: those of `COLUMNS` to build; the text of lines, their phrases and repetitions cost most.

    Returns:
        ``document`` (row, int64), ``start`` and ``stop`` (bytes in the document, outer white space aside, int64),
        ``units`` and what is wanted.
    """
    bounds = scan.line_bounds
    document = np.repeat(np.arange(len(text)), np.diff(bounds))
    start, stop = scan.line("start").astype(np.int64), scan.line("stop").astype(np.int64)
    columns = {"document": document, "start": start, "stop": stop} | _numbers(scan, languages, document)
    marks = scan.line("marks")
    columns |= {name: marks & bit != 0 for name, bit in _MARKS.items()}
    if not set(wanted).isdisjoint(phrases.categories()):
        found = phrases.find(scan, numbers(languages))
        columns |= {name: found >> bit & 1 != 0 for bit, name in enumerate(phrases.categories())}
    keep = [name for name in columns if name not in COLUMNS or name in wanted or name == "units"]
    table = pl.DataFrame({name: columns[name] for name in keep})
    if FOREIGN in wanted:
        table = table.with_columns(pl.lit(False).alias(FOREIGN))
    if "language" in wanted:
        table = table.with_columns(language=pl.Series(languages, dtype=pl.String).gather(document))
    if "seen_before" in wanted:
        first = pl.struct("document", pl.Series(scan.line_hash)).is_first_distinct()
        table = table.with_columns(seen_before=~first)
    if "text" in wanted:
        origin = utf8.buffers(text)[0][document]
        lines = gather(text, origin + start, origin + stop, np.arange(len(document) + 1))
        table = table.with_columns(text=pl.Series(lines))
    return table


def _numbers(scan: Scan, languages: list[str], document: np.ndarray) -> dict[str, np.ndarray]:
    characters, letters, units = scan.line_length.copy(), scan.line("letters"), scan.line("units").copy()
    return {
        "characters": characters,
        "units": units,
        "words": words(units, scan.line("unspaced_units"), units_per_word(languages)[document]),
        "sentences": scan.line("sentences").copy(),
        "letter_ratio": letters / characters,  # a line has at least one character
        "digit_ratio": scan.line("digits") / characters,
        "upper_ratio": scan.line("upper") / np.maximum(letters, 1),
    }
