"""Live progress of a job on the terminal, counted from finished parts on storage, so that it works on every engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curation.dataset import Job

POLL_SECONDS = 0.5
console = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    console.print(text, markup=False)


@contextmanager
def parts(job: Job, total: int) -> Iterator[None]:
    """Show finished parts, documents, megabytes and rate while the block runs, and one line of totals at its end."""
    started = time.monotonic()
    earlier = set(job.finished_parts())
    meter = _Meter(job, earlier)
    bar = Progress(
        TextColumn(f"{job.name:<16}"), BarColumn(20), TextColumn("{task.completed}/{task.total} parts"),
        TextColumn("{task.fields[counts]}"), TimeElapsedColumn(), TimeRemainingColumn(), console=console,
        transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    stop = threading.Event()
    with bar:
        task = bar.add_task(job.name, total=total, completed=len(earlier), counts="")

        def watch() -> None:
            while not stop.wait(POLL_SECONDS):
                finished = meter.update()
                bar.update(task, completed=finished, counts=meter.text(time.monotonic() - started))

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
        megabytes = self._bytes / 1e6
        return f"{self._documents:,} documents, {megabytes:,.1f} MB, {megabytes / max(seconds, 1e-9):,.1f} MB/s"
