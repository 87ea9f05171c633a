"""Letters by script: a plain walk over the characters agrees on any text; technical words do not count."""

import re

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.text import scripts

BEFORE, AFTER = "/._@=\\$#<&%+~{-", "/_@=\\<&%+~({[-"
PIECES = st.lists(
    st.sampled_from(["word", "Ünïcode", "fileName", "x2", "/", ".", "@", " ", "\n", "don't", "中文", "かな",
                     "한글", "ไทย", "русский", "עברית", "(",
                     "see:", "a:b", "e.g.", "'", "-", "ǅ", "ª", "=", "ß", "\u00a0", "é"])
    | st.text(max_size=3),
).map("".join)  # fmt: skip


def oracle(text: str) -> list[int]:
    """Counts of one text, word by word."""
    table = scripts.table()
    counts = [0] * len(scripts.SCRIPTS)

    def is_latin(character: str) -> bool:
        return table[ord(character)] == scripts.LATIN

    at = 0
    while at < len(text):
        character = text[at]
        if not is_latin(character) and not (character.isascii() and character.isdigit()):
            shown = character > " " if character.isascii() else character not in "\u00a0\u3000"
            counts[scripts.NONE] += shown
            if not character.isascii() and table[ord(character)] != scripts.NONE:
                counts[table[ord(character)]] += 1
            at += 1
            continue
        end, letters = at, 0
        while end < len(text) and (
            is_latin(text[end]) or (text[end].isascii() and text[end].isdigit()) or (text[end] == "'" and letters)
        ):
            letters += is_latin(text[end])
            end += 1
        run, before, behind = text[at:end], text[at - 1 : at] if at else "", text[end : end + 2]
        wrong = bool(re.search(r"[0-9]", run)) or (before in BEFORE and before != "")
        for first, second in zip(run, run[1:], strict=False):
            small = not first.isascii() or first.islower()
            wrong |= small and first != "'" and second.isascii() and second.isupper()
        wrong |= behind[:1] in AFTER and behind != ""
        wrong |= bool(re.match(r"[.:][A-Za-z/]", behind))
        counts[scripts.LATIN] += 0 if wrong else letters
        counts[scripts.NONE] += len(run)
        at = end
    return counts


def counts(texts: list[str]) -> list[list[int]]:
    sizes = np.array([len(text.encode()) for text in texts], np.int64)
    bounds = np.arange(len(texts) + 1)
    return scripts.count(
        pa.array(texts, pa.large_string()), bounds, np.zeros(len(texts), np.int64), sizes
    ).counts.tolist()


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=4))
def test_counts_are_those_of_a_plain_walk(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    assert counts(texts) == [oracle(text) for text in texts]


def test_technical_words_are_not_letters_of_a_language() -> None:
    assert counts(["mail me@example.org or see https://example.org/a_b and run make_all(x) in getName"])[0][
        scripts.LATIN
    ] == len("mailorseeandrunxin")
    row = counts(["使用 kubectl 部署 app-v2"])[0]
    assert (row[scripts.HAN], row[scripts.LATIN]) == (4, len("kubectl"))


def test_every_script_of_the_29_languages_is_known() -> None:
    samples = {
        scripts.LATIN: "añü", scripts.CYRILLIC: "жъ", scripts.ARABIC: "عپ", scripts.HEBREW: "ש", scripts.HAN: "漢",
        scripts.KANA: "あア", scripts.HANGUL: "한", scripts.THAI: "ก", scripts.LAO: "ລ", scripts.MYANMAR: "က",
        scripts.KHMER: "ក", scripts.DEVANAGARI: "क", scripts.BENGALI: "ক", scripts.OTHER: "ωԱა",
    }  # fmt: skip
    table = scripts.table()
    assert all(table[ord(letter)] == script for script, letters in samples.items() for letter in letters)
    assert all(table[ord(mark)] == scripts.NONE for mark in "1٣ -।؟\u0301、")


def test_simplified_and_traditional_characters() -> None:
    found = scripts.simplified_and_traditional(pa.array(["国学 people", "國學", "人口", ""], pa.large_string()))
    assert found.tolist() == [[2, 0], [0, 2], [0, 0], [0, 0]]
