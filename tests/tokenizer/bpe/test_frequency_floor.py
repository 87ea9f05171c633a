"""Rare pairs are forgotten where they cannot matter, and training is the same as with all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.bpe import trainer
from tokenizer.bpe.counts import count_table
from tokenizer.bpe.engine import NO_LIMIT, Rules, frequency_floor
from tokenizer.bpe.trainer import Options, train, train_exact
from tokenizer.bpe.vocabulary import Vocabulary

WORDS = st.one_of(st.text(alphabet="ab", min_size=1, max_size=12), st.text(alphabet="abcé中", min_size=1, max_size=8))
COUNTS = st.dictionaries(WORDS, st.integers(1, 9), min_size=1, max_size=16)
RULES = Rules(1, NO_LIMIT, False, True, np.zeros(0, np.uint64))


@settings(max_examples=150, deadline=None)
@given(
    counts=COUNTS,
    merges=st.integers(0, 40),
    floor=st.integers(2, 20),
    exact=st.booleans(),
    min_frequency=st.integers(1, 3),
)
def test_any_floor_gives_the_same_vocabulary(
    counts: dict[str, int], merges: int, floor: int, exact: bool, min_frequency: int
) -> None:
    """Also one that is far too high, and where tokens are made in two ways: training then goes on with all pairs."""
    table = count_table([word.encode() for word in counts], list(counts.values()))

    def run() -> Vocabulary:
        if exact:
            return train_exact(table, 256 + merges, min_frequency=min_frequency)
        return train(table, 256 + merges, Options(min_frequency=min_frequency))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "frequency_floor", lambda *_: 1)
        everything = run()
        patch.setattr(trainer, "frequency_floor", lambda *_: floor)
        pruned = run()
    assert pruned.tokens == everything.tokens
    assert np.array_equal(pruned.merges, everything.merges)
    assert np.array_equal(pruned.counts, everything.counts)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(WORDS, st.integers(1, 1000), min_size=10, max_size=40), st.integers(1, 30))
def test_a_pretoken_more_frequent_than_the_last_merge_is_one_token(counts: dict[str, int], merges: int) -> None:
    """What the floor follows from."""
    table = count_table([word.encode() for word in counts], list(counts.values()))
    trained = train_exact(table, 256 + merges)
    last = trained.counts[-1] if len(trained.counts) else 1000
    assert {word.encode() for word, count in counts.items() if count > last} <= set(trained.tokens)


def test_the_floor_is_the_count_of_a_pretoken_beyond_the_vocabulary() -> None:
    words = [f"w{i}".encode() for i in range(1000)]
    table = count_table(words, list(range(1000, 0, -1)))
    assert frequency_floor(table, 400, RULES) == 550  # rank 450, from 0
    assert frequency_floor(table, 1000, RULES) == 1  # too few pretokens to say
    assert frequency_floor(table, 8, RULES._replace(longest_token=2)) == 991  # "w0" to "w9" only: rank 9


def test_pretokens_of_several_scripts_may_stay_in_pieces_and_give_no_floor() -> None:
    table = count_table([f"w{i}".encode() for i in range(1000)], [5] * 1000)
    assert frequency_floor(table, 400, RULES) == 5
    assert frequency_floor(table, 400, RULES._replace(script_table=np.ones(0x110000, np.uint64))) == 1
