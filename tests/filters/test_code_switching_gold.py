"""The gold set for mixtures of languages is what its README says: counts, labels, two splits that share nothing."""

from collections import Counter
from typing import Any

import pytest

from tests.filters.code_switching_gold.build import (
    FURTHER_MIXTURES,
    FURTHER_PAIRS,
    LANGUAGES,
    LARGEST,
    MIXTURES,
    PAIRS,
    SMALLEST,
    documents,
)
from tests.filters.code_switching_gold.ingredients import SPLITS, ingredients
from tests.filters.code_switching_gold.prose import CODE

Gold = list[dict[str, Any]]


@pytest.fixture(scope="module")
def gold() -> Gold:
    return documents()


def test_building_twice_gives_the_same_documents(gold: Gold) -> None:
    assert documents() == gold


def test_documents_are_distinct_pages_of_eight_to_sixty_lines(gold: Gold) -> None:
    assert len({document["id"] for document in gold}) == len({document["text"] for document in gold}) == len(gold)
    for document in gold:
        assert SMALLEST <= document["text"].count("\n") + 1 <= LARGEST, document["id"]
        assert all(line.strip() for line in document["text"].split("\n")), document["id"]


def test_every_language_has_clean_pages_in_both_splits(gold: Gold) -> None:
    clean = Counter((row["language"], row["split"]) for row in gold if row["kind"] == "monolingual")
    assert set(clean) == {(language, split) for language in LANGUAGES for split in SPLITS}
    assert len(LANGUAGES) == 29 and min(clean.values()) >= 4


def test_every_pair_has_every_kind_in_both_splits(gold: Gold) -> None:
    """26 pairs with all six kinds of mixture and nine with four, at least 600 documents in all."""
    mixed = [row for row in gold if row["kind"] != "monolingual"]
    found = {(frozenset((row["language"], row["other"])), row["kind"], row["split"]) for row in mixed}
    planned = [(PAIRS, MIXTURES), (FURTHER_PAIRS, FURTHER_MIXTURES)]
    for pairs, kinds in planned:
        expected = {(frozenset(pair), kind.__name__, split) for pair in pairs for kind in kinds for split in SPLITS}
        assert expected <= found
    assert len(PAIRS) >= 14 and len(mixed) >= 600


def test_spans_lie_on_characters_in_order_without_overlap_or_line_ends(gold: Gold) -> None:
    for document in gold:
        data, end = document["text"].encode(), 0
        for start, stop, language in document["spans"]:
            assert end <= start < stop <= len(data), document["id"]
            data[:start].decode(), data[start:stop].decode()
            assert b"\n" not in data[start:stop] and language != document["language"], document["id"]
            end = stop


def test_the_text_of_a_span_is_an_ingredient_of_its_language_and_split(gold: Gold) -> None:
    texts = {(split, language): ingredients(split).texts(language) for split in SPLITS for language in LANGUAGES}
    for document in gold:
        data = document["text"].encode()
        for start, stop, language in document["spans"]:
            assert data[start:stop].decode() in texts[document["split"], language], document["id"]


def test_only_mixtures_have_spans(gold: Gold) -> None:
    """And the other language of a mixture is among the languages of its spans."""
    for document in gold:
        languages = {language for _, _, language in document["spans"]}
        assert bool(languages) == (document["kind"] != "monolingual"), document["id"]
        assert document["other"] in languages if languages else document["other"] is None, document["id"]


def test_every_hand_written_pair_has_a_dozen_patterns() -> None:
    for pair in ingredients("dev").switched:
        assert sum(len(ingredients(split).switched[pair]) for split in SPLITS) >= 12, pair


def test_the_splits_share_no_ingredient() -> None:
    dev, test = ({text for code in LANGUAGES for text in ingredients(split).texts(code)} for split in SPLITS)
    assert not dev & test


def test_the_splits_share_no_line(gold: Gold) -> None:
    """Seen from the documents alone; lines of no language (code, e-mail addresses) may recur."""
    dev, test = (_long_lines(gold, split) for split in SPLITS)
    assert {line for line in dev & test if line not in CODE and "@" not in line} == set()


def _long_lines(gold: Gold, split: str) -> set[str]:
    """Lines of 25 characters or more, mostly letters, without the marks and numbers of lists."""
    lines = (line for row in gold if row["split"] == split for line in row["text"].split("\n"))
    lines = (line.lstrip(" -•*>|0123456789.)") for line in lines)
    return {line for line in lines if len(line) >= 25 and sum(map(str.isalpha, line)) > 0.6 * len(line)}


def test_a_page_does_not_repeat_its_running_text(gold: Gold) -> None:
    """Long lines of a page differ: a detector cannot live on repetition."""
    for document in gold:
        lines = [line for line in document["text"].split("\n") if len(line) >= 60]
        assert len(set(lines)) == len(lines), document["id"]


def test_an_unknown_split_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'train'.*dev, test"):
        ingredients("train")
