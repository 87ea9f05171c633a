"""Merging bytes by rank: the compiled merges against the definition of BPE, for any table of merges."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tokenizer.merging import SHORT, build_merges, entry_value, merge_all, room_for
from tokenizer.pretokens import characters_of_bytes, token_characters

Merge = tuple[bytes, bytes]


def vocabulary_of(merges: list[Merge]) -> dict[str, int]:
    """Bytes first, then every result once, in the spelling of vocab.json."""
    tokens = dict.fromkeys([bytes([byte]) for byte in range(256)] + [left + right for left, right in merges])
    return {token_characters(token): id_ for id_, token in enumerate(tokens)}


def definition(pretoken: bytes, merges: list[Merge]) -> list[bytes]:
    """Merge the leftmost pair of the lowest rank until there is none; of a merge listed twice the last rank counts."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    parts = [bytes([byte]) for byte in pretoken]
    while True:
        found = [(ranks[pair], i) for i, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not found:
            return parts
        i = min(found)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def merged(pretokens: list[bytes], merges: list[Merge]) -> list[list[bytes]]:
    vocabulary = vocabulary_of(merges)
    spelled = [(token_characters(left), token_characters(right)) for left, right in merges]
    data = np.frombuffer(b"".join(pretokens) or b"-", np.uint8)
    ends = np.cumsum([0, *map(len, pretokens)])
    ids: NDArray[np.uint32] = np.zeros(data.size, np.uint32)
    entries = np.zeros(len(pretokens), np.uint64)
    room = room_for(max([SHORT + 1, *map(len, pretokens)]))
    merge_all(data, ends, 0, build_merges(vocabulary, spelled), room, ids, 0, entries)
    tokens = {id_: token for token, id_ in zip(_tokens(merges), range(len(vocabulary)), strict=True)}
    found = []
    for entry in entries:
        value, length = entry_value(entry)
        found.append([tokens[value]] if length == 1 else [tokens[int(i)] for i in ids[value : value + length]])
    return found


def _tokens(merges: list[Merge]) -> list[bytes]:
    return list(dict.fromkeys([bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]))


@st.composite
def merge_lists(draw: st.DrawFn) -> list[Merge]:
    """Merges of two letters, of parts made before: in any order, repeated, with several ways to a token or none."""
    tokens, merges = [b"a", b"b"], []
    for _ in range(draw(st.integers(0, 12))):
        left, right = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        if len(left + right) <= 12:
            merges.append((left, right))
            tokens.append(left + right)
    return draw(st.permutations(merges))


PRETOKENS = st.lists(st.text(alphabet="abc", min_size=1, max_size=40).map(str.encode), max_size=40)


@settings(max_examples=300, deadline=None)
@given(merge_lists(), PRETOKENS)
def test_merges_are_those_of_the_definition(merges: list[Merge], pretokens: list[bytes]) -> None:
    assert merged(pretokens, merges) == [definition(pretoken, merges) for pretoken in pretokens]


@settings(max_examples=30, deadline=None)
@given(merge_lists(), st.lists(st.integers(1, 2 * SHORT), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_long_pretokens_merge_like_short_ones(merges: list[Merge], lengths: list[int], random) -> None:  # type: ignore[no-untyped-def]
    """About the length where the tree takes over, and beyond it."""
    pretokens = [bytes(random.choice(b"ab") for _ in range(length)) for length in [*lengths, SHORT, SHORT + 1]]
    assert merged(pretokens, merges) == [definition(pretoken, merges) for pretoken in pretokens]


def test_every_byte_has_a_token() -> None:
    pretokens = [bytes([byte]) for byte in range(256)] + [bytes(range(256))]
    assert merged(pretokens, []) == [[bytes([byte])] for byte in range(256)] + [[bytes([byte]) for byte in range(256)]]


@settings(max_examples=100, deadline=None)
@given(merge_lists(), st.lists(st.binary(min_size=1, max_size=2 * SHORT), max_size=20))
def test_any_bytes_survive_the_round_trip(merges: list[Merge], pretokens: list[bytes]) -> None:
    """Whether or not they are UTF-8."""
    assert [b"".join(tokens) for tokens in merged(pretokens, merges)] == pretokens


def test_a_byte_without_a_token_is_refused() -> None:
    vocabulary = vocabulary_of([])
    del vocabulary[characters_of_bytes()[0xC0]]
    with pytest.raises(KeyError):
        build_merges(vocabulary, [])


def test_ids_beyond_the_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="The tables hold ids below 2,097,151 and 4,194,303 merges"):
        build_merges(vocabulary_of([]) | {"ab": 1 << 21}, [])
