"""Plain text and source trees: a document a file, or a document a line."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from curation import storage
from curation.readers.lines import open_stream, read_blocks
from curation.readers.raw import EMPTY, RAW, DeadRecord, Read, sample, screen
from curation.recipe import Input


def read_file(path: str, name: str, item: Input, max_bytes: int) -> Iterator[Read]:
    """A whole file as one document; ``name`` is its path below the input's folder and becomes its url."""
    size = storage.size(path) or 0
    try:
        if size > max_bytes:
            error = f"file of {size:,} bytes is over annotate.max_document_bytes ({max_bytes:,})"
            yield Read(EMPTY, [DeadRecord(item.name, path, "file", 1, error)])
            return
        with open_stream(path) as stream:
            data = stream.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        yield Read(EMPTY, [DeadRecord(item.name, path, "file", 1, f"cannot be read: {error}")])
        return
    if b"\x00" in data[:8192]:
        yield Read(EMPTY, [DeadRecord(item.name, path, "file", 1, "not a text file: it holds NUL bytes", sample(data))])
        return
    yield screen(_rows([data], [f"{item.name}/{name}"], item), item, path, lambda _: "file", max_bytes)


def read_lines(path: str, name: str, item: Input, start: int, stop: int, max_bytes: int) -> Iterator[Read]:
    """Every line that is not blank as one document, for the lines that begin in ``[start, stop)``."""
    parse = partial(_read_block, path, name, item, max_bytes)
    yield from read_blocks(path, item, start, stop, max_bytes, parse)


def _read_block(path: str, name: str, item: Input, max_bytes: int, offset: int, data: bytes) -> Read:
    lines, offsets = [], []
    for line in data.split(b"\n"):
        if line.strip():
            lines.append(line.removesuffix(b"\r"))
            offsets.append(offset)
        offset += len(line) + 1
    table = _rows(lines, [f"{item.name}/{name}#{at}" for at in offsets], item)
    return screen(table, item, path, lambda row: f"line at byte {offsets[row]}", max_bytes)


def _rows(texts: list[bytes], urls: list[str], item: Input) -> pa.Table:
    columns = {
        "text": pa.array(texts, pa.large_binary()),
        "url": pa.array(urls, pa.string()),
        "license": pa.array([item.license] * len(texts), pa.string()),
    }
    return pa.table([columns.get(f.name, pa.nulls(len(texts), f.type)) for f in RAW], names=RAW.names)
