"""Files by path or URL (local, ``s3://``, ``gs://``; reading also ``http://``): list, read, and publish atomically.

Every output is built whole in a local temporary file and then appears under its final name in one step: a rename on a
local disk, a single upload on an object store. A half-written file is never visible under a final name.

Requests that an object store refuses (500, 503 "slow down"), drops, cuts off or leaves unanswered are repeated by its
client, RETRIES times at most and with growing pauses; what still fails is a StorageError.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import posixpath
import shutil
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

TEMPORARY_MARK = ".tmp-"
COPY_BYTES = 8 << 20
HTTP_SECONDS = 60
RETRIES = 10  # of a request to S3, with pauses that double: 26 seconds in all
FIRST_PAUSE = 0.025  # seconds
NO_ROOM = "flush response stream"  # said when "slow down", in some 300 bytes of XML, answers a request for fewer bytes
CONNECT_SECONDS = 5
SILENT_SECONDS = 20  # without a byte from S3, before the request has failed; Arrow's 3 are too few for a busy store
GCS_SECONDS = 60  # in which Google's client repeats a request


class StorageError(RuntimeError):
    """An object store failed in spite of retries.

    No OSError: a file that is damaged is dead input and the job goes on, but one that cannot be had ends it.
    """


def is_remote(url: str) -> bool:
    """Whether ``url`` names an object store rather than the local disk."""
    return "://" in url and not url.startswith("file://")


@lru_cache(maxsize=32)
def _remote_filesystem(scheme_and_bucket: str) -> pafs.FileSystem:
    scheme = scheme_and_bucket.split("://")[0]
    if scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        return pafs.S3FileSystem(
            endpoint_override=endpoint,
            region=os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION"),
            connect_timeout=CONNECT_SECONDS,
            request_timeout=SILENT_SECONDS,
            # Not the "standard" one: under Arrow its quota is never refilled, so that a process has 100 retries in all.
            retry_strategy=pafs.AwsDefaultS3RetryStrategy(max_attempts=RETRIES),
        )
    if scheme in ("gs", "gcs"):
        return pafs.FileSystem.from_uri(f"{scheme_and_bucket}?retry_limit_seconds={GCS_SECONDS}")[0]
    return pafs.FileSystem.from_uri(scheme_and_bucket)[0]


os.register_at_fork(after_in_child=_remote_filesystem.cache_clear)  # a client's threads and sockets are its process's


def resolve(url: str) -> tuple[pafs.FileSystem, str]:
    """The Arrow filesystem of ``url`` and the path inside it."""
    if not is_remote(url):
        return pafs.LocalFileSystem(), os.path.abspath(url.removeprefix("file://"))
    scheme, rest = url.split("://", 1)
    return _remote_filesystem(f"{scheme}://{rest.split('/')[0]}"), rest


@contextmanager
def _store_failures(url: str) -> Iterator[None]:
    """Raise what an object store fails with as StorageError; that there is no such file, and local errors, as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if not is_remote(url):
            raise
        said = " ".join(str(error).split()).rstrip(".")
        raise StorageError(
            f"{url}: the object store failed, after up to {RETRIES} retries ({said}); "
            "check the store and your access to it, then run the same command again: finished work is kept"
        ) from error


class _RemoteFile:
    """What Arrow asks of a Python file, for a file on an object store."""

    def __init__(self, url: str) -> None:
        filesystem, path = resolve(url)
        self._url = url
        with _store_failures(url):
            self._file = filesystem.open_input_file(path)
        self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def read(self, size: int | None = None) -> bytes:
        data: bytes = self.read_buffer(size).to_pybytes()
        return data

    def read_buffer(self, size: int | None = None) -> pa.Buffer:
        """The next bytes. What Arrow's client does not repeat itself, because of NO_ROOM, is repeated here."""
        position = self._file.tell()
        with _store_failures(self._url):
            for retry in range(RETRIES):
                try:
                    return self._file.read_buffer(size)
                except OSError as error:
                    if NO_ROOM not in str(error):
                        raise
                time.sleep(FIRST_PAUSE * 2**retry)
                self._file.seek(position)
            return self._file.read_buffer(size)


def open_file(url: str) -> pa.NativeFile:
    """The file for reading in any order; where its object store fails, a read raises StorageError."""
    if is_remote(url):
        return pa.PythonFile(_RemoteFile(url), mode="r")
    return pa.OSFile(url.removeprefix("file://"))


def join(base: str, *names: str) -> str:
    """``base`` with ``names`` appended, for paths and URLs alike."""
    return posixpath.join(base, *names)


def size(url: str) -> int | None:
    """Bytes of the file, or None when there is none."""
    filesystem, path = resolve(url)
    with _store_failures(url):
        info = filesystem.get_file_info(path)
    return info.size if info.type == pafs.FileType.File else None


def exists(url: str) -> bool:
    return size(url) is not None


def list_files(url: str) -> list[str]:
    """All files below the folder ``url``, sorted; [] when there is no such folder."""
    filesystem, path = resolve(url)
    with _store_failures(url):
        infos = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True, recursive=True))
    prefix = url.split("://")[0] + "://" if is_remote(url) else ""
    return sorted(prefix + info.path for info in infos if info.type == pafs.FileType.File)


def glob(pattern: str) -> list[str]:
    """Files that match ``pattern``, sorted. ``*`` and ``?`` stay inside one folder; ``**`` crosses folders."""
    pattern = pattern.removeprefix("file://")
    if not any(mark in pattern for mark in "*?["):
        return [pattern] if exists(pattern) else []
    fixed = pattern[: min(pattern.index(mark) for mark in "*?[" if mark in pattern)]
    base = fixed.rsplit("/", 1)[0] if "/" in fixed else "."
    wanted = pattern if is_remote(pattern) else os.path.abspath(pattern)
    return [path for path in list_files(base) if _matches(path.split("/"), wanted.split("/"))]


def _matches(path: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_matches(path[skip:], pattern[1:]) for skip in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def read_bytes(url: str, start: int = 0, length: int | None = None) -> bytes:
    """Bytes ``[start, start + length)`` of the file (to its end by default).

    A web server without byte ranges sends what comes before as well: ConnectionError where that is more than
    `COPY_BYTES`.
    """
    if url.startswith(("http://", "https://")):
        return _read_http(url, start, length)
    with open_file(url) as file:
        file.seek(start)
        data: bytes = file.read(length)
    return data


def _read_http(url: str, start: int, length: int | None) -> bytes:
    stop = None if length is None else start + length
    asked = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=asked), timeout=HTTP_SECONDS) as response:
            if response.status != 206 and start > COPY_BYTES:
                raise ConnectionError(
                    f"{url}: asked for the bytes from {start:,} on, the server sends the whole file; "
                    "serve it from a server that knows byte ranges, or copy it to a disk"
                )
            data: bytes = response.read() if response.status == 206 else response.read(stop)[start:]
            return data
    except urllib.error.HTTPError as error:
        if error.code in (403, 404, 410):
            raise FileNotFoundError(f"{url}: {error}") from error
        raise


def read_text(url: str) -> str:
    return read_bytes(url).decode()


def write_bytes(url: str, data: bytes) -> None:
    """Write a small file atomically."""
    with atomic_file(url) as local:
        Path(local).write_bytes(data)


@contextmanager
def atomic_file(url: str) -> Iterator[str]:
    """Yield a local path to write; publish it under ``url`` on success, remove it on failure."""
    if is_remote(url):
        handle, local = tempfile.mkstemp(prefix="glotmill-")
        os.close(handle)
    else:
        target = os.path.abspath(url.removeprefix("file://"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        local = f"{target}{TEMPORARY_MARK}{uuid.uuid4().hex[:12]}"
    try:
        yield local
        publish(local, url)
    finally:
        if os.path.exists(local):
            os.unlink(local)


def publish(local: str, url: str) -> None:
    """Move (local) or upload (object store) a complete file to its final name in one step."""
    with open(local, "rb") as file:
        os.fsync(file.fileno())
    if not is_remote(url):
        os.replace(local, url.removeprefix("file://"))
        return
    filesystem, path = resolve(url)
    with _store_failures(url):
        pafs.copy_files(local, path, destination_filesystem=filesystem)


def publish_folder(local: str, url: str) -> None:
    """Publish every file below a local folder under ``url``."""
    for path in list_files(local):
        name = os.path.relpath(path, os.path.abspath(local))
        with atomic_file(join(url, name)) as temporary:
            Path(temporary).write_bytes(Path(path).read_bytes())


def download_folder(url: str, local: str, endings: tuple[str, ...] = ("",)) -> str:
    """A local folder holding the files of ``url``: itself when local, else a copy below ``local``.

    Of a remote folder only the files that end so are copied.
    """
    if not is_remote(url):
        return url.removeprefix("file://")
    for path in list_files(url):
        if path.endswith(endings):
            target = os.path.join(local, path.removeprefix(url.rstrip("/") + "/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open_file(path) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, COPY_BYTES)
    return local


def delete_folder(url: str) -> None:
    """Remove a folder and all below it; nothing happens when there is none."""
    filesystem, path = resolve(url)
    with _store_failures(url):
        if filesystem.get_file_info(path).type == pafs.FileType.Directory:
            filesystem.delete_dir(path)


def sweep_temporary(url: str) -> int:
    """Remove files that a killed run left half-written; returns how many."""
    left = [path for path in list_files(url) if TEMPORARY_MARK in posixpath.basename(path)]
    for path in left:
        filesystem, inner = resolve(path)
        with _store_failures(path):
            filesystem.delete_file(inner)
    return len(left)


def sha256(path: str) -> str:
    """Hexadecimal SHA-256 of a local file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()
