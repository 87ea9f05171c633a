"""The recipe's keys under ``tokenizer``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from curation.recipe_types import ByteSize, Fraction, Strict

Pattern = Literal["qwen2", "marks_as_letters", "cl100k", "gpt2", "o200k"]


class Parity(Strict):
    """Weights of languages under which parallel text takes about as many tokens in each; see `tokenizer.bpe.parity`."""

    gini: Fraction = 0.0  # of the premiums; enough when reached
    max_cost: float = Field(default=0.005, gt=0)  # more tokens for the text as it comes, as a fraction


class Weights(Strict):
    """How much the counts of each language matter in training: one of the three."""

    languages: dict[str, Annotated[float, Field(ge=0)]] = {}  # 1 for those not named
    temperature: Annotated[float, Field(gt=0)] | None = None  # a language weighs its bytes to the power 1 / temperature
    parity: Parity | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Weights:
        given = [name for name in ("languages", "temperature", "parity") if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"give one of languages, temperature and parity, not {given or 'none'}")
        return self


class Tokenizer(Strict):
    vocab_size: int = Field(default=32_000, ge=300)  # control tokens included
    first_control_id: int | None = None  # 151643 for Qwen2's; reserved tokens fill the ids before it
    sizes: list[Annotated[int, Field(ge=300)]] = []  # smaller vocabularies of the same training, beside it
    sample_bytes: ByteSize = 64 << 20
    temperature: float = Field(default=2.0, gt=0)  # of the language balance of the sample
    unit_bytes: ByteSize = 256 << 20  # of the sample that one task counts
    add_counts: list[str] = []  # runs, or outputs of `merge-counts`, whose counts are added to those of the sample
    parallel: str | None = None  # JSONL of language, article, text: parallel text for the premium against English
    mode: Literal["default", "hf_exact"] = "default"  # hf_exact: the merges that `tokenizers` would find
    pattern: Pattern | None = None  # cuts pretokens; null: marks_as_letters, or qwen2 in mode hf_exact
    digits: Literal[1, 3] = 1  # in one pretoken at most, with the patterns qwen2 and marks_as_letters
    back_off: int = Field(default=1, ge=1)  # rarer pretokens are cut up where words are not spaced, then dropped
    min_frequency: int = Field(default=2, ge=1)  # of a pair, to be merged
    max_token_characters: int | None = Field(default=None, ge=1)
    within_scripts: bool = False  # no token of two scripts
    seeds: list[Annotated[str, StringConstraints(min_length=1)]] = []  # tokens to have whatever the counts
    extend: str | None = None  # a tokenizer.json whose tokens keep their ids; vocab_size counts them
    weights: Weights | None = None
    license: str | None = None  # an SPDX identifier, for the card

    @model_validator(mode="after")
    def _sizes_are_smaller(self) -> Tokenizer:
        if large := [size for size in self.sizes if size >= self.vocab_size]:
            raise ValueError(f"sizes are smaller than vocab_size ({self.vocab_size:,}), but {large[0]:,} is not")
        return self

    @model_validator(mode="after")
    def _control_tokens_come_last(self) -> Tokenizer:
        if self.first_control_id is not None:
            if self.extend:
                raise ValueError("control tokens are those of the tokenizer to extend; leave first_control_id out")
            if self.first_control_id < self.vocab_size - 3:
                raise ValueError(
                    f"first_control_id is {self.first_control_id:,}, but regular tokens take the ids up to "
                    f"{self.vocab_size - 4:,}; make vocab_size at most {self.first_control_id + 3:,}"
                )
        return self

    @model_validator(mode="after")
    def _options_of_the_mode(self) -> Tokenizer:
        own = ("max_token_characters", "within_scripts", "seeds", "extend", "weights", "back_off")
        given = [name for name in own if getattr(self, name) != Tokenizer.model_fields[name].default]
        if self.mode == "hf_exact" and given:
            raise ValueError(
                f"{given[0]} is for mode 'default': `tokenizers` has no such option; leave one of them out"
            )
        if self.digits == 3 and self.pattern not in (None, "qwen2", "marks_as_letters"):
            raise ValueError(f"digits is for the patterns qwen2 and marks_as_letters; {self.pattern} has its own rule")
        if self.extend and (self.pattern or self.digits == 3):
            raise ValueError("the pattern is that of the tokenizer to extend; leave it out")
        if self.weights is not None and self.weights.parity is not None and self.parallel is None:
            raise ValueError("weights.parity is measured on parallel text; give 'parallel'")
        return self
