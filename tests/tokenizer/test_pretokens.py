"""The pretoken pattern, and the compiled scanner that must agree with the regex engine on every string."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from tokenizer.pretoken_table import PretokenTable
from tokenizer.pretokens import (
    GPT2_PATTERN,
    MARKS_AS_LETTERS_PATTERN,
    O200K_PATTERN,
    PATTERNS,
    byte_characters,
    pretokens,
    token_bytes,
    token_characters,
)
from tokenizer.scan.classes import CASED, LETTER, LOWER, MARK, NEWLINE, NUMBER, PLAIN, SPACE, UPPER, character_classes

# Characters on which the patterns' alternatives compete.
TRICKY = "'sStTmMdDrReEvVlL\u017fk\u212a 1٣½\t\n\r\u00a0\u3000\u2028\u0085-._!?/aéÉßǅʰжЖक\u093f中\u0301🙂\u200d\x00"
TEXTS = st.one_of(
    st.text(alphabet=TRICKY, max_size=40),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
)


def test_qwen2_pattern_facts() -> None:
    """Digits stand alone, a word takes the space before it, contractions and line ends split as published."""
    assert pretokens("In 2024, we've  won!\n\n  ok") == [
        "In", " ", "2", "0", "2", "4", ",", " we", "'ve", " ", " won", "!\n\n", " ", " ok",
    ]  # fmt: skip
    assert pretokens("DON'T don'ſ x's") == ["DON", "'T", " don", "'ſ", " x", "'s"]
    assert pretokens("a \n \n b") == ["a", " \n \n", " b"]
    assert pretokens("\tif x:\r\n\t\treturn") == ["\tif", " x", ":\r\n", "\t", "\treturn"]
    assert pretokens("tail   ") == ["tail", "   "]


def test_combining_marks_split_words_as_in_qwen2() -> None:
    assert pretokens("हिन्दी") == ["ह", "िन", "्द", "ी"]
    assert pretokens(" हिन्दी!", pattern=MARKS_AS_LETTERS_PATTERN) == [" हिन्दी", "!"]


def test_text_is_composed_first() -> None:
    assert pretokens("e\u0301") == ["é"]


def test_byte_characters_are_the_ones_of_tokenizers() -> None:
    """256 distinct characters for 256 bytes, the alphabet that ``tokenizers`` uses."""
    characters = byte_characters()
    assert sorted(characters.values()) == list(range(256))
    assert set(characters) == set(pre_tokenizers.ByteLevel.alphabet())
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str("\n é中")[0][0]
    assert token_bytes(spelled) == "\n é中".encode()
    assert token_characters("\n é中".encode()) == spelled


def test_character_classes_agree_with_python_on_common_characters() -> None:
    """Letters, digits and white space of the Basic Multilingual Plane, asked of Python's own database."""
    classes = character_classes(PLAIN)
    for code_point in [*range(0xD800), *range(0xE000, 0x3134F)]:
        category = unicodedata.category(chr(code_point))
        if category != "Cn":
            found = classes[code_point]
            assert (found == LETTER, found == NUMBER) == (category[0] == "L", category[0] == "N"), hex(code_point)
    spaces = "\t\x0b\x0c \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
    assert np.flatnonzero(classes == SPACE).tolist() == sorted(map(ord, spaces))
    assert np.flatnonzero(classes == NEWLINE).tolist() == [0x0A, 0x0D]


def test_classes_with_cases_are_those_of_python() -> None:
    """For characters that Python knows; what the engine does not know yet has no class of letter."""
    classes, names = character_classes(CASED), {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": LETTER, "Lo": LETTER}
    known = np.flatnonzero(classes & (UPPER | LOWER | LETTER | MARK))
    for code_point in known.tolist():
        category = unicodedata.category(chr(code_point))
        assert category == "Cn" or classes[code_point] == names.get(category, MARK), hex(code_point)


def _scanned(pattern: str, texts: list[str]) -> list[list[str]]:
    table = PretokenTable(pattern)
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    offsets = np.cumsum([0, *(len(text.encode()) for text in texts)])
    numbers, ends = table.add(data, offsets)
    known = table.strings(0)
    return [[known[number] for number in part] for part in np.split(numbers, ends[:-1])]


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@settings(max_examples=400, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3))
def test_scanners_find_the_pretokens_of_their_patterns(pattern: str, texts: list[str]) -> None:
    """Of each text by itself: the last character of one and the first of the next stay apart."""
    splitter = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    expected = [[piece for piece, _ in splitter.pre_tokenize_str(text)] for text in texts]
    assert _scanned(pattern, texts) == expected


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_gpt2_pattern_is_that_of_the_byte_level_pre_tokenizer(text: str) -> None:
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    expected = [token_bytes(piece).decode() for piece, _ in splitter.pre_tokenize_str(text)]
    assert _scanned(GPT2_PATTERN, [text]) == [expected]


def test_facts_of_the_other_patterns() -> None:
    """Groups of three digits; GPT-2 knows contractions in lower case only; o200k cuts words at their capitals."""
    for name in ("cl100k", "marks_as_letters_three_digits", "o200k"):
        assert _scanned(PATTERNS[name], ["1234567"]) == [["123", "456", "7"]]
    assert _scanned(GPT2_PATTERN, ["It's 12345 IT'S\n\n ok"]) == [
        ["It", "'s", " 12345", " IT", "'", "S", "\n\n", " ok"],
    ]
    assert _scanned(O200K_PATTERN, ["getHTTPResponse's don't://\n/x"]) == [
        ["get", "HTTPResponse's", " don't", "://\n/", "x"],
    ]


def test_unknown_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="knows the patterns of tokenizer.pretokens.PATTERNS, not "):
        PretokenTable(r"\w+")


def test_pretoken_table_grows_and_keeps_numbers() -> None:
    """100,000 distinct pretokens outgrow every array of the table; numbers stay those of first sight."""
    words = [f" w{chr(97 + i % 26)}" + "".join(chr(97 + int(d)) for d in str(i)) for i in range(100_000)]
    table = PretokenTable()
    for part in (words[:10], words, words[::-1]):
        data = np.frombuffer("".join(part).encode(), np.uint8)
        offsets = np.array([0, len("".join(part[: len(part) // 2])), data.size], np.int64)
        numbers, ends = table.add(data, offsets)
        assert ends.tolist() == [len(part) // 2, len(part)]
    assert table.count == len(words) and table.strings(0) == words
    np.testing.assert_array_equal(numbers, np.arange(len(words))[::-1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), max_size=30))
def test_strings_of_all_lengths_are_told_apart(strings: list[str]) -> None:
    """Strings that share their first words, differ in the last byte, or lie at the very end of the buffer."""
    strings = strings + [s + end for s in strings for end in ("", "a", "b", "\x00", "x" * 300)]
    data = np.frombuffer("".join(strings).encode() or b"-", np.uint8)
    offsets = np.cumsum([0] + [len(string.encode()) for string in strings])
    table = PretokenTable()
    numbers = table.add_whole(data, offsets)
    first_seen = list(dict.fromkeys(strings))
    assert table.strings(0) == first_seen
    assert [first_seen[number] for number in numbers] == strings
