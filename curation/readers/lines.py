"""Lines of a byte range of a file: blocks of whole lines, compressed or not, with a limit on one line's length."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from curation import storage
from curation.readers.raw import EMPTY, DeadRecord, Read
from curation.recipe import Input

BLOCK_BYTES = 8 << 20
PIECE_BYTES = 64 << 10
"""Read at once from a compressed stream: a read that meets a break loses what it had."""
END = sys.maxsize


class Block(NamedTuple):
    """Whole lines, or (``data`` None) the place of one line longer than the limit."""

    offset: int  # of the first byte, in the uncompressed file
    data: bytes | None
    length: int


def is_compressed(path: str) -> bool:
    return path.endswith((".gz", ".zst", ".zstd"))


def open_stream(path: str) -> Any:
    """A binary stream of the uncompressed bytes; members and frames of concatenated files are all read."""
    file = storage.open_file(path)
    if not is_compressed(path):
        return file
    file = pa.BufferedInputStream(file, BLOCK_BYTES)
    if path.endswith(".gz"):
        return gzip.GzipFile(fileobj=file)
    return pa.CompressedInputStream(file, "zstd")  # unlike zstandard's reader it raises where a frame is cut off


def line_blocks(path: str, start: int, stop: int, limit: int) -> Iterator[Block]:
    """Blocks of the lines whose first byte lies in ``[start, stop)``.

    Adjacent ranges share no line and lose none. A line longer than ``limit`` bytes is passed over without being held
    in memory.
    """
    with open_stream(path) as stream:
        offset, buffer = start, b""
        skipping = start > 0  # inside a line that is not wanted: another range's, or one over the limit
        long_line = -1
        if start > 0:
            offset = start - 1
            stream.seek(offset)
        for data in _read_blockwise(stream, PIECE_BYTES if is_compressed(path) else BLOCK_BYTES):
            buffer += data
            if skipping:
                cut = buffer.find(b"\n") + 1
                if not cut:
                    offset, buffer = offset + len(buffer), b""
                    if offset >= stop and long_line < 0:
                        return
                    continue
                offset, buffer, skipping = offset + cut, buffer[cut:], False
                if long_line >= 0:
                    yield Block(long_line, None, offset - long_line)
                    long_line = -1
            if offset >= stop:
                return
            whole = buffer.rfind(b"\n") + 1
            if offset + whole > stop:
                whole = buffer.find(b"\n", stop - offset - 1) + 1
                yield Block(offset, buffer[:whole], whole)
                return
            if whole:
                yield Block(offset, buffer[:whole], whole)
                offset, buffer = offset + whole, buffer[whole:]
            if len(buffer) > limit and offset < stop:
                long_line, skipping = offset, True
                offset, buffer = offset + len(buffer), b""
        if long_line >= 0:
            yield Block(long_line, None, offset - long_line)
        elif buffer and not skipping and offset < stop:
            yield Block(offset, buffer, len(buffer))


def _read_blockwise(stream: Any, piece_bytes: int) -> Iterator[bytes]:
    """About `BLOCK_BYTES` at a time; where the stream breaks off, what came before and then the error."""
    data = bytearray()
    try:
        while piece := stream.read1(piece_bytes):
            data += piece
            if len(data) >= BLOCK_BYTES:
                yield bytes(data)
                data.clear()
    except (OSError, EOFError, zlib.error):
        if data:
            yield bytes(data)
        raise
    if data:
        yield bytes(data)


def read_blocks(
    path: str, item: Input, start: int, stop: int, longest_line: int, parse: Callable[[int, bytes], Read]
) -> Iterator[Read]:
    """Parse the blocks of a byte range; a line over the limit and a file that breaks off are dead records.

    ``parse`` takes a block's offset and bytes.
    """
    offset = start
    try:
        for block in line_blocks(path, start, stop, longest_line):
            offset = block.offset + block.length
            if block.data is not None:
                yield parse(block.offset, block.data)
                continue
            error = f"line of {block.length:,} bytes is over the limit of annotate.max_document_bytes"
            yield Read(EMPTY, [DeadRecord(item.name, path, f"line at byte {block.offset}", 1, error)])
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be decompressed or read further: {error}"
        yield Read(EMPTY, [DeadRecord(item.name, path, f"after byte {offset} uncompressed", 1, message)])
