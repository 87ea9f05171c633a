"""The shard job checks its encoder on text of every language and domain, and falls back on ``tokenizers``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.recipe import Shards
from jobs.shard import Tables, WriteShard
from tokenizer.export import export
from tokenizer.training import train_bpe

TEXTS = ["the mill by the river", "grain and water"]


class WrongOnce:
    """Encodes as the compiled encoder does, but for one text."""

    def __init__(self, right, wrong: str) -> None:
        self._right, self._wrong = right, wrong.encode()

    def encode(self, data, offsets, end):
        tokens, lengths = self._right.encode(data, offsets, end)
        if self._wrong in data[offsets[0] : offsets[-1]].tobytes():
            tokens = np.zeros_like(tokens)
        return tokens, lengths


@pytest.fixture
def step(tmp_path: Path) -> WriteShard:
    export(train_bpe(iter([TEXTS * 3]), 280), tmp_path)
    step = WriteShard(None, str(tmp_path), Shards(), Tables(["de", "en"], ["web"], ["files"]), 0)  # type: ignore[arg-type]
    step.setup()
    return step


def table(texts: list[str]) -> pa.Table:
    return pa.table({
        "address": pa.array(range(len(texts)), pa.uint64()),
        "content_hash": pa.array([bytes(16)] * len(texts), pa.binary(16)),
        "source": ["files"] * len(texts),
        "text": pa.array(texts, pa.large_string()),
        "copies": pa.array([1] * len(texts), pa.uint8()),
    })  # fmt: skip


def test_a_difference_in_a_later_language_is_found(step: WriteShard) -> None:
    right = step._encoder.encode(pa.array(TEXTS, pa.large_string()), append_end=True)[0]
    step._encoder._compiled = WrongOnce(step._encoder._compiled, "grain")  # type: ignore[assignment]
    tokens, _, _ = step._encode(table(TEXTS[:1]), "en", "web", repeat=False)
    assert step._encoder.difference is None
    with pytest.warns(UserWarning, match="'grain and water'"):
        more, _, _ = step._encode(table(TEXTS[1:]), "de", "web", repeat=False)
    assert np.concatenate([tokens, more]).tolist() == right.tolist()
    assert step._encoder.difference is not None and not step._encoder.compiled
