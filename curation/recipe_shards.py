"""The recipe's keys under ``shards`` and ``train``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from curation.recipe_types import ByteSize, Strict


class Tiers(Strict):
    """Quality tiers: 1 below the first bound, one more for each bound reached, 0 for documents without a value."""

    signal: str  # a numeric column of signals/, or score_NAME
    bounds: list[float] = Field(min_length=1, max_length=254)

    @model_validator(mode="after")
    def _bounds_rise(self) -> Tiers:
        if sorted(set(self.bounds)) != self.bounds:
            raise ValueError(f"the bounds of tiers rise, each above the one before; these do not: {self.bounds}")
        return self


class Shards(Strict):
    shard_tokens: int = Field(default=100_000_000, ge=1)  # of one shard, about; shards of a split are about equal
    shuffle: bool = False  # all of a split by chance; else by part, language, domain and row
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.01  # of texts
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of texts; 0: no such split
    tiers: Tiers | None = None
    dtype: Literal["uint32", "uint16"] = "uint32"
    unit_bytes: ByteSize = 64 << 20  # text encoded at a time, the grain of parallelism and resumption

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Shards:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction take all documents; leave some to train on")
        return self


class MixtureStage(Strict):
    """Weights of sources, such as ``en/web``, from a step on; a source without one has weight 0."""

    from_step: int = Field(ge=0)  # times batch_size a multiple of 2,048 samples
    weights: dict[str, float] = Field(min_length=1)


class Train(Strict):
    """The reference model and its training; sizes are Hugging Face's Qwen2Config fields."""

    hidden_size: int = Field(default=128, ge=8)
    intermediate_size: int = Field(default=512, ge=8)
    num_hidden_layers: int = Field(default=4, ge=1)
    num_attention_heads: int = Field(default=4, ge=1)
    num_key_value_heads: int = Field(default=2, ge=1)
    sequence_length: int = Field(default=256, ge=8)
    packing: Literal["best_fit", "concatenate"] = "best_fit"  # of documents into sequences
    mixture: list[MixtureStage] | None = None  # each source's share of the shards by default
    mixture_by: list[Literal["language", "domain", "source"]] = ["language", "domain"]  # what tells sources apart
    workers: int = Field(default=0, ge=0)  # processes that read ahead
    batch_size: int = Field(default=8, ge=1)
    steps: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    warmup_steps: int = Field(default=20, ge=0)
    checkpoint_every: int = Field(default=100, ge=1)
    evaluate_every: int = Field(default=100, ge=1)
    device: str = "auto"
    cache: str | None = None  # local folder for blocks of shards at a URL; null: one for each start
    cache_bytes: ByteSize | None = None  # at most; null: 64 GiB, or half of the disk's free space where that is less
