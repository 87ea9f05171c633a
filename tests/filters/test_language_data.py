"""The hand-written language data is complete, well-formed, and agrees with itself."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from curation.languages import CODES, LANGUAGES
from curation.text.scan import Scanner

ROOT = Path(__file__).parents[2]
CATEGORIES = ("cookie", "javascript", "policy", "navigation", "machine_translated_notice")
CLOSERS = "\"'”’“»」』"
OPENERS = "\"'“„‘«「『(¿¡"


def load(path: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / path).read_text("utf-8"))
    return data


PHRASES = load("filters/data/boilerplate_phrases.yaml")
ABBREVIATIONS = load("curation/text/abbreviations.yaml")
PASSAGES = load("tests/curation/data/passages.yaml")
LISTS = [(category, code) for category in CATEGORIES for code in CODES]


@lru_cache(maxsize=1)
def scanner() -> Scanner:
    return Scanner()


def units(texts: list[str]) -> list[tuple[int, ...]]:
    scan = scanner().scan(pa.array(texts, pa.large_string()))
    return [
        tuple(scan.unit_hash[start:end].tolist())
        for start, end in zip(scan.unit_bounds[:-1], scan.unit_bounds[1:], strict=True)
    ]


def holds(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    width = len(shorter)
    return any(longer[i : i + width] == shorter for i in range(len(longer) - width + 1))


def count_words(pieces: list[str]) -> int:
    """Pieces with a letter or a digit: a dash or a quotation mark between spaces is no word."""
    return sum(any(unicodedata.category(character)[0] in "LN" for character in piece) for piece in pieces)


def assert_clean(words: list[str]) -> None:
    assert len(words) == len(set(words)), "listed twice"
    for word in words:
        assert isinstance(word, str), f"{word!r} needs quotation marks: YAML reads it as {type(word).__name__}"
        assert word == unicodedata.normalize("NFC", word) == word.lower() == " ".join(word.split())
        assert not any(unicodedata.category(character) == "Cc" or character == "\u200b" for character in word)


def test_phrases_cover_every_category_and_language() -> None:
    assert tuple(PHRASES) == (*CATEGORIES, "lorem_ipsum")
    assert all(tuple(PHRASES[category]) == CODES for category in CATEGORIES)
    assert tuple(PHRASES["lorem_ipsum"]) == ("any",)


@pytest.mark.parametrize(("category", "code"), [*LISTS, ("lorem_ipsum", "any")])
def test_phrases_are_normalised_short_and_disjoint(category: str, code: str) -> None:
    """NFC, lower case, 2-6 words, and no phrase within another, which would count one place twice."""
    phrases = PHRASES[category][code]
    assert_clean(phrases)
    if code != "any":
        assert 5 <= len(phrases) <= 10
    spaced = code == "any" or LANGUAGES[code].spaced
    sequences = units(phrases)
    for phrase, sequence in zip(phrases, sequences, strict=True):
        assert len(phrase.split()) <= 6
        assert len(sequence) >= 2 if spaced else len(phrase) >= 4
        assert sum(holds(other, sequence) for other in sequences) == 1, f"another phrase holds {phrase!r}"


@pytest.mark.parametrize("code", CODES)
def test_no_phrase_is_in_two_categories(code: str) -> None:
    sequences = [sequence for category in CATEGORIES for sequence in units(PHRASES[category][code])]
    assert len(sequences) == len(set(sequences))


@pytest.mark.parametrize("code", CODES)
def test_phrases_are_in_the_script_of_their_language(code: str) -> None:
    """Each phrase outside the Latin languages has a letter of its own script, beside words such as "cookie"."""
    names: dict[str, str | tuple[str, ...]] = {
        "Hans": "CJK", "Jpan": ("CJK", "HIRAGANA", "KATAKANA"), "Kore": "HANGUL", "Cyrl": "CYRILLIC", "Arab": "ARABIC",
        "Hebr": "HEBREW", "Thai": "THAI", "Laoo": "LAO", "Mymr": "MYANMAR", "Khmr": "KHMER", "Deva": "DEVANAGARI",
        "Beng": "BENGALI", "Latn": "LATIN",
    }  # fmt: skip
    script = names[LANGUAGES[code].scripts[0]]
    for category in CATEGORIES:
        for phrase in PHRASES[category][code]:
            letters = [unicodedata.name(character) for character in phrase if character.isalpha()]
            assert any(name.startswith(script) for name in letters), phrase
            assert all(name.startswith(script) or name.startswith("LATIN") for name in letters), phrase


def test_every_language_has_abbreviations() -> None:
    assert tuple(ABBREVIATIONS) == CODES
    assert all(ABBREVIATIONS.values())


@pytest.mark.parametrize("code", CODES)
def test_abbreviations_are_normalised_and_without_their_stop(code: str) -> None:
    assert_clean(ABBREVIATIONS[code])
    for abbreviation in ABBREVIATIONS[code]:
        assert abbreviation[-1] not in ".۔"
        cased = abbreviation.lower() != abbreviation.upper()
        assert len(abbreviation) > 1 or not cased or code == "cs", "a single letter is an initial"


@pytest.mark.parametrize("code", CODES)
def test_abbreviations_are_no_stop_words_of_any_language(code: str) -> None:
    """Mixed or mislabelled text must not lose its sentence ends to another language's abbreviation."""
    # Spanish and Italian "al", as in "et al.", stands before a noun and so ends no sentence.
    stop_words = {word for language in LANGUAGES.values() for word in language.stop_words} - {"al"}
    assert not stop_words & set(ABBREVIATIONS[code])
    last_words = {re.split(r"[.۔ -]", abbreviation)[-1] for abbreviation in ABBREVIATIONS[code]}
    assert not {word for word in stop_words & last_words if len(word) > 1}


def test_every_language_has_a_passage() -> None:
    assert tuple(PASSAGES) == CODES


@pytest.mark.parametrize("code", CODES)
def test_passage_agrees_with_its_counts(code: str) -> None:
    """The sentences make up the passage, and the counts are those of the sentences and of the marked words."""
    passage = PASSAGES[code]
    split: list[str] = passage["split"]
    assert unicodedata.is_normalized("NFC", passage["text"])
    assert passage["joiner"].join(split) == passage["text"]
    assert len(split) == passage["sentences"]
    assert 3 <= passage["sentences"] <= 6
    if LANGUAGES[code].spaced:
        words = [sentence.split() for sentence in split]
        assert "segmented" not in passage
    else:
        words = [sentence.split("|") for sentence in passage["segmented"]]
        assert [sentence.replace("|", "") for sentence in passage["segmented"]] == split
        assert all(count_words([word]) == 1 for sentence in words for word in sentence)
    assert sum(map(count_words, words)) == passage["words"]
    assert 40 <= passage["words"] <= 120


@pytest.mark.parametrize("code", CODES)
def test_passage_holds_what_a_splitter_stumbles_over(code: str) -> None:
    """A decimal number, a quotation, a question or exclamation; each sentence ends in a mark, save Thai and Lao."""
    text, split = PASSAGES[code]["text"], PASSAGES[code]["split"]
    assert re.search(r"\d[.,٫]\d", text)
    assert any(opener in text for opener in '"“„‘«「”')
    # A Burmese question ends in the plain full stop: its last particle asks.
    assert re.search("[?!？！؟]", text) or code == "my"
    if code not in ("th", "lo"):
        ends = tuple(LANGUAGES[code].sentence_ends)
        assert all(sentence.rstrip(CLOSERS).endswith(ends) for sentence in split)


@pytest.mark.parametrize("code", CODES)
def test_stops_inside_the_sentences_of_a_passage_are_listed_abbreviations(code: str) -> None:
    """Every stop that ends a piece within a sentence follows an abbreviation, an initial, or a number."""
    stops = 0
    for sentence in PASSAGES[code]["split"]:
        for piece in sentence.split()[:-1]:
            word = piece.lstrip(OPENERS).rstrip(",")
            if word.endswith((".", "۔")):
                stem = word[:-1].lower()
                assert stem in ABBREVIATIONS[code] or len(stem) == 1 or stem.isdecimal(), piece
                stops += 1
    if LANGUAGES[code].scripts[0] in ("Latn", "Cyrl", "Arab", "Hebr", "Deva", "Beng", "Thai", "Laoo", "Khmr"):
        assert stops
