"""Bits per byte: how many bits the model needs for each UTF-8 byte of held-out text.

    bits per byte = (sum of -ln p(token) over every token, <|endoftext|> included) / ln 2 / (UTF-8 bytes of the text)

(The Pile, arXiv:2101.00027, section 3.1.) Loss per token depends on how long the tokenizer's tokens are; bits per
byte does not, so models with different tokenizers can be compared. Bytes are those of the documents' text, from the
shards' metadata.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from tokenizer.shards.reader import ShardSet
from trainer.data.evaluation import evaluation_batches
from trainer.data.torch_dataset import Batch
from trainer.data.windows import IGNORED

LanguageModel = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Score:
    """Totals over a group of documents: negative log-likelihood in nats, scored tokens, UTF-8 bytes, documents."""

    nats: float
    tokens: int
    bytes: int
    documents: int

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.bytes

    def to_dict(self) -> dict[str, Any]:
        return {
            "bits_per_byte": self.bits_per_byte,
            "nats": self.nats,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "documents": self.documents,
        }


@dataclass(frozen=True)
class Evaluation:
    """Scores of all documents together, of each language and of each domain (groups without documents left out)."""

    total: Score
    languages: dict[str, Score]
    domains: dict[str, Score]

    @property
    def micro(self) -> float:
        """Bits per byte of all documents as one text: large languages count more."""
        return self.total.bits_per_byte

    @property
    def macro(self) -> float:
        """Mean of the languages' bits per byte: every language counts the same."""
        return math.fsum(score.bits_per_byte for score in self.languages.values()) / len(self.languages)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: micro, macro and totals, then a table per language and per domain."""
        return {
            "micro": self.micro,
            "macro": self.macro,
            "nats": self.total.nats,
            "tokens": self.total.tokens,
            "bytes": self.total.bytes,
            "documents": self.total.documents,
            "languages": {name: score.to_dict() for name, score in self.languages.items()},
            "domains": {name: score.to_dict() for name, score in self.domains.items()},
        }


@torch.no_grad()
def evaluate(
    model: LanguageModel,
    source: ShardSet,
    *,
    sequence_length: int,
    rows: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    documents: Sequence[int] | None = None,
) -> Evaluation:
    """Scores documents one by one (packed for speed, isolated by the attention mask).

    Args:
        model: (tokens, positions, document_ids), int64 (B, T) each, -> logits (B, T, V).
        sequence_length: longest context; longer documents are scored in pieces of this many tokens.
        rows: rows per batch; memory only.
        dtype: anything but float32 runs the model under autocast. Losses are computed in float32, summed in float64.
        documents: document numbers to score; None scores all.

    Raises:
        ValueError: if there is nothing to score, a group of documents has no bytes, or a token is not in the
            vocabulary.
    """
    device = torch.device(device)
    chosen = np.arange(source.num_documents) if documents is None else np.asarray(documents, dtype=np.int64)
    if not chosen.size:
        raise ValueError("the validation shards hold no documents, so there is nothing to evaluate")
    nats = np.zeros(source.num_documents)
    for batch, owners in evaluation_batches(source, chosen, sequence_length, rows):
        losses = _token_losses(model, batch.to(device), dtype)
        scored = owners >= 0
        np.add.at(nats, owners[scored], losses[scored])
    groups = _DocumentTotals(nats[chosen], np.diff(source.document_offsets)[chosen], source.meta[chosen])
    return Evaluation(
        groups.score("all documents", np.ones(len(chosen), dtype=bool)),
        groups.by("language", source.languages),
        groups.by("domain", source.domains),
    )


def _token_losses(model: LanguageModel, batch: Batch, dtype: torch.dtype) -> npt.NDArray[np.float64]:
    """(B, T) nats per label, 0 where there is none."""
    with autocast(batch.tokens.device, dtype):
        logits = model(batch.tokens, batch.positions, batch.document_ids)
    flat = functional.cross_entropy(
        logits.float().flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    losses: npt.NDArray[np.float64] = flat.view(batch.labels.shape).double().cpu().numpy()
    return losses


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Matrix products in `dtype`, weights and sums in float32; float32 needs no context."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


@dataclass(frozen=True)
class _DocumentTotals:
    """Aligned columns, one entry per scored document."""

    nats: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.int64]
    meta: npt.NDArray[Any]

    def score(self, name: str, chosen: npt.NDArray[np.bool_]) -> Score:
        size = int(self.meta["utf8_bytes"][chosen].sum())
        if not size:
            raise ValueError(f"{name}: {int(chosen.sum())} documents with 0 UTF-8 bytes in the shards' metadata")
        # fsum is exact, so the total does not depend on the order of documents.
        return Score(math.fsum(self.nats[chosen]), int(self.tokens[chosen].sum()), size, int(chosen.sum()))

    def by(self, field: str, names: Sequence[str]) -> dict[str, Score]:
        column = self.meta[field]
        return {names[i]: self.score(f"{field} {names[i]}", column == i) for i in np.unique(column).tolist()}
