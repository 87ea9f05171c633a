"""Held-out documents as batches: every token a label exactly once, every document apart from its neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tokenizer.shards.reader import ShardSet
from trainer.data.packing import best_fit
from trainer.data.torch_dataset import Batch, as_tensors
from trainer.data.windows import read_windows

Integers = NDArray[np.int64]


def evaluation_batches(
    shards: ShardSet, documents: Integers, sequence_length: int, rows: int
) -> Iterator[tuple[Batch, Integers]]:
    """The documents with these numbers, int64[n], packed into batches.

    A document longer than T = `sequence_length` is cut into pieces, each seeing only itself and the token before it.

    Yields:
        A batch of at most `rows` rows, and the int64 (B, T) document number of every label (-1 where padded).
    """
    plan = best_fit(documents, np.diff(shards.document_offsets)[documents], sequence_length)
    for first in range(0, plan.windows, rows):
        samples = read_windows(shards, plan, np.arange(first, min(first + rows, plan.windows)), sequence_length)
        owners = np.full(samples.labels.shape, -1)
        owners[samples.document_ids >= 0] = np.repeat(samples.document, samples.length)
        yield Batch.of(as_tensors(samples)), owners
