"""Parity: solved weights level what languages pay for the same content, within the cost, and the same every time."""

import random

import pyarrow as pa
import pytest

from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.parity import solve
from tokenizer.bpe.trainer import Options, train
from tokenizer.bpe.usage import tokens_by

OPTIONS = Options(min_frequency=1)
SIZE = 420


def text_of(language: str, letters: str, words: int, seed: int) -> str:
    """Words of a made-up language, the frequent ones more often; the words are the same for every seed."""
    bank = random.Random(language)
    dictionary = ["".join(bank.choices(letters, k=bank.randint(3, 9))) for _ in range(150)]
    weights = [1 / rank for rank in range(1, 151)]
    return " ".join(random.Random(f"{language}/{seed}").choices(dictionary, weights, k=words))


def counted(words: dict[str, int], seed: int) -> pa.Table:
    letters = {"en": "abcdefgh", "ru": "абвгдежз", "el": "αβγδεζηθ"}
    counter = PretokenCounter(columns=("language",))
    for language, number in words.items():
        counter.add(pa.array([text_of(language, letters[language], number, seed)], pa.large_string()), (language,))
    return counter.table()


TABLE = counted({"en": 4000, "ru": 500, "el": 60}, 1)
PARALLEL = counted({"en": 300, "ru": 300, "el": 300}, 2)


def test_premiums_are_levelled_within_the_cost() -> None:
    solution = solve(TABLE, SIZE, OPTIONS, PARALLEL, max_cost=0.05)
    assert solution.gini < 0.9 * solution.unweighted_gini
    plain, fair = (train(TABLE, SIZE, OPTIONS, weights=weights) for weights in ({}, solution.weights))
    total, more = (sum(tokens_by(TABLE, vocabulary).values()) for vocabulary in (plain, fair))
    assert solution.cost == more / total - 1 <= 0.05
    assert tokens_by(PARALLEL, fair)["el"] < tokens_by(PARALLEL, plain)["el"]
    assert solution.weights["el"] > solution.weights["ru"] > solution.weights["en"]


def test_the_solution_is_the_same_every_time() -> None:
    assert solve(TABLE, SIZE, OPTIONS, PARALLEL) == solve(TABLE, SIZE, OPTIONS, PARALLEL)


def test_a_smaller_cost_gives_less() -> None:
    dear, cheap = (solve(TABLE, SIZE, OPTIONS, PARALLEL, max_cost=cost) for cost in (0.2, 0.002))
    assert cheap.cost <= 0.002
    assert dear.gini < cheap.gini <= cheap.unweighted_gini


def test_the_search_ends_at_the_target() -> None:
    said: list[str] = []
    unasked = solve(TABLE, SIZE, OPTIONS, PARALLEL, target=1.0, show=said.append)
    assert (unasked.trainings, said, unasked.cost) == (1, [], 0.0)
    assert set(unasked.weights.values()) == {1.0}
    some = solve(TABLE, SIZE, OPTIONS, PARALLEL, target=0.8 * unasked.gini, max_cost=1.0)
    most = solve(TABLE, SIZE, OPTIONS, PARALLEL, max_cost=1.0)
    assert most.gini <= some.gini <= 0.8 * unasked.gini
    assert some.trainings < most.trainings


def test_languages_without_parallel_text_keep_their_weight() -> None:
    solution = solve(TABLE, SIZE, OPTIONS, counted({"en": 100, "ru": 100}, 2), max_cost=0.05)
    assert solution.weights["el"] == 1.0
    assert solution.weights["ru"] != 1.0


def test_one_language_cannot_be_levelled() -> None:
    with pytest.raises(ValueError, match="Only 1 languages have both"):
        solve(TABLE, SIZE, OPTIONS, counted({"en": 100}, 2))
