"""Category of a document's URL: lists of domains and URL beginnings that the recipe names, such as the UT1 blacklists
(Université Toulouse 1 Capitole) of RedPajama-v2's ``rps_doc_ut1_blacklist`` and RefinedWeb's URL filter.

A list has one entry a line: a domain (``example.com`` means its subdomains, too) or the beginning of a URL
(``example.com/forum``, up to a ``/``, ``?``, ``#`` or ``&`` or the end). Scheme, user, port and a last slash do not
matter, nor does upper case in hosts; names with other letters than ASCII are found in either spelling (IDNA). Blank
lines and lines that begin with '#' are left out. The project ships no list: they change daily, each under a licence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curation import storage
from curation.recipe import RecipeError
from curation.text import utf8
from curation.text.scan import mix

_SALT = np.uint64(0x9E3779B97F4A7C15)
_NONE = 0xFFFF
_SLASH, _QUESTION, _NUMBER, _AMPERSAND, _COLON, _AT, _DOT = map(ord, "/?#&:@.")
_ENTRY = r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//"
"""The scheme of an entry, if it has one."""


class UrlTable(NamedTuple):
    """Entries of all lists: their hashes in order and the number of the category of each, the first of several."""

    categories: tuple[str, ...]
    keys: np.ndarray  # uint64[entries]
    numbers: np.ndarray  # uint16[entries]
    with_paths: bool  # whether an entry goes on after its host


def table(lists: Mapping[str, Sequence[str]]) -> UrlTable:
    """The table of category -> files; an entry of several categories counts for the first.

    Raises:
        RecipeError: a file is not UTF-8, has no entry, or a line of it can be no URL.
        FileNotFoundError: a file is missing.
    """
    keys, numbers, with_paths = [np.empty(0, np.uint64)], [np.empty(0, np.uint16)], False
    for number, files in enumerate(lists.values()):
        for path in files:
            entries = read_list(path)
            with_paths |= bool(entries.str.contains("/", literal=True).any())
            offsets, data = utf8.buffers(entries.to_arrow())
            keys.append(_entry_keys(offsets, data))
            numbers.append(np.full(len(entries), number, np.uint16))
    every, first = np.unique(np.concatenate(keys), return_index=True)  # the first of equal keys
    return UrlTable(tuple(lists), every, np.concatenate(numbers)[first], with_paths)


def read_list(path: str) -> pl.Series:
    """The entries of a file without scheme and last slash; names with other letters than ASCII in both spellings.

    Raises:
        RecipeError, FileNotFoundError: as `table`.
    """
    try:
        lines = pl.Series("entry", storage.read_text(path).splitlines(), dtype=pl.String)
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"annotate.url_lists: {path}: not UTF-8 at byte {error.start}; save the list as UTF-8"
        ) from error
    frame = lines.to_frame().with_row_index("line", 1).with_columns(pl.col("entry").str.strip_chars())
    frame = frame.filter((pl.col("entry") != "") & ~pl.col("entry").str.starts_with("#"))
    frame = frame.with_columns(bare=pl.col("entry").str.replace(_ENTRY, "").str.strip_suffix("/"))
    wrong = frame.filter(pl.col("bare").str.contains(r"\s") | pl.col("bare").str.contains(r"^[/?#.]|^$"))
    if wrong.height:
        row = wrong.row(0, named=True)
        raise RecipeError(
            f"annotate.url_lists: {path}, line {row['line']}: '{row['entry']}' is no domain and no URL; "
            "one a line is expected, such as example.com or example.com/forum"
        )
    if not frame.height:
        raise RecipeError(f"annotate.url_lists: {path}: no entry in it; one domain or URL a line is expected")
    bare = frame["bare"]
    named = bare.filter(bare.str.contains(r"[^\x00-\x7F]|xn--")).to_list()
    return pl.concat([bare, pl.Series("bare", [_respelled(entry) for entry in named], dtype=pl.String)])


def _respelled(entry: str) -> str:
    """The same with its host in Unicode where it is in ASCII, else in ASCII; unchanged where IDNA knows no other."""
    host, slash, rest = entry.partition("/")
    try:
        other = host.encode("ascii").decode("idna") if host.isascii() else host.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return entry
    return other + slash + rest


def list_fingerprints(lists: Mapping[str, Sequence[str]]) -> list[tuple[str, list[str]]]:
    """Categories in order, and the SHA-256 of the files of each."""
    return [
        (category, [hashlib.sha256(storage.read_text(path).encode()).hexdigest() for path in files])
        for category, files in lists.items()
    ]


def categorize(urls: UrlTable, url: pa.Array) -> pa.DictionaryArray:
    """The first category that lists each URL: dictionary[n] of strings; null for none, and where there is no URL."""
    offsets, data = utf8.buffers(url.fill_null(""))
    number = np.full(len(url), _NONE, np.uint16)
    _find(offsets, data, urls.keys, urls.numbers, urls.with_paths, number)
    return pa.DictionaryArray.from_arrays(
        pa.array(number, pa.uint16(), mask=number == _NONE), pa.array(urls.categories, pa.string())
    )


@utf8.inline
def _add(key: Any, byte: Any) -> Any:
    return mix((key * _SALT) ^ np.uint64(byte))


@utf8.inline
def _lower(byte: Any) -> Any:
    return byte | 0x20 if 65 <= byte <= 90 else byte


@utf8.inline
def _host(data: Any, start: Any, stop: Any) -> Any:
    """First byte of the host, the byte after its last, and the byte after port: the path begins there."""
    host, i = start, start
    while i + 2 < stop and data[i] != _SLASH and data[i] != _QUESTION and data[i] != _NUMBER:
        if data[i] == _COLON and data[i + 1] == _SLASH and data[i + 2] == _SLASH:
            host = i + 3
            break
        i += 1
    if host == start and start + 1 < stop and data[start] == _SLASH and data[start + 1] == _SLASH:
        host = start + 2
    path = host
    while path < stop and data[path] != _SLASH and data[path] != _QUESTION and data[path] != _NUMBER:
        if data[path] == _AT:
            host = path + 1
        path += 1
    end = path
    while end > host and 48 <= data[end - 1] <= 57:
        end -= 1
    end = end - 1 if host < end < path and data[end - 1] == _COLON else path
    while end > host and (data[end - 1] == _DOT or data[end - 1] == _COLON):
        end -= 1
    return host, end, path


@utf8.njit
def _entry_keys(offsets, data):  # type: ignore[no-untyped-def]
    """Hash of each entry, uint64[n]: its host from the last byte to the first, then what follows it."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    for d in range(len(keys)):
        host, end, path = _host(data, offsets[d], offsets[d + 1])
        key = np.uint64(0)
        for i in range(end - 1, host - 1, -1):
            key = _add(key, _lower(data[i]))
        for i in range(path, offsets[d + 1]):
            key = _add(key, data[i])
        keys[d] = key
    return keys


@utf8.njit
def _find(offsets, data, keys, numbers, with_paths, out):  # type: ignore[no-untyped-def]
    """Lower out uint16[n] to the least number of an entry that a URL begins with, its host or a parent of it."""
    for d in range(len(out)):
        stop = offsets[d + 1]
        host, end, path = _host(data, offsets[d], stop)
        key = np.uint64(0)
        for i in range(end - 1, host - 1, -1):
            key = _add(key, _lower(data[i]))
            if i > host and data[i - 1] != _DOT:
                continue
            out[d] = min(out[d], _number(keys, numbers, key))
            longer = key
            for j in range(path, stop if with_paths else path):
                longer = _add(longer, data[j])
                byte = data[j + 1] if j + 1 < stop else _SLASH
                if byte in (_SLASH, _QUESTION, _NUMBER, _AMPERSAND):
                    out[d] = min(out[d], _number(keys, numbers, longer))


@utf8.inline
def _number(keys: Any, numbers: Any, key: Any) -> Any:
    at = np.searchsorted(keys, key)
    return numbers[at] if at < len(keys) and keys[at] == key else np.uint16(_NONE)
