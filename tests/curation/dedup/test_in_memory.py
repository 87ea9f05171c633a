"""Deduplication of a column in one call: what is alike is merged into the longest, whatever the script."""

import pyarrow as pa
import pytest

from curation.dedup.in_memory import find_duplicates
from curation.recipe_dedup import MinHash

WORDS = {"en": ("{}th", " "), "zh": ("{}", ""), "th": ("ก{}", "")}


def text(language: str, numbers: range) -> str:
    form, space = WORDS[language]
    characters = {
        "en": str,
        "zh": lambda n: chr(0x4E00 + n),
        "th": lambda n: chr(0x0E01 + n % 40) + "า" * (n // 40 % 3),
    }
    return space.join(form.format(characters[language](n)) for n in numbers)


@pytest.mark.parametrize("language", ["en", "zh", "th"])
@pytest.mark.parametrize("exact", [False, True])
def test_near_duplicates_are_merged_into_the_longest(language: str, exact: bool) -> None:
    texts = [text(language, range(200)), text(language, range(210)), text(language, range(210)), "", "",
             text(language, range(5000, 5150)[::-1])]  # fmt: skip
    found = find_duplicates(pa.array(texts, pa.large_string()), MinHash(), 0.7, exact).to_pylist()
    keeper = found[0]["keeper"]
    assert keeper in (1, 2) and [row["keeper"] for row in found] == [keeper, keeper, keeper, 3, 4, 5]
    assert found[0]["match"] == "near" and {found[1]["match"], found[2]["match"]} == {None, "exact"}
    assert [row["cluster_size"] for row in found] == [3, 3, 3, 1, 1, 1]


def test_a_column_without_duplicates_or_rows() -> None:
    assert find_duplicates(pa.array([], pa.large_string()), MinHash()).num_rows == 0
    alone = find_duplicates(pa.array(["one text", "another text"], pa.large_string()), MinHash())
    assert alone["cluster_size"].to_pylist() == [1, 1]
