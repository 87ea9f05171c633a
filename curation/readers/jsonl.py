"""JSON lines, plain or compressed, in ranges of bytes.

Arrow's JSON reader takes whole blocks. A block it refuses is read again line by line, so that one bad line costs one
dead record and nothing else. Inputs with metadata are always read line by line: Arrow would infer the types of the
kept values from their neighbours, so that a date or a number came out differently in another block.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj

from curation.readers.lines import END, line_blocks, read_blocks
from curation.readers.raw import RAW, DeadRecord, Read, sample, screen, to_raw, wanted_columns
from curation.recipe import Input

LINE_OVERHEAD = 1 << 20
"""A JSON line may be twice its text (escapes) and carry this much besides."""


def read(path: str, item: Input, start: int, stop: int, max_bytes: int) -> Iterator[Read]:
    """Documents of the lines whose first byte lies in ``[start, stop)``."""
    parse = partial(_read_block, path, item, max_bytes)
    yield from read_blocks(path, item, start, stop, 2 * max_bytes + LINE_OVERHEAD, parse)


def first_keys(path: str, lines: int = 100) -> set[str]:
    """Keys of the first valid lines; empty when there are none."""
    keys: set[str] = set()
    block = next((b for b in line_blocks(path, 0, END, LINE_OVERHEAD) if b.data is not None), None)
    for line in (block.data or b"").removeprefix(codecs.BOM_UTF8).splitlines()[:lines] if block else []:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            keys.update(value)
    return keys


def _read_block(path: str, item: Input, max_bytes: int, offset: int, data: bytes) -> Read:
    # Arrow's parser stops at a NUL and crashes on a block whose first value is null.
    object_first = data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"
    if object_first and not item.metadata and b"\x00" not in data:
        try:
            table = _parse_fast(item, data)
            if table.num_rows == len(data.split(b"\n")) - data.endswith(b"\n"):
                return screen(table, item, path, lambda row: _location(offset, data, row), max_bytes)
        except (pa.ArrowException, KeyError):
            pass
    return _parse_lines(path, item, offset, data, max_bytes)


def _parse_fast(item: Input, data: bytes) -> pa.Table:
    columns = sorted(set(wanted_columns(item).values()))
    table = pj.read_json(
        io.BytesIO(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in columns]),
            unexpected_field_behavior="ignore",
        ),
    )
    return to_raw(table, item)


def _location(offset: int, data: bytes, row: int) -> str:
    at = 0
    for _ in range(row):
        at = data.index(b"\n", at) + 1
    return f"line at byte {offset + at}"


def _parse_lines(path: str, item: Input, offset: int, data: bytes, max_bytes: int) -> Read:
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    dead: list[DeadRecord] = []
    for line in data.splitlines(keepends=True) if b"\r" not in data else data.split(b"\n"):
        body = (line if offset else line.removeprefix(codecs.BOM_UTF8)).strip()
        if body:
            try:
                rows.append(_document(body, item))
                places.append(offset)
            except (ValueError, RecursionError) as error:
                dead.append(DeadRecord(item.name, path, f"line at byte {offset}", 1, str(error), sample(body)))
        offset += len(line) + (b"\r" in data)
    table = pa.Table.from_pylist(rows, schema=RAW)
    read = screen(table, item, path, lambda row: f"line at byte {places[row]}", max_bytes)
    return Read(read.batch, dead + read.dead)


def _document(line: bytes, item: Input) -> dict[str, Any]:
    """One line to one RAW row.

    Raises:
        ValueError: saying what is wrong with the line.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:  # Python's parser also takes ill-formed UTF-8 and lone surrogates, which normalisation counts and repairs
            value = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            raise ValueError(f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"a line must be a JSON object, this one is {type(value).__name__}")
    columns = wanted_columns(item)
    text = value.get(columns["text"])
    if not isinstance(text, str):
        held = "missing" if columns["text"] not in value else f"{type(text).__name__}, not a string"
        raise ValueError(f"key '{columns['text']}' is {held}")
    row: dict[str, Any] = {"text": _encode(text)}
    for name in ("id", "url", "license", "date"):
        found = value.get(columns[name]) if name in columns else None
        row[name] = found if found is None else _encode(str(found)).decode("utf-8", "replace")
    row["license"] = row["license"] or item.license
    row["metadata"] = _json({name: value.get(name) for name in item.metadata}) if item.metadata else None
    return row


def _json(value: dict[str, Any]) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # lone surrogates, integers over 64 bits, deep nesting
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return _encode(text).decode("utf-8", "replace")


def _encode(text: str) -> bytes:
    """The bytes the text came from, ill-formed ones included."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
