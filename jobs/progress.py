"""Live progress of a job on the terminal, counted from finished parts on storage, so that it works on every engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curation.dataset import Job

POLL_SECONDS = 0.5
console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 120  # a file or a pipe has no width of its own


def say(text: str) -> None:
    console.print(text, markup=False)


@contextmanager
def counter(name: str, total: int, unit: str) -> Iterator[Callable[[int, str], None]]:
    """A bar on the terminal while the block runs, and the function that moves it: (completed, what to say beside)."""
    bar = Progress(
        TextColumn(f"{name:<16}"), BarColumn(20), TextColumn("{task.completed:,}/{task.total:,} " + unit),
        TextColumn("{task.fields[said]}"), TimeElapsedColumn(), TimeRemainingColumn(), console=console,
        transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(name, total=total, said="")
        yield lambda completed, said: bar.update(task, completed=completed, said=said)


@contextmanager
def parts(job: Job, total: int) -> Iterator[None]:
    """Show finished parts, documents, megabytes and rate while the block runs, and one line of totals at its end."""
    started = time.monotonic()
    earlier = set(job.finished_parts())
    meter = _Meter(job, earlier)
    stop = threading.Event()
    with counter(job.name, total, "parts") as show:

        def watch() -> None:
            while not stop.wait(POLL_SECONDS):
                show(meter.update(), meter.text(time.monotonic() - started))

        thread = threading.Thread(target=watch, daemon=True)
        if console.is_terminal:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            if thread.is_alive():
                thread.join()
    meter.update()
    seconds = time.monotonic() - started
    resumed = f", {len(earlier)} parts were there already" if earlier else ""
    say(f"{job.name:<16} {total} parts{resumed}, {meter.text(seconds)}, {seconds:.1f} s")


class _Meter:
    def __init__(self, job: Job, earlier: set[int]) -> None:
        self._job, self._seen, self._documents, self._bytes = job, set(earlier), 0, 0

    def update(self) -> int:
        """Read the records of newly finished parts; returns how many parts are finished."""
        finished = set(self._job.finished_parts())
        for part in sorted(finished - self._seen):
            counts = self._job.record(part).get("counts", {})
            self._documents += counts.get("documents", 0)
            self._bytes += counts.get("utf8_bytes", 0)
        self._seen |= finished
        return len(finished)

    def text(self, seconds: float) -> str:
        return rate(self._documents, self._bytes, seconds)


def rate(documents: int, bytes_: int, seconds: float) -> str:
    """Documents, megabytes and megabytes a second; documents a second where no text is read."""
    seconds = max(seconds, 1e-9)
    if not bytes_:
        return f"{documents:,} documents, {documents / seconds:,.0f} a second"
    return f"{documents:,} documents, {bytes_ / 1e6:,.1f} MB, {bytes_ / 1e6 / seconds:,.1f} MB/s"
