"""Which source each sample comes from: exact shares that may change during a run, computed from the sample's number.

Samples come in blocks of `BLOCK`. A block has a fixed number of samples of each source, in an order of its own. Shares
are seldom whole numbers of samples: block k rounds all of them at the k-th term of the van der Corput sequence (1935),
so the samples of a source among the first k blocks are its share of them within a few (the sequence's discrepancy
grows as log k), however small the share, and their number is a sum of as many terms as k has bits. A stage begins
at a block and sets new weights; every source goes on where the stage before left it, so none of its samples is repeated
or lost. Fixed blocks with stages at their borders are Levanter's scheme (`MixtureDataset`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.data.permutation import permute, round_keys

BLOCK = 2048
_BITS = 32
"""Binary places of a share of a block, and of the van der Corput sequence: enough for 2^32 blocks."""
Integers = NDArray[np.int64]


class Stage(NamedTuple):
    """Weights by source from a sample on; a source without one has weight 0."""

    first_sample: int
    weights: Mapping[str, float]


class Mixture:
    """Sources of samples under stages of weights."""

    def __init__(self, sources: Sequence[str], stages: Sequence[Stage], seed: int) -> None:
        """Stages in order, the first from sample 0.

        Raises:
            ValueError: stages out of order or not at a block, unknown sources, or weights that cannot be shares.
        """
        self.sources, self.stages = list(sources), list(stages)
        self._seed = seed
        _check(self.sources, self.stages)
        self._first_block = np.array([stage.first_sample // BLOCK for stage in self.stages])
        self._ends = [_ends([stage.weights.get(name, 0.0) for name in self.sources]) for stage in self.stages]
        self._base = [np.zeros(len(self.sources), np.int64)]
        for number in range(1, len(self.stages)):
            blocks = int(self._first_block[number] - self._first_block[number - 1])
            self._base.append(self._base[-1] + _counts(self._ends[number - 1], blocks))

    def block(self, number: int) -> tuple[Integers, Integers]:
        """Source of each sample of a block, and how many samples of this source came before: int64[BLOCK] each."""
        stage, inside = self._stage(number)
        before = _counts(self._ends[stage], inside)
        sizes = _counts(self._ends[stage], inside + 1) - before
        slots = permute(np.arange(BLOCK), BLOCK, round_keys(self._seed, number, "block"))
        source = np.repeat(np.arange(len(sizes)), sizes)[slots]
        count = np.empty(BLOCK, np.int64)
        grouped = np.argsort(source, kind="stable")
        count[grouped] = np.arange(BLOCK) + np.repeat(self._base[stage] + before - np.cumsum(sizes) + sizes, sizes)
        return source, count

    def before(self, sample: int) -> Integers:
        """Samples of each source among the first ``sample`` samples: int64[sources]."""
        number, rest = divmod(sample, BLOCK)
        stage, inside = self._stage(number)
        counts: Integers = self._base[stage] + _counts(self._ends[stage], inside)
        return counts + np.bincount(self.block(number)[0][:rest], minlength=len(self.sources))

    def _stage(self, block: int) -> tuple[int, int]:
        """The stage of a block, and how many of the stage's blocks came before."""
        stage = int(np.searchsorted(self._first_block, block, side="right")) - 1
        return stage, block - int(self._first_block[stage])


def _ends(weights: Sequence[float]) -> Integers:
    """Where each source's part of a block of 2^_BITS * BLOCK parts ends: int64[sources], the last at the block's."""
    ends = np.floor(np.cumsum(weights) / np.sum(weights) * (BLOCK << _BITS)).astype(np.int64)
    ends[np.flatnonzero(np.array(weights) > 0)[-1] :] = BLOCK << _BITS  # whatever the sum was rounded to
    return ends


def _counts(ends: Integers, blocks: int) -> Integers:
    """Samples of each source in the first ``blocks`` blocks of a stage: int64[sources].

    Block k ends source i at floor(end_i + v_k), v_k the bits of k mirrored at the binary point: rounded up where v_k is
    1 - fraction of end_i or more. The k < blocks with v_k below a bound are counted by their leading bits: those that
    first differ from ``blocks`` at bit b have all values of b free bits, which come first in v_k.
    """
    whole, bound = ends >> _BITS, (1 << _BITS) - (ends & ((1 << _BITS) - 1))
    below, fixed = np.zeros(len(ends), np.int64), 0  # fixed: v_k of the bits above b
    for bit in reversed(range(blocks.bit_length())):
        if blocks >> bit & 1:
            step = 1 << _BITS - bit  # between two values of v_k
            below += np.clip((bound - fixed + step - 1) // step, 0, 1 << bit)
            fixed += step >> 1
    return np.diff(blocks * whole + blocks - below, prepend=0)


def _check(sources: list[str], stages: list[Stage]) -> None:
    if not stages or stages[0].first_sample != 0:
        raise ValueError("a mixture needs a stage from sample 0 on")
    for before, stage in zip([None, *stages], stages, strict=False):
        if stage.first_sample % BLOCK:
            near = round(stage.first_sample / BLOCK) * BLOCK
            raise ValueError(f"a stage begins at a multiple of {BLOCK:,} samples, such as {near:,}, not at "
                             f"{stage.first_sample:,}")  # fmt: skip
        if before is not None and stage.first_sample <= before.first_sample:
            raise ValueError(f"stages must follow each other; {stage.first_sample:,} comes after "
                             f"{before.first_sample:,}")  # fmt: skip
        unknown = sorted(set(stage.weights) - set(sources))
        if unknown:
            raise ValueError(f"weights for {unknown}, but the shards have {sources}")
        if any(not 0 <= weight < float("inf") for weight in stage.weights.values()) or not any(stage.weights.values()):
            raise ValueError(f"weights are numbers from 0 on, and not all 0; these are {dict(stage.weights)}")
