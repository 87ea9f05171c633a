"""The table of lines against each line read alone in plain Python."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.languages import LANGUAGES
from curation.text.scan import Scanner
from filters import phrases
from filters.line_table import COLUMNS, FLAGS, NUMBERS, line_table
from tests.oracles import BULLETS, Document, clean_text, ends_sentence, line_key

SCANNER = Scanner()


def lines_of(texts: list[str], languages: list[str] | None = None, **options):
    array = pa.array(texts, pa.large_string())
    return line_table(array, SCANNER.scan(array), languages or ["en"] * len(texts), **options)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(clean_text, st.sampled_from(["en", "zh", "th", "code"])), max_size=4))
def test_every_column_is_what_the_line_alone_gives(rows) -> None:
    texts, languages = [text for text, _ in rows], [language for _, language in rows]
    table = lines_of(texts, languages).to_dicts()
    for number, (text, language) in enumerate(rows):
        mine = [row for row in table if row["document"] == number]
        assert [row["text"] for row in mine] == Document(text).lines
        met: set[str] = set()
        for row in mine:
            line = row["text"]
            assert text.encode()[row["start"] : row["stop"]].decode() == line
            alone = Document(line).counts()
            per_word = LANGUAGES[language].units_per_word if language in LANGUAGES else 1.0
            numbers = {
                "characters": len(line), "units": alone["units"], 
                "words": alone["units"] - alone["unspaced_units"] + alone["unspaced_units"] / per_word,
                "letter_ratio": alone["letters"] / len(line), "digit_ratio": alone["digits"] / len(line),
                "upper_ratio": alone["upper"] / max(1, alone["letters"]),
            }  # fmt: skip
            assert {name: row[name] for name in numbers} == pytest.approx(numbers)
            assert row["terminal"] == ends_sentence(line) and row["ellipsis"] == line.endswith(("...", "…"))
            assert row["bullet"] == (line[0] in BULLETS) and row["curly"] == ("{" in line or "}" in line)
            assert row["seen_before"] == (line_key(line) in met)
            assert row["language"] == language
            met.add(line_key(line))


def test_sentences_and_phrases_of_a_line() -> None:
    table = lines_of(
        ["One. Two! And three?\nThis website uses cookies", "Diese Website verwendet Cookies"], ["en", "ko"]
    )
    assert table["sentences"].to_list() == [3, 0, 0]
    assert table["cookie"].to_list() == [False, True, False]  # German words count in German only


def test_types_are_those_declared_even_without_lines() -> None:
    for texts in (["A line.\nAnother one"], [], ["", "\n"]):
        schema = lines_of(texts).schema
        assert {name: schema[name] for name in COLUMNS} == COLUMNS


def test_only_what_is_wanted_is_built() -> None:
    assert lines_of(["a line"], wanted=["terminal"]).columns == ["document", "start", "stop", "units", "terminal"]
    assert set(phrases.categories()) < set(FLAGS) and not set(FLAGS) & set(NUMBERS)


def test_lines_seen_before_are_so_in_their_own_document_only() -> None:
    table = lines_of(["a b\nc\n a\tb \n\nc", "c\nc"])
    assert np.array_equal(table["seen_before"], [False, False, True, True, False, True])
