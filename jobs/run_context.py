"""What every job of a run shares: recipe, output folder, and how Beam pipelines are run."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle

from curation import storage
from curation.recipe import Recipe
from jobs.errors import JobError

Block = tuple[int, bytes]
"""What is shuffled: a partition or part number, and a columnar block of values (an Arrow IPC stream or raw uint64)."""


@dataclass(frozen=True)
class Run:
    """One run of a recipe. ``workers`` are local processes; other engines take ``beam_options`` as they are."""

    recipe: Recipe
    output: str
    workers: int = 0  # 0: one per core
    beam_options: tuple[str, ...] = field(default=())

    def path(self, *names: str) -> str:
        return storage.join(self.output, *names)

    def worker_count(self, work_units: int) -> int:
        """Worker processes worth starting for so many units: each costs about two seconds to start."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min(self.workers or cores, work_units))

    def execute(self, build: Callable[[beam.Pipeline], object], work_units: int) -> None:
        """Build and run one pipeline to its end.

        Raises:
            JobError: a worker failed; the message carries its error.
        """
        options, runner = self._engine(self.worker_count(work_units))
        logging.getLogger("apache_beam").setLevel(logging.ERROR)
        pipeline = beam.Pipeline(runner=runner, options=options)
        build(pipeline)
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:  # one process raises what the step raised, several a RuntimeError with its text
            raise JobError(f"the pipeline failed: {_last_line(error)}") from error

    def _engine(self, workers: int) -> tuple[PipelineOptions, fn_runner.FnApiRunner | None]:
        if any(option.startswith("--runner") for option in self.beam_options):
            return PipelineOptions(list(self.beam_options)), None
        mode = "in_memory" if workers == 1 else "multi_processing"
        options = PipelineOptions(
            [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}", *self.beam_options]
        )
        return options, _local_runner(options)


def _local_runner(options: PipelineOptions) -> fn_runner.FnApiRunner:
    """The in-process portable runner, by name: `DirectRunner` changes engine with the network.

    The options are put into the provision info by hand, because `FnApiRunner` gives worker processes none otherwise.
    """
    provision = beam_provision_api_pb2.ProvisionInfo(
        pipeline_options=JobServiceHandle.encode_pipeline_options(options.get_all_options())
    )
    return fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))


def _last_line(error: Exception) -> str:
    """The error a worker raised, without the stack that Beam prints around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if line.split(":")[0].split(".")[-1].endswith(("Error", "Exception", "Invalid"))]
    return (named or lines or ["no message"])[-1]
