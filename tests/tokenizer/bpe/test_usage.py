"""Usage: what `tokenizers` makes of every pretoken, from counts alone."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.bpe.counts import PretokenCounter, count_table
from tokenizer.bpe.trainer import Options, train, train_exact
from tokenizer.bpe.usage import rare_tokens, tokens_by, usage
from tokenizer.pretokens import pretokens

WORDS = st.one_of(st.text(alphabet="ab", min_size=1, max_size=12), st.text(alphabet="aé中ก🙂", min_size=1, max_size=6))
COUNTS = st.dictionaries(WORDS, st.integers(1, 5), min_size=1, max_size=8)


@settings(max_examples=80, deadline=None)
@given(COUNTS, st.booleans(), st.integers(257, 320))
def test_every_pretoken_is_encoded_as_tokenizers_does(counts: dict[str, int], exact: bool, size: int) -> None:
    table = count_table([word.encode() for word in counts], list(counts.values()))
    vocabulary = train_exact(table, size) if exact else train(table, size, Options(min_frequency=1))
    tokenizer = vocabulary.tokenizer()
    found = usage(table, vocabulary)
    expected: Counter[int] = Counter()
    for row, length in zip(table.to_pylist(), found.lengths.tolist(), strict=True):
        word = row["pretoken"].decode()
        if pretokens(word) != [word]:
            continue  # not a pretoken of the pattern: `tokenizers` would cut it before merging
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        assert length == len(ids)
        expected.update({id_: row["count"] * n for id_, n in Counter(ids).items()})
    assert all(found.tokens[id_] >= times for id_, times in expected.items())
    sizes = found.lengths * table["count"].to_numpy().astype("int64")
    assert found.tokens.sum() == sizes.sum()


@settings(max_examples=80, deadline=None)
@given(COUNTS, st.integers(257, 320))
def test_a_token_out_of_use_is_always_a_part_of_another(counts: dict[str, int], size: int) -> None:
    """So no token that training made can be taken out without breaking the merges of one that is used."""
    table = count_table([word.encode() for word in counts], list(counts.values()))
    vocabulary = train(table, size, Options(min_frequency=1))
    used = usage(table, vocabulary).tokens
    parts = set(vocabulary.merges[:, :2].ravel().tolist())
    unused = [token for token in range(256, len(vocabulary.tokens)) if not used[token]]
    assert set(unused) <= parts
    assert rare_tokens(vocabulary, used)[1] == len(unused)


@pytest.fixture
def table() -> pa.Table:
    counter = PretokenCounter(columns=("language",))
    counter.add(pa.array(["low lower", "low"], pa.large_string()), ("en",))
    counter.add(pa.array(["日本 日本"], pa.large_string()), ("ja",))
    return counter.table()


def test_tokens_by_language(table: pa.Table) -> None:
    assert tokens_by(table, train(table, 256)) == {"en": 12, "ja": 13}
    vocabulary = train(table, 258, Options(min_frequency=2))  # l+o, lo+w
    assert {b"lo", b"low"} <= set(vocabulary.tokens)
    assert tokens_by(table, vocabulary) == {"en": 3 + 3, "ja": 13}  # low, " " low e r: 1 + 4, and low: 1
