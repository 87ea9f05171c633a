"""The demo corpus is what its README says: languages, labels, similarities, and a file that is really broken."""

import importlib.util
import json
import unicodedata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Row = dict[str, Any]

DEMO = Path(__file__).resolve().parents[2] / "recipes" / "demo"
LANGUAGES = {
    "en", "zh", "de", "fr", "es", "pt", "it", "nl", "ru", "cs", "pl", "ar", "fa", "he", "tr",
    "ja", "ko", "vi", "th", "id", "ms", "lo", "my", "ceb", "km", "tl", "hi", "bn", "ur",
}  # fmt: skip
UNSPACED = {"zh", "ja", "th", "lo", "km", "my"}
DOCUMENT_FILES = ("udhr", "original", "mathematics", "planted")
DOCUMENT_KEYS = {"id", "text", "url", "license", "source", "language"}
EXPECTED = {
    "near_duplicate": "duplicate",
    "exact_duplicate": "duplicate",
    "boilerplate": "rejected",
    "spam": "rejected",
    "short": "rejected",
    "gibberish": "rejected",
    "mixed_language": "mixed",
}


def rows(name: str) -> list[Row]:
    data = (DEMO / f"{name}.jsonl").read_bytes().decode("utf-8")
    assert data.endswith("\n")
    return [json.loads(line) for line in data[:-1].split("\n")]


@pytest.fixture(scope="module")
def documents() -> dict[str, Row]:
    found = [row for name in DOCUMENT_FILES for row in rows(name)]
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


@pytest.fixture(scope="module")
def build_demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_demo", DEMO / "build_demo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shingles(text: str, language: str) -> set[tuple[str, ...]]:
    units = list("".join(text.split())) if language in UNSPACED else text.split()
    return {tuple(units[i : i + 5]) for i in range(len(units) - 4)}


def jaccard(first: Row, second: Row) -> float:
    a, b = (shingles(row["text"], row["language"]) for row in (first, second))
    return len(a & b) / len(a | b)


def test_documents_have_all_keys_and_clean_text(documents: dict[str, Row]) -> None:
    """Text is NFC, has line feeds but no other control characters, no lone surrogates; urls are distinct."""
    assert len({row["url"] for row in documents.values()}) == len(documents)
    for row in documents.values():
        assert row.keys() >= DOCUMENT_KEYS and all(row[key] for key in DOCUMENT_KEYS), row["id"]
        assert unicodedata.is_normalized("NFC", row["text"]), row["id"]
        categories = {unicodedata.category(character) for character in row["text"] if character != "\n"}
        assert not categories & {"Cc", "Cs", "Co", "Cn"}, row["id"]


def test_declaration_covers_all_29_languages_and_every_article() -> None:
    articles: dict[str, list[int]] = {}
    for row in rows("udhr"):
        articles.setdefault(row["language"], []).extend(row["articles"])
    assert articles.keys() == LANGUAGES
    assert all(found == list(range(31)) for found in articles.values())


def test_every_language_has_at_least_five_documents(documents: dict[str, Row]) -> None:
    clean = [row["language"] for row in documents.values() if "case" not in row]
    assert all(clean.count(language) >= 5 for language in LANGUAGES)


def test_parallel_file_has_one_row_per_language_and_article() -> None:
    pairs = [(row["language"], row["article"]) for row in rows("udhr_parallel") if row["text"]]
    assert sorted(pairs) == sorted((language, article) for language in LANGUAGES for article in range(31))


def test_parallel_text_is_the_text_of_the_documents(documents: dict[str, Row]) -> None:
    """Every paragraph of the parallel file stands in the document that holds its article."""
    for row in rows("udhr_parallel"):
        first = row["article"] and (row["article"] - 1) // 5 * 5 + 1
        lines = documents[f"udhr-{row['language']}-{first:02d}"]["text"].split("\n")
        assert set(row["text"].split("\n")) <= set(lines)


def test_authored_documents_are_long_and_varied_enough() -> None:
    original = rows("original")
    spoken = [row["language"] for row in original]
    assert len(set(spoken)) >= 16 and all(spoken.count(language) >= 6 for language in set(spoken))
    assert all(600 <= len(row["text"]) <= 2500 for row in original)
    mathematics = rows("mathematics")
    assert len(mathematics) >= 40 and all("$" in row["text"] for row in mathematics)


def test_planted_labels_are_complete_and_consistent(documents: dict[str, Row]) -> None:
    """Duplicates, and only they, name a cluster, which is the id of a clean document in the same language."""
    planted = rows("planted")
    assert {row["case"] for row in planted} == EXPECTED.keys()
    for row in planted:
        assert row["expected"] == EXPECTED[row["case"]]
        assert (row["cluster"] is not None) == (row["expected"] == "duplicate")
        if row["cluster"] is not None:
            original = documents[row["cluster"]]
            assert "case" not in original and original["language"] == row["language"]


def test_planted_near_duplicates_have_the_promised_similarity(documents: dict[str, Row]) -> None:
    near = [row for row in rows("planted") if row["case"] == "near_duplicate"]
    clusters = {row["cluster"] for row in near}
    languages = {row["language"] for row in near}
    assert len(clusters) >= 15 and languages >= {"zh", "th", "ar", "hi", "ja"}
    for row in near:
        assert 0.82 <= jaccard(row, documents[row["cluster"]]) <= 0.98, row["id"]


def test_planted_exact_duplicates_are_exact(documents: dict[str, Row]) -> None:
    for row in rows("planted"):
        if row["case"] == "exact_duplicate":
            assert row["text"] == documents[row["cluster"]]["text"]


def test_documents_outside_a_cluster_are_far_from_it(documents: dict[str, Row]) -> None:
    """So the planted clusters are all the clusters there are: every other pair stays below 0.7."""
    members = planted_and_clean(documents)
    units = [(row["cluster"] or row["id"], shingles(row["text"], row["language"])) for row in members]
    for index, (first, a) in enumerate(units):
        for second, b in units[index + 1 :]:
            assert first == second or len(a & b) <= 0.7 * len(a | b), (first, second)


def planted_and_clean(documents: dict[str, Row]) -> list[Row]:
    """Every document with enough text to have shingles, each exact text once, and a cluster (or None)."""
    left_out = ("short", "exact_duplicate")
    return [{"cluster": None, **row} for row in documents.values() if row.get("case") not in left_out]


def test_members_of_a_cluster_are_near_each_other(documents: dict[str, Row]) -> None:
    """Not only to their original: a threshold of 0.8 joins every pair."""
    planted = [row for row in documents.values() if row.get("cluster")]
    for first in planted:
        for second in planted:
            assert first["cluster"] != second["cluster"] or jaccard(first, second) >= 0.8


def test_broken_file_is_broken_as_labelled() -> None:
    """Three lines are not JSON, seven are not UTF-8, the rest parse; each kind of damage is present."""
    not_utf8, not_json, parsed = [], [], []
    for line in (DEMO / "broken" / "broken_encodings.jsonl").read_bytes().split(b"\n")[:-1]:
        try:
            parsed.append(json.loads(line.decode("utf-8")))
        except UnicodeDecodeError:
            not_utf8.append(line)
        except json.JSONDecodeError:
            not_json.append(line)
    assert len(not_json) == 3
    assert len(not_utf8) == 7 and all(b'"case": "invalid_utf8"' in line for line in not_utf8)
    cases = [row["case"] for row in parsed]
    assert cases.count("good") == 10
    assert set(cases) == {"good", "mojibake", "lone_surrogate", "control_characters"}
    by_case = {row["case"]: row["text"] for row in parsed}
    assert any(unicodedata.category(character) == "Cs" for character in by_case["lone_surrogate"])
    assert "\0" in by_case["control_characters"]


def test_generated_files_are_reproduced_byte_for_byte(build_demo: ModuleType) -> None:
    assert build_demo.encode_rows(build_demo.planted_documents(DEMO)) == (DEMO / "planted.jsonl").read_bytes()
    assert build_demo.broken_file(DEMO) == (DEMO / "broken" / "broken_encodings.jsonl").read_bytes()


def test_corpus_stays_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in DEMO.rglob("*.jsonl")) < 3_000_000


def test_declaration_page_with_missing_articles_is_refused(build_demo: ModuleType, tmp_path: Path) -> None:
    page = "<h1>T</h1><header><p>Preamble</p></header><article data-number='1'><h2>1</h2><p>All</p></article>"
    (tmp_path / "eng.html").write_text(page, encoding="utf-8")
    with pytest.raises(ValueError, match=r"eng\.html: expected a preamble and articles 1 to 30"):
        build_demo.read_declaration(tmp_path, "en")
