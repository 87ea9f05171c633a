"""Training the vocabularies of a recipe from counts: its mode, weights, sizes and the tokenizer it extends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from tokenizers import Tokenizer

from curation import storage
from curation.dataset import Record, pretty_json
from curation.recipe import Tokenizer as Settings
from jobs.count_tables import counted_text, read_counts
from jobs.tokenizer_settings import base_tokenizer, pattern_of
from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.extension import extended, first_free_id, vocabulary_of
from tokenizer.bpe.parity import solve
from tokenizer.bpe.trainer import Options, train, train_exact
from tokenizer.bpe.usage import rare_tokens, usage
from tokenizer.bpe.vocabulary import Vocabulary
from tokenizer.nfc import composed
from tokenizer.pretokens import CONTROL_TOKENS

Show = Callable[[int, str], None]
"""Told of the tokens there are so far, and what to say beside them."""


@dataclass(frozen=True)
class Trained:
    tokenizer: Tokenizer
    smaller: dict[int, Tokenizer]  # by size
    facts: Record  # what the evaluation says of the training


def train_vocabularies(
    settings: Settings, runs: list[str], parallel: dict[str, list[str]], folder: str, show: Show
) -> Trained:
    """Train from the counts of ``runs``. Weights that were solved and merges are kept in ``folder``, from
    where a killed training goes on.

    Raises ValueError where counts and settings do not fit together (see `tokenizer.bpe.trainer.train`).
    """
    base = base_tokenizer(settings.extend) if settings.extend else None
    table = read_counts(runs, ("language",) if settings.weights else ())
    pattern = pattern_of(settings)
    controls = len(CONTROL_TOKENS) if base is None else _added_tokens(base)
    size = settings.vocab_size - controls
    weights, facts = _weights(settings, table, runs, parallel, size, pattern, folder, show)
    checkpoint = storage.join(folder, "merges.npz")
    started = time.monotonic()

    def report(made: int, most: int) -> None:
        show(size - most + made, f"{made / max(time.monotonic() - started, 1e-9):,.0f} merges a second")

    if settings.mode == "hf_exact":
        vocabulary = train_exact(
            table, size, min_frequency=settings.min_frequency, progress=report, checkpoint=checkpoint
        )
    else:
        vocabulary = train(
            table, size, options_of(settings), weights=weights, base=vocabulary_of(base) if base else None,
            first_new_id=first_free_id(base) if base else None, progress=report, checkpoint=checkpoint,
        )  # fmt: skip
    smaller = {n: _tokenizer(vocabulary.prefix(n - controls), base, pattern)
               for n in sorted(settings.sizes) if n - controls < len(vocabulary.tokens)}  # fmt: skip
    used = usage(table, vocabulary).tokens
    facts["rarely_used"] = {str(times): number for times, number in rare_tokens(vocabulary, used).items()}
    return Trained(_tokenizer(vocabulary, base, pattern), smaller, facts)


def options_of(settings: Settings) -> Options:
    return Options(
        settings.min_frequency, settings.max_token_characters, settings.within_scripts, tuple(settings.seeds)
    )


def _tokenizer(vocabulary: Vocabulary, base: Tokenizer | None, pattern: str) -> Tokenizer:
    if base is not None:
        return extended(base, vocabulary)
    return vocabulary.tokenizer(pattern=pattern, special_tokens=CONTROL_TOKENS)


def _added_tokens(base: Tokenizer) -> int:
    """How many tokens of a tokenizer are not of its vocabulary."""
    return len(base.get_vocab(with_added_tokens=True)) - len(vocabulary_of(base).tokens)


def _weights(
    settings: Settings, table: pa.Table, runs: list[str], parallel: dict[str, list[str]], size: int, pattern: str,
    folder: str, show: Show,
) -> tuple[dict[str, float] | None, Record]:  # fmt: skip
    """Weights of languages as the recipe wants them, and what the evaluation says of them."""
    if settings.weights is None:
        return None, {}
    if settings.weights.languages:
        return dict(settings.weights.languages), {"weights": settings.weights.languages}
    if settings.weights.temperature:
        sizes = {name: n for name, n in counted_text(runs)["languages"].items() if n}
        largest = max(sizes.values())
        power = 1 / settings.weights.temperature - 1
        weights = {name: round((n / largest) ** power, 4) for name, n in sizes.items()}
        return weights, {"weights": weights}
    found = _parity(settings, table, parallel, size, pattern, folder, show)
    return found["weights"], {"weights": found["weights"], "parity": found}


def _parity(
    settings: Settings, table: pa.Table, parallel: dict[str, list[str]], size: int, pattern: str, folder: str,
    show: Show,
) -> Record:  # fmt: skip
    """The weights that level premiums; read from ``folder`` where a run before this one has solved them."""
    assert settings.weights is not None and settings.weights.parity is not None
    asked = settings.weights.parity
    url = storage.join(folder, "parity.json")
    if storage.exists(url):
        saved: Record = json.loads(storage.read_text(url))
        return saved
    counter = PretokenCounter(pattern, ("language",))
    for language, texts in parallel.items():
        counter.add(composed(pa.array(texts, pa.large_string())), (language,))
    solution = solve(
        table, size, options_of(settings), counter.table(), target=asked.gini, max_cost=asked.max_cost,
        show=lambda said: show(0, said),
    )  # fmt: skip
    found: dict[str, Any] = solution._asdict()
    storage.write_bytes(url, pretty_json(found))
    return found
