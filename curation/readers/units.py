"""Work units: the inputs of a recipe cut into pieces of about equal size, each becoming one part of the output.

Units depend on the recipe and the files alone, never on workers, so that addresses and parts are always the same.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa
import xxhash

from curation import storage
from curation.readers import jsonl, parquet, text
from curation.readers.lines import END, is_compressed
from curation.readers.raw import EMPTY, DeadRecord, Read, is_text_like, wanted_columns
from curation.recipe import Annotate, Input, Recipe

FINGERPRINT_BYTES = 64 << 10


class PlanError(ValueError):
    """Inputs that cannot be read as the recipe says; the message lists every problem."""


@dataclass(frozen=True)
class FileSlice:
    """Part of one file: rows (Parquet) or bytes (lines) ``[start, stop)``; or a file known to be unreadable."""

    path: str
    name: str  # path below the input's folder
    start: int
    stop: int
    bytes: int  # estimated text
    error: str = ""


@dataclass(frozen=True)
class WorkUnit:
    """What one worker turns into one part."""

    ordinal: int
    input: int  # position in the recipe
    slices: tuple[FileSlice, ...]

    @property
    def bytes(self) -> int:
        return sum(piece.bytes for piece in self.slices)


@dataclass(frozen=True)
class Plan:
    units: tuple[WorkUnit, ...]
    files: tuple[dict[str, object], ...]  # name, bytes and fingerprint of every input file

    def fingerprint(self) -> list[dict[str, object]]:
        return [{**asdict(unit), "slices": [(s.name, s.start, s.stop) for s in unit.slices]} for unit in self.units] + [
            *self.files
        ]


def plan_units(recipe: Recipe) -> Plan:
    """Find, check and cut all inputs.

    Raises:
        PlanError: a pattern matches nothing, or a column is missing or of the wrong type.
    """
    problems: list[str] = []
    units: list[WorkUnit] = []
    files: list[dict[str, object]] = []
    for number, item in enumerate(recipe.inputs):
        found = _find_files(item, problems)
        files += [_describe_file(item, path, name) for path, name in found]
        slices = [piece for path, name in found for piece in _cut(item, path, name, recipe.annotate, problems)]
        for group in _pack(slices, recipe.annotate.unit_bytes):
            units.append(WorkUnit(len(units), number, tuple(group)))
    if problems:
        raise PlanError("\n".join(problems))
    return Plan(tuple(units), tuple(files))


def read_unit(unit: WorkUnit, item: Input, parameters: Annotate) -> Iterator[Read]:
    """All raw documents of a unit in file order."""
    limit = parameters.max_document_bytes
    for piece in unit.slices:
        if piece.error:
            yield Read(EMPTY, [DeadRecord(item.name, piece.path, "file", 1, piece.error)])
        elif item.format == "parquet":
            yield from parquet.read(piece.path, item, piece.start, piece.stop, limit)
        elif item.format == "jsonl":
            yield from jsonl.read(piece.path, item, piece.start, piece.stop, limit)
        elif item.format == "text" and item.document == "line":
            yield from text.read_lines(piece.path, piece.name, item, piece.start, piece.stop, limit)
        else:
            yield from text.read_file(piece.path, piece.name, item, limit)


def _find_files(item: Input, problems: list[str]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for pattern in item.paths:
        matches = storage.glob(pattern)
        if not matches:
            problems.append(f"input '{item.name}': no file matches {pattern}{_near(pattern)}")
        fixed = pattern.split("*")[0].rsplit("/", 1)[0]
        for path in matches:
            found[path] = os.path.relpath(path, fixed) if path.startswith(fixed + "/") else path.rsplit("/", 1)[-1]
    return sorted(found.items())


def _near(pattern: str) -> str:
    folder, _, name = pattern.rpartition("/")
    if "*" in folder or storage.is_remote(pattern):
        return ""
    if not os.path.isdir(folder or "."):
        return f": there is no folder {folder}"
    close = difflib.get_close_matches(name, os.listdir(folder or "."), 1)
    return f"; did you mean {close[0]}?" if close else f": nothing like it in {folder}"


def _describe_file(item: Input, path: str, name: str) -> dict[str, object]:
    """Identity of a file's content: its size and the hash of its two ends, where formats keep what changes."""
    size = storage.size(path) or 0
    ends = storage.read_bytes(path, 0, FINGERPRINT_BYTES)
    ends += storage.read_bytes(path, max(0, size - FINGERPRINT_BYTES), FINGERPRINT_BYTES)
    return {"input": item.name, "file": name, "bytes": size, "ends": xxhash.xxh3_128_hexdigest(ends)}


def _cut(item: Input, path: str, name: str, parameters: Annotate, problems: list[str]) -> list[FileSlice]:
    size = storage.size(path) or 0
    if size == 0:
        return [FileSlice(path, name, 0, 0, 0, "the file is empty (0 bytes)")]
    if item.format == "parquet":
        return _cut_parquet(item, path, name, parameters, problems)
    if item.format == "jsonl":
        missing = _missing(item, jsonl.first_keys(path) if not is_compressed(path) else None)
        if missing:
            problems.append(f"input '{item.name}': {path}: {missing}")
    whole_file = (
        is_compressed(path) or (item.format == "source_tree") or (item.format, item.document) == ("text", "file")
    )
    if whole_file:
        return [FileSlice(path, name, 0, END, size * (4 if is_compressed(path) else 1))]
    return list(_even(path, name, size, size, parameters.unit_bytes))


def _cut_parquet(item: Input, path: str, name: str, parameters: Annotate, problems: list[str]) -> list[FileSlice]:
    try:
        schema, metadata = parquet.describe(path)
    except (OSError, pa.ArrowException) as error:
        return [FileSlice(path, name, 0, 0, 0, f"not a readable Parquet file: {error}")]
    problem = _missing(item, set(schema.names)) or _wrong_type(item, schema)
    if problem:
        problems.append(f"input '{item.name}': {path}: {problem}")
        return []
    return list(_even(path, name, metadata.num_rows, parquet.text_bytes(item, metadata), parameters.unit_bytes))


def _even(path: str, name: str, length: int, bytes_: int, unit_bytes: int) -> Iterator[FileSlice]:
    """Cut ``length`` rows or bytes into pieces of at most about ``unit_bytes``, as equal as can be."""
    pieces = max(1, -(-bytes_ // unit_bytes))
    cuts = [length * k // pieces for k in range(pieces + 1)]
    for start, stop in zip(cuts, cuts[1:], strict=False):
        if start < stop:
            yield FileSlice(path, name, start, stop, bytes_ // pieces)


def _missing(item: Input, present: set[str] | None) -> str:
    if not present:
        return ""
    wanted = [*wanted_columns(item).values(), *item.metadata]
    lost = [column for column in wanted if column not in present]
    hints = []
    for column in lost:
        close = difflib.get_close_matches(column, present, 1)
        hints.append(f"'{column}'" + (f" (did you mean '{close[0]}'?)" if close else ""))
    return f"no column {', '.join(hints)}; there are: {', '.join(sorted(present))}" if lost else ""


def _wrong_type(item: Input, schema: pa.Schema) -> str:
    kind = schema.field(item.columns.text).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if is_text_like(kind):
        return ""
    return f"column '{item.columns.text}' holds {kind}; a text column must hold strings or bytes"


def _pack(slices: list[FileSlice], unit_bytes: int) -> Iterator[list[FileSlice]]:
    """Group consecutive slices up to ``unit_bytes``."""
    group: list[FileSlice] = []
    filled = 0
    for piece in slices:
        if group and filled + piece.bytes > unit_bytes:
            yield group
            group, filled = [], 0
        group.append(piece)
        filled += piece.bytes
    if group:
        yield group
