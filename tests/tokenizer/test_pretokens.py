"""The pretoken pattern, and the compiled scanner that must agree with the regex engine on every string."""

import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, normalizers, pre_tokenizers

from tokenizer.pretokens import QWEN2_PATTERN, byte_characters, pretokens, token_bytes
from tokenizer.scan import (
    LETTER,
    NEWLINE,
    NUMBER,
    SPACE,
    UNASSIGNED,
    PretokenTable,
    character_classes,
    has_unassigned,
    pretoken_end,
)

# Characters on which the pattern's alternatives compete.
TRICKY = "'sStTmMdDrReEvVlL\u017fk\u212a 1٣½\t\n\r\u00a0\u3000\u2028\u0085-._!?aéßжक\u093f中\u0301🙂\u200d\x00"
TEXTS = st.one_of(
    st.text(alphabet=TRICKY, max_size=40),
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"]), max_size=40),
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


def test_text_is_composed_first() -> None:
    assert pretokens("e\u0301") == ["é"]


def test_byte_characters_are_the_ones_of_tokenizers() -> None:
    """256 distinct characters for 256 bytes, the alphabet that ``tokenizers`` uses."""
    characters = byte_characters()
    assert sorted(characters.values()) == list(range(256))
    assert set(characters) == set(pre_tokenizers.ByteLevel.alphabet())
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str("\n é中")[0][0]
    assert token_bytes(spelled) == "\n é中".encode()


def test_character_classes_are_those_of_the_regex_engine() -> None:
    """Every code point this Python knows has the class that Oniguruma gives it; the others are UNASSIGNED."""
    classes = character_classes()
    code_points = np.array([c for c in range(0x110000) if not 0xD800 <= c < 0xE000])
    text = "".join(map(chr, code_points))
    known = classes[code_points] != UNASSIGNED
    for pattern, wanted in ((r"\p{L}+", [LETTER]), (r"\p{N}+", [NUMBER]), (r"\s+", [SPACE, NEWLINE])):
        rest = normalizers.Replace(Regex(pattern), "").normalize_str(text)
        matched = ~np.isin(code_points, np.frombuffer(rest.encode("utf-32-le"), np.uint32))
        np.testing.assert_array_equal(matched[known], np.isin(classes[code_points], wanted)[known])


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_scanner_finds_the_pretokens_of_the_pattern(text: str) -> None:
    splitter = pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated")
    data = np.frombuffer(text.encode(), np.uint8)
    found, start = [], 0
    while start < data.size:
        end = pretoken_end(data, start, data.size, character_classes())
        found.append(data[start:end].tobytes().decode())
        start = end
    assert found == [piece for piece, _ in splitter.pre_tokenize_str(text)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8), max_size=8))
def test_unassigned_code_points_are_noticed(texts: list[str]) -> None:
    data = np.frombuffer("".join(texts).encode() + b" ", np.uint8)
    offsets = np.cumsum([0] + [len(text.encode()) for text in texts])
    expected = [any(unicodedata.category(character) == "Cn" for character in text) for text in texts]
    assert has_unassigned(data, offsets, character_classes()).tolist() == expected


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
