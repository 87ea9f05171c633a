"""A folder of fetched files that all processes of a machine share: each fetched once, the oldest removed when full."""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from curation.storage import TEMPORARY_MARK

_LOCKS = 64
_FILLED = 0.9
"""How full an eviction leaves the folder, so that not every file needs one."""
_ABANDONED_SECONDS = 3600
"""A temporary file this old belongs to a process that was killed."""


class FileCache:
    """At most ``limit`` bytes of files under ``directory``. Safe for threads, processes and forks.

    A file appears whole, by a rename. A file that is removed stays readable for those who have it mapped.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self.directory, self.limit = directory, limit
        (directory / ".locks").mkdir(parents=True, exist_ok=True)
        with self._locked("usage"):
            usage = directory / ".usage"
            if not usage.exists():
                usage.write_bytes(bytes(16))
            self._usage = np.memmap(usage, np.int64, mode="r+", shape=(2,))  # bytes held, evictions so far
            self._usage[0] = sum(size for _, size, _ in self._files())  # right, whatever a killed process left
            self._make_room()
        for path in directory.rglob(f"*{TEMPORARY_MARK}*"):
            _remove_if_abandoned(path)

    @property
    def evictions(self) -> int:
        """How often files were removed to make room, by any process."""
        return int(self._usage[1])

    def get(self, name: str, fetch: Callable[[], bytes]) -> Path:
        """The file ``name``, with the bytes of ``fetch`` where it is not there yet. May be removed at any time."""
        path = self.directory / name
        if not path.exists():
            with self._locked(str(zlib.crc32(name.encode()) % _LOCKS)):
                if not path.exists():  # nobody else fetched it meanwhile
                    self._publish(path, fetch())
        return path

    def discard(self, name: str) -> None:
        """Remove a file that turned out to be damaged."""
        path = self.directory / name
        with self._locked("usage"):
            if path.exists():
                self._usage[0] -= path.stat().st_size
                path.unlink()

    def _publish(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}{TEMPORARY_MARK}{os.getpid()}")
        try:
            temporary.write_bytes(data)
            with self._locked("usage"):
                self._usage[0] += len(data)
                self._make_room()
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Remove the files that were touched longest ago, where there are too many; only under the lock."""
        if self._usage[0] <= self.limit:
            return
        files = sorted(self._files())
        held = int(self._usage[0])
        for _, size, path in files:
            if held <= _FILLED * self.limit:
                break
            path.unlink(missing_ok=True)
            held -= size
        self._usage[:] = held, self._usage[1] + 1

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Time of the last touch, bytes and path of each file."""
        for path in self.directory.rglob("[!.]*"):
            if path.is_file() and TEMPORARY_MARK not in path.name and path.parent.name != ".locks":
                status = path.stat()
                yield status.st_mtime, status.st_size, path

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Alone among all threads and processes; the system frees the lock of a process that dies."""
        with (self.directory / ".locks" / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # closing would not do, while a process forked meanwhile has it open


def _remove_if_abandoned(path: Path) -> None:
    try:
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink()
    except FileNotFoundError:
        pass  # its process has finished it
