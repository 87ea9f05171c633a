"""Shared passages in documents that were decided on: their keys, and the documents without those that others have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation import schema
from curation.dedup import passages, substrings
from curation.dedup.passages import passage_keys
from curation.languages import numbers
from curation.recipe_dedup import Passages, Repeated
from curation.text import utf8
from curation.text.cut import cut, span_bytes
from curation.text.scan import Scanner
from filters.line_rules import spans, whole_lines
from filters.line_table import line_table
from filters.rules import SEPARATOR

LINE, PARAGRAPH, SUBSTRING = "dedup.line", "dedup.paragraph", "dedup.substring"
LITTLE_LEFT = "dedup.little_left"
"""Reason of documents that keep less than ``min_left`` of their bytes."""
KINDS = (LINE, PARAGRAPH)


class Lines(NamedTuple):
    """The lines of a batch that are left, and the passages they make."""

    text: pa.Array
    table: pl.DataFrame  # document, start, stop; reasons: rules that have removed the line already, '' for none
    bounds: np.ndarray  # int64[n+1] of the lines
    keys: dict[str, np.ndarray]  # uint64 of each passage of a kind
    line: dict[str, np.ndarray]  # bool[lines]: whether a line is in a passage of a kind that is long enough
    passage: dict[str, np.ndarray]  # int64[lines]: which passage of a kind it is in


def find_lines(
    text: pa.Array, removed: pa.ListArray, languages: list[str], settings: Passages, scanner: Scanner
) -> Lines:
    """Lines and paragraphs of n documents.

    Args:
        text: string array [n].
        removed: schema.REMOVED [n], what is cut from them already; these lines are in no passage.
        languages: n codes; a passage of one language is none of another.
    """
    scan = scanner.scan(text)
    table = line_table(text, scan, languages, ["words"])
    document = table["document"].to_numpy()
    offsets = utf8.buffers(text)[0]
    gap = whole_lines(text, table, offsets[:-1][document], offsets[1:][document])[2]
    reasons = _reasons_of_lines(table, removed)
    language = numbers(languages).astype(np.int64)
    opens = np.append(True, document[1:] != document[:-1]) | (gap > 1) if len(document) else np.zeros(0, bool)
    passage = {LINE: np.arange(len(document)), PARAGRAPH: np.cumsum(opens) - 1}
    keys, line = {}, {}
    left = reasons == ""
    for kind, rule in _rules(settings).items():
        count = int(passage[kind][-1]) + 1 if len(document) else 0
        first = np.searchsorted(passage[kind], np.arange(count))
        salt = language[document[first]].astype(np.uint64) + np.uint64(1000 * KINDS.index(kind))
        keys[kind] = passage_keys(scan.line_hash.copy(), passage[kind], salt)
        words = np.bincount(passage[kind], table["words"].to_numpy(), count)
        whole = np.bincount(passage[kind], ~left, count) == 0
        line[kind] = ((words >= rule.min_words) & whole)[passage[kind]]
    table = table.select("document", "start", "stop").with_columns(reasons=pl.Series(reasons, dtype=pl.String))
    return Lines(text, table, scan.line_bounds.copy(), keys, line, passage)


def _rules(settings: Passages) -> dict[str, Repeated]:
    both = {LINE: settings.lines, PARAGRAPH: settings.paragraphs}
    return {kind: rule for kind, rule in both.items() if rule is not None}


def _reasons_of_lines(table: pl.DataFrame, removed: pa.ListArray) -> np.ndarray:
    """Names of the rules that have removed each line, `SEPARATOR` between them: object[lines]."""
    count = pc.list_value_length(removed).to_numpy(zero_copy_only=False).astype(np.int64)
    out = np.full(table.height, "", object)
    found = removed.flatten()
    if not len(found):
        return out
    span = (np.repeat(np.arange(len(removed)), count) << 32) | found.field("start").to_numpy().astype(np.int64)
    line = (table["document"].to_numpy() << 32) | table["start"].to_numpy()
    at = np.searchsorted(span, line, side="right") - 1
    stop = found.field("stop").to_numpy().astype(np.int64)
    inside = (at >= 0) & (span[at] >> 32 == line >> 32) & (table["start"].to_numpy() < stop[at])
    names = np.array([SEPARATOR.join(rules) for rules in found.field("rules").to_pylist()], object)
    out[inside] = names[at[inside]]
    return out


def line_passages(lines: Lines, address: np.ndarray) -> dict[str, pa.RecordBatch]:
    """PASSAGES of documents with these addresses, uint64[n], by kind."""
    document = lines.table["document"].to_numpy()
    out = {}
    for kind, keys in lines.keys.items():
        wanted = np.flatnonzero(lines.line[kind])
        out[kind] = passages.distinct(keys[lines.passage[kind][wanted]], address[document[wanted]])
    return out


def without_lines(lines: Lines, address: np.ndarray, lost: dict[str, pa.Table]) -> pa.ListArray:
    """REMOVED of the documents where they also lose these passages (PASSAGES by kind)."""
    document = lines.table["document"].to_numpy()
    reasons = lines.table["reasons"]
    for kind, keys in lines.keys.items():
        goes = lines.line[kind] & passages.is_lost(keys[lines.passage[kind]], address[document], lost[kind])
        reasons = _added(reasons, kind, goes)
    return spans(lines.text, lines.table, lines.bounds, reasons)


def without_substrings(
    text: pa.Array, removed: pa.ListArray, address: np.ndarray, places: pa.Table, length: int
) -> pa.ListArray:
    """REMOVED of n documents where they also lose the windows at ``places`` (PLACES in the text that is left)."""
    row, start, stop = substrings.covered(cut(text, removed), address, places, length)
    found = removed.flatten()
    count = pc.list_value_length(removed).to_numpy(zero_copy_only=False).astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(count)])
    old_start, old_stop = (found.field(name).to_numpy().astype(np.int64) for name in ("start", "stop"))
    rules = found.field("rules").to_pylist()
    first = np.searchsorted(row, np.arange(len(text) + 1))
    out = []
    for document in range(len(text)):
        old = [(int(old_start[i]), int(old_stop[i]), rules[i]) for i in range(bounds[document], bounds[document + 1])]
        new = [(int(start[i]), int(stop[i])) for i in range(first[document], first[document + 1])]
        out.append(_merged(old, new))
    return pa.array(out, schema.REMOVED)


def _merged(old: list[tuple[int, int, list[str]]], new: list[tuple[int, int]]) -> list[dict[str, object]]:
    """Spans of a document, and spans of what is left of it, as spans of the document in order."""
    out = [{"start": start, "stop": stop, "rules": rules} for start, stop, rules in old]
    pieces, at, left = [], 0, 0  # of what is left: where it lies there, and in the document
    for start, stop, _ in [*old, (1 << 62, 1 << 62, [])]:
        pieces.append((left, left + start - at, at))
        left, at = left + start - at, stop
    for start, stop in new:
        for begin, end, origin in pieces:
            low, high = max(start, begin), min(stop, end)
            if low < high:
                out.append({"start": low - begin + origin, "stop": high - begin + origin, "rules": [SUBSTRING]})
    return sorted(out, key=lambda span: (span["start"], span["stop"]))


def reject_rests(decided: pa.Table, before: pa.ChunkedArray, min_left: float) -> pa.Table:
    """DECISIONS with `LITTLE_LEFT` for documents that lost something to passages and keep less than ``min_left``.

    ``before``: the column ``removed`` when no passage was cut.
    """
    lost = span_bytes(decided["removed"].combine_chunks())
    size = decided["utf8_bytes"].to_numpy().astype(np.int64)
    little = (lost > span_bytes(before.combine_chunks())) & ((size - lost < min_left * size) | (lost >= size))
    reasons = decided["reasons"].combine_chunks()
    n = len(reasons)
    both = pa.concat_arrays([reasons, pa.array([[LITTLE_LEFT]], reasons.type)])
    chosen = both.take(pa.array(np.where(little, n, np.arange(n))))
    return decided.set_column(decided.schema.get_field_index("reasons"), decided.schema.field("reasons"), chosen)


def _added(reasons: pl.Series, kind: str, flags: np.ndarray) -> pl.Series:
    """The reasons with one more where the flag is set."""
    more = pl.when(pl.col("old") == "").then(pl.lit(kind)).otherwise(pl.col("old") + SEPARATOR + kind)
    chosen = pl.when(pl.col("flag")).then(more).otherwise(pl.col("old"))
    return pl.DataFrame({"old": reasons, "flag": flags}).select(reasons=chosen)["reasons"]
