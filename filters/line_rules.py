"""Line rules applied: the spans of bytes that a policy leaves out of documents."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curation import schema
from curation.text import utf8
from curation.text.scan import Scanner
from filters.foreign_boilerplate import LineLanguages
from filters.line_table import FOREIGN, line_table
from filters.lines import per_document
from filters.policy import Policy
from filters.rules import SEPARATOR

REMOVED_REASON = "lines.removed"
"""Of documents that lose more than the policy's ``max_removed`` of their words, or every line."""


class Cleaned(NamedTuple):
    removed: pa.ListArray  # schema.REMOVED [n]
    rejected: np.ndarray  # bool[n]: for `REMOVED_REASON`


class LineCleaner:
    """Applies the line rules of a policy to batches of documents, reusing the buffers of its scanner."""

    def __init__(self, policy: Policy) -> None:
        self._reasons, self._columns = policy.line_reasons(), policy.line_columns()
        self._most = {name: domain.max_removed for name, domain in policy.domains.items()}
        self._scanner = Scanner()
        self._languages = LineLanguages() if FOREIGN in self._columns else None

    def clean(
        self, text: pa.Array, languages: list[str], domains: list[str], kinds: list[str] | None = None
    ) -> Cleaned:
        """What the rules remove from n documents.

        Args:
            text: normalised, string array [n].
            languages: n codes.
            domains: n names.
            kinds: n kinds of mixture (`filters.code_switching`); null: none has foreign boilerplate.
        """
        scan = self._scanner.scan(text)
        table = line_table(text, scan, languages, self._columns)
        if FOREIGN in self._columns:
            flags = self._foreign_boilerplate(text, table, scan.line_bounds, languages, kinds)
            table = table.with_columns(pl.Series(FOREIGN, flags))
        domain = pl.Series(domains, dtype=pl.String).gather(table["document"])
        reasons = table.with_columns(domain=domain).select(reasons=self._reasons)["reasons"]
        removed = (reasons != "").to_numpy()
        bounds, units = scan.line_bounds, table["units"].to_numpy()
        lost = per_document(units * removed, bounds) / np.maximum(per_document(units, bounds), 1)
        most = np.array([_or_one(self._most.get(name)) for name in domains], np.float64)
        none_left = (per_document(removed, bounds) == np.diff(bounds)) & (np.diff(bounds) > 0)
        return Cleaned(spans(text, table, bounds, reasons), (lost > most) | none_left)

    def _foreign_boilerplate(
        self, text: pa.Array, table: pl.DataFrame, bounds: np.ndarray, languages: list[str], kinds: list[str] | None
    ) -> np.ndarray:
        """Of the lines of documents of this kind, those in another language: bool[lines]."""
        flags = np.zeros(table.height, bool)
        rows = [row for row, kind in enumerate(kinds or ()) if kind == FOREIGN]
        if rows and self._languages is not None:
            found = self._languages.foreign(text.take(pa.array(rows)), [languages[row] for row in rows])
            flags[np.concatenate([np.arange(bounds[row], bounds[row + 1]) for row in rows])] = found
        return flags


def _or_one(most: float | None) -> float:
    return 1.0 if most is None else most


def spans(text: pa.Array, lines: pl.DataFrame, bounds: np.ndarray, reasons: pl.Series) -> pa.ListArray:
    """The spans of removed lines, `schema.REMOVED` [n].

    Of the blank lines around a run of removed lines, the larger gap stays and the other goes with the run: with the
    gap before, a span goes from the start of its first line to the start of the next line; with the gap after, from
    the end of the line before to the end of its last line. At the start and the end of a document the gap goes.

    Args:
        text: the documents, string array [n].
        lines: ``document``, ``start`` and ``stop`` of each line that is not blank, as of `line_table`.
        bounds: int64[n+1]; the lines of document d are [bounds[d], bounds[d+1]).
        reasons: one string a line: names of the rules that remove it, `SEPARATOR` between them, '' for none.
    """
    document = lines["document"].to_numpy()
    origin, end_of_text = (offset[document] for offset in _offsets(text))
    begin, end, gap = whole_lines(text, lines, origin, end_of_text)
    here = np.arange(len(document))
    is_first, is_last = here == bounds[:-1][document], here + 1 == bounds[1:][document]
    # A gap that does not count: that before a document and that after it. Where no line is left, the span is all of it.
    gap_before = np.where(is_first, np.inf, gap)
    gap_after = np.where(is_last, np.inf, np.append(gap, 0)[1:])

    removed = (reasons != "").to_numpy()
    opens = removed & (is_first | ~np.append(False, removed)[:-1])
    closes = removed & (is_last | ~np.append(removed, False)[1:])
    run = (np.cumsum(opens) - 1)[removed]
    gap_before_stays = (gap_before[opens] >= gap_after[closes])[run]
    next_begin = np.where(is_last, end_of_text, np.append(begin, 0)[1:])
    start = np.where(gap_before_stays, np.where(is_first, origin, begin)[removed], np.append(0, end)[:-1][removed])
    stop = np.where(gap_before_stays, next_begin[removed], end[removed])

    names = reasons.filter(pl.Series(removed))
    differs = (names != names.shift(1)).fill_null(True).to_numpy() if len(names) else removed[:0]
    opens_span = opens[removed] | differs
    closes_span = np.append(opens_span, True)[1:]
    return _list_array(
        len(text), document[removed][opens_span], (start - origin[removed])[opens_span],
        (stop - origin[removed])[closes_span], names.filter(pl.Series(opens_span)),
    )  # fmt: skip


def _offsets(text: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    offsets = utf8.buffers(text)[0]
    return offsets[:-1], offsets[1:]


def whole_lines(
    text: pa.Array, lines: pl.DataFrame, origin: np.ndarray, end_of_text: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and end of lines with their outer white space, without line ends, and the line ends before: int64 each."""
    offsets, data = utf8.buffers(text)
    line_ends = np.flatnonzero(data[offsets[0] : offsets[-1]] == ord("\n")) + offsets[0]
    before = np.searchsorted(line_ends, origin + lines["start"].to_numpy())
    fenced = np.concatenate([[offsets[0] - 1], line_ends, [offsets[-1]]])
    begin, end = np.maximum(fenced[before] + 1, origin), np.minimum(fenced[before + 1], end_of_text)
    return begin, end, np.diff(before, prepend=0)


def _list_array(n: int, document: np.ndarray, start: np.ndarray, stop: np.ndarray, names: pl.Series) -> pa.ListArray:
    fields = list(schema.REMOVED.value_type)
    rules = names.str.split(SEPARATOR).to_arrow().cast(fields[2].type)
    columns = [pa.array(start, fields[0].type), pa.array(stop, fields[1].type), rules]
    ends = np.cumsum(np.bincount(document, minlength=n))
    found = pa.StructArray.from_arrays(columns, fields=fields)
    return pa.ListArray.from_arrays(pa.array(np.append(0, ends), pa.int32()), found).cast(schema.REMOVED)
