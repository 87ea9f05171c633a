"""Plain text and source trees: a document a file, or a document a line."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from curation import storage
from curation.readers.lines import line_blocks, open_stream
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
    except (OSError, EOFError) as error:
        yield Read(EMPTY, [DeadRecord(item.name, path, "file", 1, f"cannot be read: {error}")])
        return
    if b"\x00" in data[:8192]:
        yield Read(
            EMPTY, [DeadRecord(item.name, path, "file", 1, "not a text file: it holds NUL bytes", sample(data))]
        )
        return
    yield screen(_rows([data], [f"{item.name}/{name}"], item), item, path, lambda _: "file", max_bytes)


def read_lines(path: str, name: str, item: Input, start: int, stop: int, max_bytes: int) -> Iterator[Read]:
    """Every line that is not blank as one document, for the lines that begin in ``[start, stop)``."""
    for block in line_blocks(path, start, stop, max_bytes):
        if block.data is None:
            error = f"line of {block.length:,} bytes is over annotate.max_document_bytes ({max_bytes:,})"
            yield Read(EMPTY, [DeadRecord(item.name, path, f"line at byte {block.offset}", 1, error)])
            continue
        lines, offsets, at = [], [], block.offset
        for line in block.data.split(b"\n"):
            if line.strip():
                lines.append(line)
                offsets.append(at)
            at += len(line) + 1
        urls = [f"{item.name}/{name}#{offset}" for offset in offsets]
        table = _rows(lines, urls, item)
        yield screen(table, item, path, lambda row, at=offsets: f"line at byte {at[row]}", max_bytes)  # type: ignore[misc]


def _rows(texts: list[bytes], urls: list[str], item: Input) -> pa.Table:
    columns = {
        "text": pa.array(texts, pa.large_binary()),
        "url": pa.array(urls, pa.string()),
        "license": pa.array([item.license] * len(texts), pa.string()),
    }
    return pa.table([columns.get(f.name, pa.nulls(len(texts), f.type)) for f in RAW], names=RAW.names)
