"""Premiums over English on texts whose tokens are counted by hand."""

import json
from pathlib import Path

import pytest

from tests.small_tokenizer import small_tokenizer
from tokenizer.evaluation.figures import gini
from tokenizer.evaluation.parallel import premium, read_parallel
from tokenizer.evaluation.subject import Subject, subject_of


@pytest.fixture(scope="module")
def byte_subject() -> Subject:
    return subject_of(small_tokenizer(["text"], 259))


def test_premium_against_english(byte_subject: Subject) -> None:
    result = premium(byte_subject, {"en": ["abcd", "ab"], "ru": ["да", "нет"], "de": ["abc", "abc"]})
    assert result["tokens"] == {"en": 6, "ru": 10, "de": 6}
    assert result["premium"] == {"en": 1.0, "ru": 10 / 6, "de": 1.0}
    assert result["gini"] == pytest.approx(gini([1, 10 / 6, 1]))


def test_premium_needs_english_and_equal_numbers(byte_subject: Subject) -> None:
    with pytest.raises(ValueError, match="lacks 'en'"):
        premium(byte_subject, {"de": ["a"]})
    with pytest.raises(ValueError, match="same number"):
        premium(byte_subject, {"en": ["a"], "de": []})
    with pytest.raises(ValueError, match="is empty"):
        premium(byte_subject, {"en": [""], "de": ["a"]})


def test_only_articles_of_all_languages_are_read(tmp_path: Path) -> None:
    rows = [("en", 1, "one"), ("de", 2, "zwei"), ("en", 2, "two"), ("en", 3, "three"), ("de", 3, "drei")]
    path = tmp_path / "parallel.jsonl"
    path.write_text(
        "".join(json.dumps(dict(zip(("language", "article", "text"), r, strict=True))) + "\n" for r in rows)
    )
    assert read_parallel(str(path)) == {"de": ["zwei", "drei"], "en": ["two", "three"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"language": "en", "article": 1, "text": "a"}\n{"language": "en"}\n', "line 2: no JSON object"),
        ("[1]\n", "line 1: no JSON object"),
        ("", "no article is there in all"),
        ('{"language": "de", "article": 1, "text": "a"}\n', "no text in 'en'"),
        ('{"language":"en","article":1,"text":""}\n{"language":"de","article":1,"text":"a"}\n', "no text in 'en'"),
        ('{"language":"en","article":1,"text":"a"}\n{"language":"de","article":2,"text":"a"}\n', "no article is there"),
    ],
)
def test_files_without_parallel_text_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "parallel.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_parallel(str(path))
