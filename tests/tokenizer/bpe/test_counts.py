"""Count tables: exact counts, one order whatever the way to them, sums, back-off of rare pretokens, errors."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from tokenizer.bpe.back_off import back_off
from tokenizer.bpe.counts import PretokenCounter, count_table, merge, pattern_of
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN, QWEN2_PATTERN, pretokens

TEXTS = st.lists(st.text(alphabet="ab 1'st\nกิ中é🙂\u0301\u093f.", max_size=30), max_size=8)


def rows(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


def counted(texts: list[str], pattern: str = QWEN2_PATTERN) -> pa.Table:
    counter = PretokenCounter(pattern)
    counter.add(pa.array(texts, pa.large_string()))
    return counter.table()


@pytest.mark.parametrize("pattern", [QWEN2_PATTERN, MARKS_AS_LETTERS_PATTERN], ids=["qwen2", "marks as letters"])
@settings(max_examples=150, deadline=None)
@given(texts=TEXTS)
def test_counts_are_those_of_the_regex_engine(pattern: str, texts: list[str]) -> None:
    """Each pretoken as often as the engine of ``tokenizers`` finds it, the most frequent first, then by bytes."""
    texts = [normalizers.NFC().normalize_str(text) for text in texts]
    expected = Counter(piece.encode() for text in texts for piece in pretokens(text, pattern=pattern))
    assert rows(counted(texts, pattern)) == sorted(expected.items(), key=lambda item: (-item[1], item[0]))


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.randoms())
def test_tables_of_parts_add_up_to_the_table_of_all(texts: list[str], random: object) -> None:
    """However the texts are dealt out and in whatever order the parts come."""
    texts = [normalizers.NFC().normalize_str(text) for text in texts]
    shuffled = texts.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    parts = [counted(shuffled[i::3]) for i in range(3)]
    assert merge(parts).equals(counted(texts), check_metadata=True)


def test_groups_are_counted_apart_and_summed_on_demand() -> None:
    counter = PretokenCounter(columns=["language", "domain"])
    for language, domain, text in (("en", "web", "a b"), ("de", "web", "a"), ("en", "code", "a"), ("en", "web", "a")):
        counter.add(pa.array([text]), (language, domain))
    table = counter.table()
    assert rows(table) == [
        (b"a", 2, "en", "web"), (b" b", 1, "en", "web"), (b"a", 1, "de", "web"), (b"a", 1, "en", "code"),
    ]  # fmt: skip
    assert rows(merge([table], columns=["language"])) == [(b"a", 3, "en"), (b" b", 1, "en"), (b"a", 1, "de")]
    assert rows(merge([table], columns=())) == [(b"a", 4), (b" b", 1)]
    assert merge([table, table])["count"].to_pylist() == [4, 2, 2, 2]


def test_counts_are_64_bit() -> None:
    table = merge([count_table([b"a"], [2**40]), count_table([b"a"], [2**40])])
    assert rows(table) == [(b"a", 2**41)]
    with pytest.raises(ValueError, match="counts could overflow"):
        merge([count_table([b"a"], [2**62]), count_table([b"a"], [2**62]), count_table([b"a"], [2**62])])


def test_many_pretokens_outgrow_the_first_tables() -> None:
    texts = [f"w{chr(97 + i % 26) * (i // 26)} " for i in range(3000)]
    assert counted(texts)["count"].to_numpy().sum() == 3000 * 2


def test_pattern_is_recorded_and_never_mixed() -> None:
    qwen2, marks = counted(["a"]), counted(["a"], MARKS_AS_LETTERS_PATTERN)
    assert (pattern_of(qwen2), pattern_of(marks)) == (QWEN2_PATTERN, MARKS_AS_LETTERS_PATTERN)
    with pytest.raises(ValueError, match="Count table 1 was made with another pretoken pattern"):
        merge([qwen2, marks])


def test_tables_that_are_no_counts_are_refused() -> None:
    table = counted(["a"])
    with pytest.raises(ValueError, match="does not say with which pretoken pattern"):
        merge([table.replace_schema_metadata(None)])
    with pytest.raises(ValueError, match="has no column 'language'"):
        merge([table], columns=["language"])
    with pytest.raises(ValueError, match="no column 'script'"):
        PretokenCounter(columns=["script"])
    with pytest.raises(ValueError, match="empty pretoken in row 1"):
        count_table([b"a", b""], [1, 1])
    with pytest.raises(ValueError, match="null in column 'pretoken', row 0"):
        count_table([None], [1])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="no column 'count'"):
        merge([table.drop_columns(["count"])])
    with pytest.raises(ValueError, match="no count tables to merge"):
        merge([])
    with pytest.raises(ValueError, match="must have a value for each"):
        PretokenCounter(columns=["language"]).add(pa.array(["a"]))
    with pytest.raises(ValueError, match="knows the patterns"):
        PretokenCounter(r"\w+")


def test_rare_pretokens_are_dropped_where_words_are_written_apart() -> None:
    table = count_table([b" the", b" rare", "中文".encode()], [5, 4, 5])
    assert rows(back_off(table, 5)) == [(b" the", 5), ("中文".encode(), 5)]
    assert back_off(table, 1).equals(table)


def test_rare_phrases_are_cut_into_windows_until_they_are_frequent() -> None:
    """Four sentences share their first six characters; the rest is cut further and dropped when rare still."""
    sentences = ["一二三四五六" + tail for tail in ("七八九", "甲乙丙", "七八九子丑寅", "卯辰巳")]
    table = count_table([sentence.encode() for sentence in sentences], [1] * 4)
    assert rows(back_off(table, 2)) == [("一二三四五六".encode(), 4), ("七八九".encode(), 2)]
    again = count_table([sentence.encode() for sentence in sentences], [1, 1, 2, 1])
    assert rows(back_off(again, 2)) == [("一二三四五六".encode(), 3), ("一二三四五六七八九子丑寅".encode(), 2)]


def test_rarity_counts_all_languages_together() -> None:
    counter = PretokenCounter(columns=["language"])
    for language in ("zh", "ja"):
        counter.add(pa.array(["東京都"]), [language])
    assert back_off(counter.table(), 2).equals(counter.table())
    assert back_off(counter.table(), 3).num_rows == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="กขเแิ่ำคน្កាမြန္", min_size=1, max_size=40), min_size=1, max_size=5))
def test_windows_never_begin_with_a_mark(words: list[str]) -> None:
    """Cutting at every threshold: what is left begins as a whole pretoken or with a character of its own."""
    for at_least in (1, 2, 3):
        table = count_table([word.encode() for word in words], [1] * len(words))
        left = [row["pretoken"].decode() for row in back_off(table, at_least).to_pylist()]
        text = Counter("".join(words))
        for piece in left:
            assert piece in words or piece[0] not in "ิ่ำ្ာြ္"
        kept = sum(row["count"] * len(row["pretoken"].decode()) for row in back_off(table, at_least).to_pylist())
        assert kept <= text.total()


def test_back_off_needs_a_threshold() -> None:
    with pytest.raises(ValueError, match="at_least is 0"):
        back_off(count_table([b"a"], [1]), 0)


def test_cutting_loses_no_text() -> None:
    """A threshold of 1 is not rare to any; with one sentence repeated, windows add up to the sentence."""
    sentence = "กรุงเทพมหานครเป็นเมืองหลวง"
    table = count_table([sentence.encode(), (sentence + "ของไทย").encode()], [1, 1])
    found = back_off(table, 2).to_pylist()
    assert sum(row["count"] * len(row["pretoken"].decode()) for row in found) >= 2 * 24
    assert all(row["count"] == 2 for row in found)
    np.testing.assert_array_less(0, [len(row["pretoken"]) for row in found])
