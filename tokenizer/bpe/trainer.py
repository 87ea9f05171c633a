"""Training a vocabulary from counts, with this project's rules (`train`) or as ``tokenizers`` does (`train_exact`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tokenizer.bpe.checkpoint import read_checkpoint, training_fingerprint, write_checkpoint
from tokenizer.bpe.counts import GROUP_COLUMNS, merge
from tokenizer.bpe.engine import NO_LIMIT, Engine, Rules, frequency_floor
from tokenizer.bpe.scripts import script_table
from tokenizer.bpe.seeds import with_seeds
from tokenizer.bpe.vocabulary import Vocabulary, byte_positions, extended_ids, initial_vocabulary
from tokenizer.bpe.weights import WEIGHT_UNIT, weigh

REPORT_EVERY = 1_000  # merges
CHECKPOINT_EVERY = 20_000  # merges
_NO_SCRIPTS = np.zeros(0, np.uint64)

Progress = Callable[[int, int], None]
"""Called with the merges made so far and the most there will be."""


@dataclass(frozen=True)
class Options:
    """The rules of `train`."""

    min_frequency: int = 2
    """Pairs that occur less often are not merged. With weights, this is compared with the weighted count."""
    max_token_characters: int | None = None
    """No token is longer (given tokens and seeds may be). Characters rather than bytes, to treat scripts alike."""
    within_scripts: bool = False
    """Whether tokens keep to one script; see `scripts` for what that is."""
    seeds: tuple[str, ...] = ()
    """Tokens that come first whatever the counts. Useful only if the pretoken pattern does not cut them up."""


def train(
    table: pa.Table,
    size: int,
    options: Options | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    base: Vocabulary | None = None,
    first_new_id: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | None = None,
) -> Vocabulary:
    """A vocabulary of at most ``size`` tokens (bytes, seeds and tokens of ``base`` included; no control tokens).

    No token mixes whole characters with a part of one (see `tokens`), and none is made in two ways. Equal counts are
    decided by the smaller pair of ids. A pure function of counts and options; a run of a smaller size finds a prefix.
    ``weights``: of languages, see `weigh`. ``base``: a vocabulary to extend; its ids and merges stay as they are, and
    new tokens get ids from ``first_new_id`` on (default: after its last). ``checkpoint``: a file or URL that keeps the
    merges made so far; a run that finds one goes on from there to the same result.

    Raises ValueError for a size too small for what is given, options out of range, a count table without pretokens, and
    a checkpoint of another training.
    """
    options = options or Options()
    _check_options(options, base, first_new_id)
    table, unit = (weigh(table, weights), WEIGHT_UNIT) if weights is not None else (_summed(table), 1)
    start = starting_vocabulary(base, options.seeds)
    rules = Rules(
        min_frequency=options.min_frequency * unit,
        longest_token=options.max_token_characters or NO_LIMIT,
        whole_characters=True,
        reuse_tokens=False,
        script_table=script_table() if options.within_scripts else _NO_SCRIPTS,
    )
    settings = ("train", size, options, start.tokens, start.merges.tobytes(), unit)
    trained = _train(table, size, start, rules, settings, progress, checkpoint)
    if base is None or base.ids is None and first_new_id is None:
        return trained
    ids = extended_ids(tuple(base.id_of_position), len(trained.tokens), first_new_id)
    return Vocabulary(trained.tokens, trained.merges, trained.counts, trained.special_tokens, ids)


def starting_vocabulary(base: Vocabulary | None, seeds: Sequence[str]) -> Vocabulary:
    """What `train` starts with: the tokens of ``base``, or else the 256 bytes, and ``seeds``."""
    return with_seeds(base or initial_vocabulary(), [seed.encode() for seed in seeds])


def train_exact(
    table: pa.Table,
    size: int,
    *,
    min_frequency: int = 0,
    max_token_length: int | None = None,
    special_tokens: Sequence[str] = (),
    progress: Progress | None = None,
    checkpoint: str | None = None,
) -> Vocabulary:
    """The vocabulary that ``BpeTrainer`` of ``tokenizers`` 0.23 finds for the same pretokens, token for token.

    Its arguments ``vocab_size``, ``min_frequency``, ``max_token_length`` and ``special_tokens`` (which come first),
    with the 256 bytes as its ``initial_alphabet``. Its peculiarities are kept: a pair that makes a token there is
    already is merged into that token, and tokens of more than two bytes are shorter than ``max_token_length``. Only its
    32-bit counts are not: they overflow when a pair occurs 2**31 times, and these do not.
    ``progress`` and ``checkpoint`` as in `train`. Raises ValueError as `train`.
    """
    if max_token_length is not None and max_token_length < 1:
        raise ValueError(f"max_token_length is {max_token_length}, but no token is shorter than 1.")
    start = initial_vocabulary(special_tokens)
    rules = Rules(
        min_frequency=max(1, min_frequency),
        # ``tokenizers`` does not check pairs of single bytes, and wants all others to be shorter than the limit.
        longest_token=NO_LIMIT if max_token_length is None else max(2, max_token_length - 1),
        whole_characters=False,
        reuse_tokens=True,
        script_table=_NO_SCRIPTS,
    )
    settings = ("train_exact", size, min_frequency, max_token_length, start.special_tokens)
    return _train(_summed(table), size, start, rules, settings, progress, checkpoint)


def _train(
    table: pa.Table,
    size: int,
    start: Vocabulary,
    rules: Rules,
    settings: object,
    progress: Progress | None,
    checkpoint: str | None,
) -> Vocabulary:
    if size < len(start.tokens):
        raise ValueError(f"{size:,} tokens were asked for, but {len(start.tokens):,} are given: ask for that or more.")
    if not table.num_rows:
        raise ValueError("The count table holds no pretokens: count some text first, or check filters and weights.")
    fingerprint = training_fingerprint(table, settings) if checkpoint else ""
    saved = read_checkpoint(checkpoint, fingerprint) if checkpoint else None
    resumed = start if saved is None else _with_merges(start, *saved)
    # When a token was made in two ways, the merges alone do not tell how often pairs occur in ``tokenizers``' count.
    if saved is not None and _reuses(resumed, start):
        resumed = start
    floor = frequency_floor(table, size, rules)
    while True:
        found, engine = _run(table, size, start, resumed, rules, floor, progress, checkpoint, fingerprint)
        if engine.too_rare:
            resumed, floor = found, 1
        elif not engine.tokens_reused or resumed is start:
            return found
        else:
            resumed = start


def _run(
    table: pa.Table,
    size: int,
    start: Vocabulary,
    resumed: Vocabulary,
    rules: Rules,
    floor: int,
    progress: Progress | None,
    checkpoint: str | None,
    fingerprint: str,
) -> tuple[Vocabulary, Engine]:
    """The vocabulary, and the engine that found it; training goes on from ``resumed``."""
    engine = Engine(table, resumed.tokens, byte_positions(resumed.tokens), resumed.merges, size, rules, floor)
    before = len(resumed.merges) - len(start.merges)
    most = size - len(start.tokens)
    for made in engine.run(REPORT_EVERY):
        if progress:
            progress(before + made, most)
        if checkpoint and made and made % CHECKPOINT_EVERY == 0:
            so_far = _with_log(resumed, engine)
            own = slice(len(start.merges), None)
            write_checkpoint(checkpoint, fingerprint, so_far.merges[own], so_far.counts[own])
    return _with_log(resumed, engine), engine


def _with_log(vocabulary: Vocabulary, engine: Engine) -> Vocabulary:
    """``vocabulary`` with the tokens and merges that the engine has added."""
    merges, counts = engine.log()
    return Vocabulary(
        tuple(engine.tokens()),
        np.concatenate([vocabulary.merges, merges]),
        np.concatenate([vocabulary.counts, counts]),
        vocabulary.special_tokens,
    )


def _with_merges(vocabulary: Vocabulary, merges: np.ndarray, counts: np.ndarray) -> Vocabulary:
    """``vocabulary`` with the merges of a checkpoint, which make further tokens."""
    tokens = list(vocabulary.tokens)
    for left, right, result in merges.tolist():
        if result == len(tokens):
            tokens.append(tokens[left] + tokens[right])
    merges = np.concatenate([vocabulary.merges, merges])
    counts = np.concatenate([vocabulary.counts, counts])
    return Vocabulary(tuple(tokens), merges, counts, vocabulary.special_tokens)


def _reuses(vocabulary: Vocabulary, start: Vocabulary) -> bool:
    return len(vocabulary.merges) - len(start.merges) != len(vocabulary.tokens) - len(start.tokens)


def _summed(table: pa.Table) -> pa.Table:
    """The count table over all languages and domains."""
    grouped = any(column in table.column_names for column in GROUP_COLUMNS)
    return merge([table], columns=()) if grouped else table


def _check_options(options: Options, base: Vocabulary | None, first_new_id: int | None) -> None:
    if options.min_frequency < 1:
        raise ValueError(f"min_frequency is {options.min_frequency}, but a pair must occur at least once to be merged.")
    if options.max_token_characters is not None and options.max_token_characters < 1:
        raise ValueError(f"max_token_characters is {options.max_token_characters}, but a character is 1 long.")
    if "" in options.seeds:
        raise ValueError("A seed token is empty.")
    if first_new_id is not None and base is None:
        raise ValueError("first_new_id is for extending a base vocabulary, but there is none.")
    if first_new_id is not None and base is not None and first_new_id <= base.id_of_position[-1]:
        last = base.id_of_position[-1]
        raise ValueError(f"first_new_id is {first_new_id:,}, but the base has tokens up to {last:,}.")
