"""Habits of tokenizers whose pattern or vocabulary makes them known beforehand."""

from tokenizers import Tokenizer

from tokenizer.evaluation.behaviour import behaviour, number_splits
from tokenizer.evaluation.subject import subject_of
from tokenizer.pretokens import PATTERNS
from tokenizer.tiktoken_ranks import tokenizer_of_ranks

BYTES = {bytes([byte]): byte for byte in range(256)}
SHORT = [*(f"{number:02}" for number in range(100)), *(f"{number:03}" for number in range(1000))]
NUMBERS = {digits.encode(): 256 + i for i, digits in enumerate(SHORT)}


def test_digits_one_at_a_time(trained: Tokenizer) -> None:
    assert number_splits(subject_of(trained), 4) == {"tokens": 4.0, "splits": [["1+1+1+1", 1.0]]}


def test_digits_in_groups_of_three_from_the_left() -> None:
    subject = subject_of(tokenizer_of_ranks(BYTES | NUMBERS, PATTERNS["cl100k"]))
    assert number_splits(subject, 3) == {"tokens": 1.0, "splits": [["3", 1.0]]}
    four = number_splits(subject, 4)
    assert four["splits"] == [["3+1", 1.0]] and four["tokens"] == 2
    assert number_splits(subject, 6)["splits"] == [["3+3", 1.0]]


def test_splits_that_differ_are_listed_by_how_often_they_occur() -> None:
    """Of the numbers of two digits only those from 10 to 19 are tokens."""
    tens = {token: id_ for token, id_ in NUMBERS.items() if token.startswith(b"1") and len(token) == 2}
    found = number_splits(subject_of(tokenizer_of_ranks(BYTES | tens, PATTERNS["cl100k"])), 2)
    assert found == {"tokens": (10 + 2 * 80) / 90, "splits": [["1+1", 80 / 90], ["2", 10 / 90]]}


def test_white_space_by_runs() -> None:
    """Four spaces are a token and pairs of line ends are: of n spaces the last one goes with the letter."""
    more = {b"  ": 256, b"    ": 257, b"\n\n": 258}
    found = behaviour(subject_of(tokenizer_of_ranks(BYTES | more, PATTERNS["qwen2"])))
    assert dict(found["spaces"]) == {1: 1, 2: 2, 3: 2, 4: 3, 6: 3, 8: 4, 12: 5, 16: 6, 24: 8, 32: 10}
    assert found["tabs"] == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert found["newlines"] == [[1, 1], [2, 1], [3, 2], [4, 2]]
    assert found["crlf"] == [[1, 2], [2, 4], [3, 6], [4, 8]]
