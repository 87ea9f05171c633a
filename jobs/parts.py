"""The steps of a job: what is one unit of work, and running a step over those not finished, or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import apache_beam as beam

from curation.dataset import Job
from jobs import progress
from jobs.run_context import Block, Run

EXPANSION = 3
"""Text bytes of a byte of zstd Parquet, about; only the size of units depends on it."""
Item = TypeVar("Item")


def in_units(sizes: Iterable[tuple[Item, float]], most: float) -> list[list[Item]]:
    """Items that follow each other, each with its size, in units of at most ``most``; a larger item is a unit alone."""
    units: list[list[Item]] = []
    filled = 0.0
    for item, size in sizes:
        if not units or filled + size > most:
            units.append([])
            filled = 0.0
        units[-1].append(item)
        filled += size
    return units


def for_each_part(
    run: Run, job: Job, parts: list[int], step: Callable[[], beam.PTransform], parts_a_worker: int = 1
) -> None:
    """Give the numbers of unfinished parts to a step that writes each part and its record, showing progress.

    Args:
        parts: all parts of the job.
        step: makes the step; called only where a part waits, so that it may load and check models.
        parts_a_worker: so many parts are worth starting another worker for.
    """
    finished = set(job.finished_parts())
    waiting = [part for part in parts if part not in finished]
    with progress.parts(job, len(parts)):
        if waiting:
            made = step()
            run.execute(
                lambda pipeline: (
                    pipeline | "Parts" >> beam.Create(waiting) | "Spread" >> beam.Reshuffle() | "Each" >> made
                ),
                len(waiting) // parts_a_worker,
            )


class Each(beam.PTransform):
    """One step for each of its tasks, once everything before it is done."""

    def __init__(self, step: Callable[[int], int], tasks: Sequence[int]) -> None:
        super().__init__()
        self._step, self._tasks = step, list(tasks)

    def expand(self, done: beam.PCollection[int]) -> beam.PCollection[int]:
        tasks = self._tasks
        return (
            done
            | "Done" >> beam.Map(lambda _: (0, b"")).with_output_types(Block)
            | "Wait" >> beam.GroupByKey()
            | "Tasks" >> beam.FlatMap(lambda _: tasks)
            | "Spread" >> beam.Reshuffle()
            | "Do" >> beam.Map(self._step)
        )
