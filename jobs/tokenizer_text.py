"""Text to measure tokenizers on: a sample of every language, domain and kind of code of a run or of files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from curation import storage
from curation.dataset import iterate_part, read_manifest
from curation.languages import CODE, UNDETERMINED
from curation.readers.lines import END, line_blocks
from curation.text.scan import Scanner
from jobs import progress
from jobs.errors import JobError
from jobs.sample import group_of
from tokenizer.evaluation.comparison import Group
from tokenizer.evaluation.usage import Text, measured

BATCH_ROWS = 1_000
WEB = "web"
"""Domain of texts of files without a column ``domain``, but for code."""
_PLACES = ("url", "path", "id")
"""Columns whose value may end like a file name."""
_PARQUET, _JSON_LINES = (".parquet",), (".jsonl", ".ndjson")


class TextColumns(NamedTuple):
    """Columns of files that are no run's."""

    text: str = "text"
    language: str = "language"
    code: str | None = None  # programming language


def read_groups(sources: list[str], columns: TextColumns, most_bytes: int) -> dict[Group, Text]:
    """The text of runs and files by group, groups in order; of each at most about ``most_bytes``.

    The documents of least hash are taken: a sample that depends neither on the order nor on the cutting of the files.

    Raises:
        JobError: nothing matches a source, a file is of no known kind or lacks a column, or there is no text.
    """
    samples: dict[Group, _Sample] = {}
    empty = 0
    for source in sources:
        for table in _tables(source, columns):
            present = pc.is_valid(table["text"])
            empty += len(table) - pc.sum(present, min_count=0).as_py()
            for group, text in _by_group(table.filter(present)):
                samples.setdefault(group, _Sample(most_bytes)).add(text)
    if empty:
        progress.say(f"{empty:,} rows without text left out")
    if not samples:
        raise JobError(f"no text in {', '.join(sources)}")
    scanner = Scanner()
    return {group: measured(samples[group].text(), scanner) for group in sorted(samples)}


class _Sample:
    """Keeps the documents of least hash up to so many bytes, and one at least."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._waiting = most_bytes, 0
        self._texts: list[pa.Array] = []
        self._hashes: list[np.ndarray] = []

    def add(self, text: pa.Array) -> None:
        self._texts.append(text)
        self._hashes.append(np.array([xxhash.xxh3_64_intdigest(one.as_buffer()) for one in text], np.uint64))
        self._waiting += pc.sum(pc.binary_length(text), min_count=0).as_py()
        if self._waiting > 2 * self._most:
            self._cut()

    def text(self) -> pa.Array:
        self._cut()
        return self._texts[0]

    def _cut(self) -> None:
        text, hashes = pa.concat_arrays(self._texts), np.concatenate(self._hashes)
        order = np.argsort(hashes, kind="stable")
        size = np.cumsum(pc.binary_length(text).to_numpy()[order])
        order = order[: max(1, int(np.searchsorted(size, self._most, "right")))]
        self._texts, self._hashes = [text.take(pa.array(order))], [hashes[order]]
        self._waiting = int(size[len(order) - 1])


def _by_group(table: pa.Table) -> Iterator[tuple[Group, pa.Array]]:
    """The texts of each group in a table of text, language, domain and kind."""
    keys = ["language", "domain", "kind"]
    numbered = table.append_column("row", pa.array(np.arange(len(table))))
    grouped = numbered.group_by(keys, use_threads=False).aggregate([("row", "list")])
    for group, rows in zip(grouped.select(keys).to_pylist(), grouped["row_list"], strict=True):
        text = table["text"].take(rows.values).combine_chunks()
        yield Group(group["language"] or UNDETERMINED, group["domain"], group["kind"] or ""), text


def _tables(source: str, columns: TextColumns) -> Iterator[pa.Table]:
    """Batches of text, language, domain and kind."""
    source = source.rstrip("/")
    if storage.exists(storage.join(source, "curated", "manifest.json")):
        for file in sorted(read_manifest(source, "curated")["files"]):
            language, domain = group_of(file)
            for batch in iterate_part(source, "curated", file, BATCH_ROWS, ["text", "url", "id"]):
                yield _table(pa.Table.from_batches([batch]), TextColumns(), language, domain)
        return
    found = storage.glob(source) or [
        file for file in storage.list_files(source) if file.endswith(_PARQUET + _JSON_LINES)
    ]
    if not found:
        raise JobError(f"{source} is neither a run that has selected nor does it match files; put patterns in quotes")
    for path in found:
        for number, table in enumerate(_read(path)):
            if columns.text not in table.column_names and not number:
                raise JobError(f"{path} has no column '{columns.text}'; it has {', '.join(table.column_names)}")
            if columns.language not in table.column_names and not number:
                progress.say(f"{path} has no column '{columns.language}': its texts are in no known language")
            yield _table(table, columns)


def _read(path: str) -> Iterator[pa.Table]:
    if path.endswith(_PARQUET):
        with storage.open_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
                yield pa.Table.from_batches([batch])
    elif path.endswith(_JSON_LINES):
        for block in line_blocks(path, 0, END, END):  # no line is over the limit, so none is passed over
            if block.data and not block.data.isspace():
                yield _rows(path, block.offset, block.data)
    else:
        raise JobError(f"{path} is neither Parquet nor JSON lines by its name ({', '.join(_PARQUET + _JSON_LINES)})")


def _rows(path: str, offset: int, data: bytes) -> pa.Table:
    try:
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None).to_arrow()
    except pl.exceptions.PolarsError as error:
        raise JobError(f"{path}, lines from byte {offset:,} on: no JSON objects of one kind: {error}") from error


def _table(table: pa.Table, columns: TextColumns, language: str | None = None, domain: str | None = None) -> pa.Table:
    rows, names = len(table), table.column_names
    languages = [language] * rows if language is not None else _values(table, columns.language)
    domains = [domain] * rows if domain is not None else _values(table, "domain")
    domains = [one or (CODE if spoken == CODE else WEB) for one, spoken in zip(domains, languages, strict=True)]
    place = columns.code or next((name for name in _PLACES if name in names), "")
    kinds = [
        _kind(value, columns.code is not None) if one == CODE else ""
        for one, value in zip(domains, _values(table, place), strict=True)
    ]
    # A block of JSON lines may have no text.
    text = table[columns.text].cast(pa.large_string()) if columns.text in names else pa.nulls(rows, pa.large_string())
    languages, domains, kinds = (pa.array(values, pa.string()) for values in (languages, domains, kinds))
    return pa.table({"text": text, "language": languages, "domain": domains, "kind": kinds})


def _values(table: pa.Table, column: str) -> list[str | None]:
    """The values of a column as text; None for each row where there is no such column."""
    if column not in table.column_names:
        return [None] * len(table)
    values: list[str | None] = table[column].cast(pa.string()).to_pylist()
    return values


def _kind(value: str | None, named: bool) -> str:
    """The programming language as it is ``named``, a prefix ``code:`` aside, or the ending of a file."""
    if value is None:
        return ""
    return value.removeprefix("code:") if named else PurePosixPath(value).suffix.removeprefix(".").lower()
