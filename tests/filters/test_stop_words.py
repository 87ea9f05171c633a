"""Stop words against a search by hand in the lists of units."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.languages import CODES, LANGUAGES
from curation.text.scan import Scanner
from filters import stop_words
from tests.oracles import lower, normalized, units

DEMO = Path(__file__).parents[2] / "recipes" / "demo"
SCANNER = Scanner()


def count(texts: list[str], languages: list[str]) -> list[tuple[int, int]]:
    number = np.array([CODES.index(language) if language in CODES else -1 for language in languages], np.int64)
    occurrences, distinct = stop_words.count(SCANNER.scan(pa.array(texts, pa.large_string())), number)
    return list(zip(occurrences.tolist(), distinct.tolist(), strict=True))


def oracle(text: str, language: str) -> tuple[int, int]:
    """Every position at which a stop word's sequence of units begins, and how many different words were found."""
    if language not in CODES:
        return 0, 0
    own = [lower(unit) for unit in units(text)]
    found = []
    for word in LANGUAGES[language].stop_words:
        sequence = [lower(unit) for unit in units(word)]
        found += [word for i in range(len(own)) if own[i : i + len(sequence)] == sequence]
    return len(found), len(set(found))


words = st.sampled_from([w for code in ("en", "de", "zh", "th", "ja", "my") for w in LANGUAGES[code].stop_words])
passages = st.lists(st.one_of(words, st.sampled_from(["Haus", "人", "ก", "、", "\n", "."])), max_size=30)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(passages, st.sampled_from(["", " "]), st.sampled_from([*CODES, "und"])), max_size=3))
def test_counts_equal_the_oracle(rows: list[tuple[list[str], str, str]]) -> None:
    texts = [normalized(joiner.join(parts)) for parts, joiner, _ in rows]
    languages = [language for _, _, language in rows]
    assert count(texts, languages) == [oracle(*row) for row in zip(texts, languages, strict=True)]


def test_counts_equal_the_oracle_on_the_declaration() -> None:
    rows = [json.loads(line) for line in (DEMO / "udhr.jsonl").open(encoding="utf-8")][::5]
    texts, languages = [normalized(row["text"]) for row in rows], [row["language"] for row in rows]
    assert count(texts, languages) == [oracle(*row) for row in zip(texts, languages, strict=True)]


@pytest.mark.parametrize("code", CODES)
def test_running_text_of_every_language_has_two_of_its_stop_words(code: str) -> None:
    """What Gopher's rule rests on, in each document of the declaration."""
    rows = [json.loads(line) for line in (DEMO / "udhr.jsonl").open(encoding="utf-8")]
    texts = [normalized(row["text"]) for row in rows if row["language"] == code]
    assert all(distinct >= 2 for _, distinct in count(texts, [code] * len(texts)))


def test_stop_words_of_another_language_do_not_count() -> None:
    assert count(["the of and to"] * 3, ["en", "th", "und"]) == [(4, 4), (0, 0), (0, 0)]
    assert count(["THE the The"], ["en"]) == [(3, 1)]
