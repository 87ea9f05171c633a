"""The registry of the 29 languages: complete, consistent, and measured where it holds measurements."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from curation.languages import CODES, LANGUAGES, SENTENCE_ENDS
from curation.text.scan import Scanner

DEMO = Path(__file__).parents[2] / "recipes" / "demo"
QWEN2 = "en zh de fr es pt it nl ru cs pl ar fa he tr ja ko vi th id ms lo my ceb km tl hi bn ur"
UNSPACED = ("zh", "ja", "th", "lo", "my", "km")


@pytest.fixture(scope="module")
def units() -> dict[str, int]:
    """Scan units of the declaration's articles, of those that every language has."""
    articles: dict[str, dict[int, str]] = {}
    for line in (DEMO / "udhr_parallel.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        articles.setdefault(row["language"], {})[row["article"]] = row["text"]
    common = set.intersection(*map(set, articles.values()))
    assert len(articles) == 29 and len(common) >= 25
    scanner = Scanner()
    return {
        code: int(scanner.scan(pa.array([text for number, text in sorted(own.items()) if number in common]))
                  .column("units").sum())
        for code, own in articles.items()
    }  # fmt: skip


def test_the_29_languages_in_order() -> None:
    assert " ".join(CODES) == QWEN2
    assert all(LANGUAGES[code].code == code for code in CODES)
    assert len({language.iso639_3 for language in LANGUAGES.values()}) == 29
    assert len({language.name for language in LANGUAGES.values()}) == 29


def test_directions_and_spacing() -> None:
    assert {code for code in CODES if LANGUAGES[code].direction == "rtl"} == {"ar", "fa", "he", "ur"}
    assert {code for code in CODES if not LANGUAGES[code].spaced} == set(UNSPACED)


@pytest.mark.parametrize("code", CODES)
def test_stop_words_are_different_normalised_words(code: str) -> None:
    """No word is listed twice, in any case; each has units; there are at most 64, one bit each of a document's set."""
    words = LANGUAGES[code].stop_words
    assert 8 <= len(words) <= 64
    assert len({word.lower() for word in words}) == len(words)
    scan = Scanner().scan(pa.array(words))
    assert (scan.column("units") > 0).all()
    sequences = [tuple(scan.unit_hash[scan.unit_bounds[i] : scan.unit_bounds[i + 1]]) for i in range(len(words))]
    assert len(set(sequences)) == len(words)
    if LANGUAGES[code].spaced:
        assert all(len(sequence) == 1 for sequence in sequences)


def test_confusable_labels_are_not_the_language_itself() -> None:
    for language in LANGUAGES.values():
        assert language.code not in language.confusable
        assert len(set(language.confusable)) == len(language.confusable)


def test_sentence_ends_are_the_union() -> None:
    assert set(SENTENCE_ENDS) == {mark for language in LANGUAGES.values() for mark in language.sentence_ends}
    assert "".join(sorted(SENTENCE_ENDS)) == SENTENCE_ENDS


@pytest.mark.parametrize("code", UNSPACED)
def test_units_per_word_are_measured_on_the_declaration(units: dict[str, int], code: str) -> None:
    """The units of the translation over the words (units) of the English text, rounded to a tenth."""
    assert LANGUAGES[code].units_per_word == round(units[code] / units["en"], 1)


def test_a_word_of_a_language_with_spaces_is_about_an_english_word(units: dict[str, int]) -> None:
    """Why they keep 1: between Korean, with the longest words, and Vietnamese, which writes syllables."""
    for code in set(CODES) - set(UNSPACED):
        assert LANGUAGES[code].units_per_word == 1
        assert 0.6 < units[code] / units["en"] < 1.5
