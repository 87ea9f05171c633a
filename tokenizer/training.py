"""Training a byte-level BPE tokenizer with the ``tokenizers`` trainer."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator

from tokenizers import AddedToken, Tokenizer, trainers

from tokenizer.pretokens import CONTROL_TOKENS, build_pipeline, byte_characters

BYTE_TOKENS = 256
SMALLEST_VOCABULARY = BYTE_TOKENS + len(CONTROL_TOKENS)
# The trainer of ``tokenizers`` counts pairs in signed 32-bit integers; no pair can be more frequent than the bytes.
MAX_SAMPLE_BYTES = 2**31 - 1


def train_bpe(batches: Iterator[list[str]], vocab_size: int, *, min_frequency: int = 2) -> Tokenizer:
    """A byte-level BPE tokenizer with at most ``vocab_size`` tokens, a pure function of the texts.

    ``vocab_size`` counts the 256 bytes, the merges and the three control tokens, which get the last three ids (as in
    Qwen2). Pairs seen fewer than ``min_frequency`` times are not merged. When the sample runs out of pairs, the
    vocabulary is smaller than asked and a UserWarning says by how much.

    Raises ValueError for a vocabulary that cannot hold the bytes and control tokens, a sample without text, and a
    sample of 2 GiB or more (the trainer's 32-bit counts could overflow and spoil the vocabulary silently).
    Algorithm: Sennrich et al. 2016 (arXiv:1508.07909) over bytes; ties are broken by the smaller pair of ids.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(
            f"vocab_size is {vocab_size:,}, but {BYTE_TOKENS} bytes and {len(CONTROL_TOKENS)} control tokens already "
            f"need {SMALLEST_VOCABULARY}: ask for {SMALLEST_VOCABULARY} or more."
        )
    if min_frequency < 1:
        raise ValueError(f"min_frequency is {min_frequency}, but a pair must occur at least once to be merged.")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(CONTROL_TOKENS),
        min_frequency=min_frequency,
        initial_alphabet=sorted(byte_characters()),
        show_progress=False,
    )
    tokenizer = build_pipeline()
    sample = _Sample(batches)
    tokenizer.train_from_iterator(sample, trainer)
    if sample.utf8_bytes == 0:
        raise ValueError(
            f"The training sample holds no text ({sample.documents:,} documents, all empty): "
            "check the sample's filters and rates."
        )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CONTROL_TOKENS])
    _warn_if_smaller(tokenizer, vocab_size, min_frequency, sample)
    return tokenizer


def merge_count(tokenizer: Tokenizer) -> int:
    """The number of merges of a byte-level BPE tokenizer."""
    return len(json.loads(tokenizer.to_str())["model"]["merges"])


class _Sample:
    """Hands batches to the trainer and counts documents and UTF-8 bytes on the way."""

    def __init__(self, batches: Iterator[list[str]]) -> None:
        self._batches = batches
        self.documents = 0
        self.utf8_bytes = 0

    def __iter__(self) -> Iterator[list[str]]:
        for batch in self._batches:
            self.documents += len(batch)
            self.utf8_bytes += sum(len(text.encode()) for text in batch)
            if self.utf8_bytes > MAX_SAMPLE_BYTES:
                raise ValueError(
                    f"The training sample is over {MAX_SAMPLE_BYTES:,} bytes after {self.documents:,} documents: the "
                    "trainer's 32-bit pair counts could overflow. Lower the sampling rate; 2 GiB is plenty."
                )
            yield batch


def _warn_if_smaller(tokenizer: Tokenizer, vocab_size: int, min_frequency: int, sample: _Sample) -> None:
    size = tokenizer.get_vocab_size()
    if size < vocab_size:
        warnings.warn(
            f"Asked for {vocab_size:,} tokens, found {size:,}: the sample ({sample.documents:,} documents, "
            f"{sample.utf8_bytes:,} bytes) gave {size - SMALLEST_VOCABULARY:,} of "
            f"{vocab_size - SMALLEST_VOCABULARY:,} merges with min_frequency {min_frequency}. "
            "Give a larger sample, a smaller vocab_size or a lower min_frequency.",
            stacklevel=3,
        )
