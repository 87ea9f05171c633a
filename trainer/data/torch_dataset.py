"""Batches of samples for PyTorch: the same in the same order for any number of workers, and from any step on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from trainer.data.samples import SampleStream, rank_samples
from trainer.data.windows import IGNORED, Samples

Arrays = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """What the model is given: four tensors (B, T), the fields of `trainer.data.windows.Samples` with these names."""

    tokens: Tensor
    labels: Tensor
    positions: Tensor
    document_ids: Tensor

    @classmethod
    def of(cls, arrays: Mapping[str, Tensor]) -> Batch:
        return cls(arrays["tokens"], arrays["labels"], arrays["positions"], arrays["document_ids"])

    def to(self, device: torch.device) -> Batch:
        tensors = (self.tokens, self.labels, self.positions, self.document_ids)
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))

    def split(self, parts: int) -> list[Batch]:
        """Cuts the rows into `parts` batches of equal size, in order."""
        tensors = (self.tokens, self.labels, self.positions, self.document_ids)
        return [Batch(*cut) for cut in zip(*(tensor.chunk(parts) for tensor in tensors), strict=True)]

    @property
    def num_labels(self) -> int:
        return int((self.labels != IGNORED).sum())


class SampleDataset(IterableDataset[Arrays]):
    """Batches of one rank from a step on, without end; to be read with ``batch_size=None``."""

    def __init__(
        self,
        stream: SampleStream,
        global_batch: int,
        rank: int = 0,
        world: int = 1,
        first_step: int = 0,
        first: int = 0,
        prefetch: int = 2,
    ) -> None:
        """A step sees samples [first + step * global_batch, + global_batch), cut among the ``world`` ranks.

        Args:
            first: the sample at which step 0 begins, such as where a run with another batch size stopped.
            prefetch: how many of its batches ahead a worker has fetched, where the shards are remote.

        Raises:
            ValueError: the batch cannot be divided among the ranks.
        """
        rank_samples(0, global_batch, rank, world)
        self._stream, self._global_batch, self._rank, self._world = stream, global_batch, rank, world
        self._first_step, self._first, self._prefetch = first_step, first, prefetch

    def __iter__(self) -> Iterator[Arrays]:
        worker = get_worker_info()
        # A DataLoader takes batches from its workers in turn, so worker w of W has every W-th.
        stride = worker.num_workers if worker else 1
        step = self._first_step + (worker.id if worker else 0)
        for ahead in range(self._prefetch):
            self._stream.prefetch(self._samples(step + ahead * stride))
        while True:
            self._stream.prefetch(self._samples(step + self._prefetch * stride))
            yield as_tensors(self._stream.read(self._samples(step)))
            step += stride

    def _samples(self, step: int) -> NDArray[np.int64]:
        return rank_samples(step, self._global_batch, self._rank, self._world, self._first)


def as_tensors(samples: Samples) -> Arrays:
    """The arrays as tensors of the same memory, by name."""
    return {name: torch.from_numpy(array) for name, array in samples._asdict().items()}


def data_loader(dataset: SampleDataset, workers: int = 0, prefetch: int = 2) -> DataLoader[Arrays]:
    """A DataLoader over the dataset; ``prefetch`` batches wait ready in each worker.

    Errors in workers, such as damaged blocks, are raised where batches are taken.
    """
    options = {"prefetch_factor": prefetch, "persistent_workers": True} if workers else {}
    # A DataLoader draws its workers' seeds: of a generator of its own, to leave the run's random numbers alone.
    generator = torch.Generator()
    return DataLoader(dataset, batch_size=None, num_workers=workers, generator=generator, **options)  # type: ignore[arg-type]
