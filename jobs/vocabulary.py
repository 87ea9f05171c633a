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
from curation.recipe_tokenizer import Parity
from curation.recipe_tokenizer import Tokenizer as Settings
from jobs.count_tables import counted_text, read_counts
from jobs.tokenizer_settings import base_tokenizer, pattern_of
from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.extension import extended, vocabulary_of
from tokenizer.bpe.parity import solve
from tokenizer.bpe.trainer import Options, starting_vocabulary, train, train_exact
from tokenizer.bpe.usage import rare_tokens, usage
from tokenizer.bpe.vocabulary import Vocabulary
from tokenizer.composition import composed
from tokenizer.control_tokens import missing_control_tokens, special_tokens
from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import CONTROL_TOKENS

Show = Callable[[int, str], None]
"""Told of the tokens there are so far, and what to say beside them."""


@dataclass(frozen=True)
class Trained:
    tokenizer: Tokenizer
    smaller: dict[int, Tokenizer]  # by size
    facts: Record  # what the evaluation says of the training


@dataclass(frozen=True)
class Training:
    """One training of a recipe. Weights that were solved and merges are kept in ``folder``: a killed one goes on."""

    settings: Settings
    runs: list[str]  # whose counts it is trained from
    parallel: dict[str, list[str]]
    folder: str
    show: Show

    def run(self) -> Trained:
        """Train, and cut the smaller vocabularies.

        Raises ValueError where counts and settings do not fit together (see `tokenizer.bpe.trainer.train`).
        """
        settings, pattern = self.settings, pattern_of(self.settings)
        base = base_tokenizer(settings.extend) if settings.extend else None
        given = vocabulary_of(base) if base else None
        controls = len(CONTROL_TOKENS) if base is None else _other_tokens(base)
        size = settings.vocab_size - controls
        _check_sizes(settings, controls + len(starting_vocabulary(given, settings.seeds).tokens))
        table = read_counts(self.runs, ("language",) if settings.weights else ())
        weights, facts = self._weights(table, size, given)
        report, checkpoint = self._reporter(size), storage.join(self.folder, "merges.npz")
        if settings.mode == "hf_exact":
            vocabulary = train_exact(
                table, size, min_frequency=settings.min_frequency, progress=report, checkpoint=checkpoint
            )
        else:
            vocabulary = train(
                table, size, self._options(), weights=weights, base=given,
                first_new_id=vocabulary_size(base) if base else None, progress=report, checkpoint=checkpoint,
            )  # fmt: skip
        smaller = {n: _tokenizer(vocabulary.prefix(n - controls), base, pattern)
                   for n in sorted(settings.sizes) if n - controls < len(vocabulary.tokens)}  # fmt: skip
        rare = rare_tokens(vocabulary, usage(table, vocabulary).tokens)
        facts["rarely_used"] = {str(times): number for times, number in rare.items()}
        return Trained(_tokenizer(vocabulary, base, pattern, settings.first_control_id), smaller, facts)

    def _options(self) -> Options:
        settings = self.settings
        return Options(
            settings.min_frequency, settings.max_token_characters, settings.within_scripts, tuple(settings.seeds)
        )

    def _reporter(self, size: int) -> Callable[[int, int], None]:
        started = time.monotonic()

        def report(made: int, most: int) -> None:
            self.show(size - most + made, f"{made / max(time.monotonic() - started, 1e-9):,.0f} merges a second")

        return report

    def _weights(
        self, table: pa.Table, size: int, base: Vocabulary | None
    ) -> tuple[dict[str, float] | None, dict[str, Any]]:
        """Weights of languages as the recipe wants them, and what the evaluation says of them."""
        asked = self.settings.weights
        if asked is None:
            return None, {}
        if asked.parity is not None:
            solved = self._solved(asked.parity, table, size, base)
            return solved["weights"], {"weights": solved["weights"], "parity": solved}
        weights = asked.languages if asked.temperature is None else self._tempered(asked.temperature, table)
        return dict(weights), {"weights": dict(weights)}

    def _tempered(self, temperature: float, table: pa.Table) -> dict[str, float]:
        """Weights under which languages count by their bytes to the power 1 / temperature; that of the largest is 1."""
        left = set(table["language"].unique().to_pylist())  # all pretokens of a language may be too rare to be kept
        sizes = {name: n for name, n in counted_text(self.runs)["languages"].items() if n and name in left}
        largest = max(sizes.values(), default=1)
        return {name: round((n / largest) ** (1 / temperature - 1), 4) for name, n in sizes.items()}

    def _solved(self, asked: Parity, table: pa.Table, size: int, base: Vocabulary | None) -> Record:
        """The weights that level premiums; read from ``folder`` where a run before this one has solved them."""
        url = storage.join(self.folder, "parity.json")
        if storage.exists(url):
            saved: Record = json.loads(storage.read_text(url))
            return saved
        counter = PretokenCounter(pattern_of(self.settings), ("language",))
        for language, texts in self.parallel.items():
            counter.add(composed(pa.array(texts, pa.large_string())), (language,))
        solution = solve(
            table, size, self._options(), counter.table(), target=asked.gini, max_cost=asked.max_cost, base=base,
            show=lambda said: self.show(0, said),
        )  # fmt: skip
        found: Record = solution._asdict()
        storage.write_bytes(url, pretty_json(found))
        return found


def _tokenizer(
    vocabulary: Vocabulary, base: Tokenizer | None, pattern: str, first_control_id: int | None = None
) -> Tokenizer:
    if base is not None:
        return extended(base, vocabulary)
    special = special_tokens(len(vocabulary.tokens), first_control_id)
    return vocabulary.tokenizer(pattern=pattern, special_tokens=special)


def _other_tokens(base: Tokenizer) -> int:
    """How many tokens of an extended tokenizer are not of its vocabulary: those added to the base, now or before."""
    added = len(base.get_vocab(with_added_tokens=True)) - len(vocabulary_of(base).tokens)
    return added + len(missing_control_tokens(base))


def _check_sizes(settings: Settings, given: int) -> None:
    least = min([settings.vocab_size, *settings.sizes])
    if least < given:
        raise ValueError(
            f"{least:,} tokens were asked for (vocab_size, sizes), but {given:,} are given: bytes, control tokens, "
            "seeds and the tokens of the tokenizer to extend; ask for that or more"
        )
