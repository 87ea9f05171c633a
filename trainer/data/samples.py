"""The samples of a training run: sample number g is a pure function of g, the shards and the settings.

g gives a source (`trainer.data.mixture`) and how many of its samples came before; that gives an epoch of the source and
a place in it; a keyed permutation of the epoch gives a window of the packing plan (`trainer.data.packing`); the window
gives pieces of documents (`trainer.data.windows`). Nothing is kept between samples, so any number of workers and ranks
see the same, and a run goes on from any sample at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.shards.reader import ShardSet
from trainer.data.mixture import BLOCK, Mixture, Stage
from trainer.data.packing import PACKINGS, joined
from trainer.data.permutation import permute, round_keys
from trainer.data.windows import Samples, end_of_text, pieces_of, read_windows

Integers = NDArray[np.int64]
_RECENT_BLOCKS = 4


class SampleStream:
    """All samples of a training run over a set of shards.

    ``sources``: their names; ``plan``: the windows of all sources, one source after the other; ``first_window``
    int64[sources+1]: where each source's begin; ``mixture``: the order of the sources.
    """

    def __init__(
        self,
        shards: ShardSet,
        sequence_length: int,
        seed: int = 0,
        packing: str = "best_fit",
        stages: Sequence[Stage] | None = None,
        by: Sequence[str] = ("language", "domain"),
    ) -> None:
        """Plan the windows of every source.

        Args:
            sequence_length: T, labels of a sample.
            packing: ``best_fit`` or ``concatenate``, see `trainer.data.packing`.
            stages: weights of sources from given samples on; by default each source has the share of its windows.
            by: what makes a source: fields of the document records (language, domain, source); their values joined by
                ``/`` are its name. Without any, all documents are the source "all".

        Raises:
            ValueError: no tokens or end-of-text token, an unknown packing, or stages that do not fit
                (`trainer.data.mixture.Mixture`).
        """
        if packing not in PACKINGS:
            raise ValueError(f"packing is one of {list(PACKINGS)}, not '{packing}'")
        if shards.num_tokens == 0:
            raise ValueError(f"{shards.location} holds no tokens to train on")
        end_of_text(shards)
        self.shards, self.sequence_length, self.seed, self.packing = shards, sequence_length, seed, packing
        names, number = _sources(shards, by)
        lengths = np.diff(shards.document_offsets)
        grouped = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
        plans = {name: PACKINGS[packing](documents, lengths[documents], sequence_length)
                 for name, documents in zip(names, grouped, strict=True) if lengths[documents].any()}  # fmt: skip
        self.sources, self.plan = list(plans), joined(list(plans.values()))
        self.first_window = np.cumsum([0] + [plan.windows for plan in plans.values()], dtype=np.int64)
        own = {name: float(plan.windows) for name, plan in plans.items()}
        self.mixture = Mixture(self.sources, list(stages or [Stage(0, own)]), seed)
        self._recent: dict[int, Integers] = {}

    def read(self, samples: Integers | Sequence[int]) -> Samples:
        """The samples with these numbers, int64[B], in this order. Raises as `trainer.data.windows.read_windows`."""
        return read_windows(self.shards, self.plan, self.windows(samples), self.sequence_length)

    def prefetch(self, samples: Integers | Sequence[int]) -> None:
        """Have these samples' blocks fetched in the background, where the shards are remote."""
        if not self.shards.fetches:
            return
        _, piece = pieces_of(self.plan, self.windows(samples))
        begin = self.shards.document_offsets[self.plan.document[piece]] + self.plan.start[piece]
        self.shards.prefetch(begin, begin + self.plan.length[piece])

    def windows(self, samples: Integers | Sequence[int]) -> Integers:
        """The window of ``plan`` that each sample shows: int64[B]. Raises IndexError below sample 0."""
        number, place = np.divmod(np.asarray(samples, np.int64), BLOCK)
        if len(number) and number.min() < 0:
            raise IndexError(f"samples count from 0; there is none of number {np.min(samples)}")
        if len(number) and number[0] == number[-1] and (number == number[0]).all():
            return self._block_windows(int(number[0]))[place]
        windows = np.empty(len(number), np.int64)
        for block in np.unique(number).tolist():
            chosen = number == block
            windows[chosen] = self._block_windows(block)[place[chosen]]
        return windows

    def _block_windows(self, block: int) -> Integers:
        """The windows of a block of the mixture, int64[BLOCK]; the last few blocks are kept, as batches share them."""
        if block not in self._recent:
            windows = np.empty(BLOCK, np.int64)
            sources, counts = self.mixture.block(block)
            for source in np.unique(sources).tolist():
                rows = np.flatnonzero(sources == source)
                first, size = self.first_window[source], self.first_window[source + 1] - self.first_window[source]
                epochs, places = np.divmod(counts[rows], size)
                for epoch in np.unique(epochs).tolist():
                    chosen = epochs == epoch
                    keys = round_keys(self.seed, epoch, f"source {self.sources[source]}")
                    windows[rows[chosen]] = first + permute(places[chosen], int(size), keys)
            self._recent[block] = windows
            for old in list(self._recent)[:-_RECENT_BLOCKS]:
                del self._recent[old]
        return self._recent[block]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What must be the same for the samples to be, the weights aside; JSON-ready."""
        plan = hashlib.sha256()
        for column in self.plan:
            plan.update(np.ascontiguousarray(column).data)
        return {
            "shards": self.shards.fingerprint,
            "tokenizer": self.shards.manifest["tokenizer"]["fingerprint"],
            "sequence_length": self.sequence_length, "seed": self.seed, "packing": self.packing,
            "sources": self.sources, "plan": plan.hexdigest(),
        }  # fmt: skip

    def state(self, sample: int) -> dict[str, Any]:
        """What a checkpoint keeps: the next sample, and what it is a function of; JSON-ready and of constant size."""
        return {"sample": int(sample), **self.identity, "stages": [_plain(stage) for stage in self.mixture.stages]}

    def resume(self, state: Mapping[str, Any]) -> int:
        """The next sample of a run that saved this state. Stages from there on may have changed since.

        Raises:
            ValueError: the state is of other shards, settings or weights; says which, and what they were.
        """
        sample = int(state["sample"])
        now = {**self.identity, "stages": [_plain(s) for s in self.mixture.stages if s.first_sample < sample]}
        then = {**state, "stages": [stage for stage in state["stages"] if stage["first_sample"] < sample]}
        different = [f"{name}: {_short(then.get(name))} -> {_short(value)}" for name, value in now.items()
                     if json.dumps(then.get(name), sort_keys=True) != json.dumps(value, sort_keys=True)]  # fmt: skip
        if different:
            raise ValueError("the samples differ from the checkpoint's (checkpoint -> now):\n  "
                             + "\n  ".join(different))  # fmt: skip
        return sample


def rank_samples(step: int, global_batch: int, rank: int = 0, world: int = 1, first: int = 0) -> Integers:
    """Numbers of one rank's samples at a step, int64[global_batch / world]: its slice of the global batch.

    ``first`` is the sample that step 0 begins with. Whatever the world size, a step sees the same samples.

    Raises:
        ValueError: the batch cannot be divided among the ranks.
    """
    if global_batch % world or not 0 <= rank < world:
        raise ValueError(f"a batch of {global_batch} samples cannot be divided among {world} ranks (rank {rank})")
    each = global_batch // world
    return first + step * global_batch + rank * each + np.arange(each)


def next_block(sample: int) -> int:
    """The first sample from ``sample`` on at which a stage may begin."""
    return -(-sample // BLOCK) * BLOCK


def _sources(shards: ShardSet, by: Sequence[str]) -> tuple[list[str], Integers]:
    """Names of the sources, and that of each document: int64[documents]."""
    tables = {"language": shards.languages, "domain": shards.domains, "source": shards.sources}
    key = np.zeros(shards.num_documents, np.int64)
    for field in by:
        key = key << 16 | shards.meta[field].astype(np.int64)
    present, number = np.unique(key, return_inverse=True)
    shifts = [16 * (len(by) - 1 - i) for i in range(len(by))]
    if not by:
        return ["all"], key
    names = ["/".join(tables[field][int(value) >> shift & 0xFFFF] for field, shift in zip(by, shifts, strict=True))
             for value in present]  # fmt: skip
    return names, number.astype(np.int64)


def _plain(stage: Stage) -> dict[str, Any]:
    return {"first_sample": stage.first_sample, "weights": {k: stage.weights[k] for k in sorted(stage.weights)}}


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) < 80 else text[:77] + "..."
