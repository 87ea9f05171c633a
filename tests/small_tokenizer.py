"""A tokenizer of a few texts, for tests that need one."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from tokenizers import Tokenizer

from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.trainer import train_exact
from tokenizer.composition import composed
from tokenizer.pretokens import CONTROL_TOKENS


def small_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """What ``tokenizers`` would train: at most ``size`` tokens, the control tokens last."""
    counter = PretokenCounter()
    counter.add(composed(pa.array(texts, pa.large_string())))
    vocabulary = train_exact(counter.table(), size - len(CONTROL_TOKENS), min_frequency=2)
    return vocabulary.tokenizer(special_tokens=CONTROL_TOKENS)
