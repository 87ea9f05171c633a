"""Records of tokenizers side by side, and what Markdown and the page say of them."""

import json
from typing import Any

import pytest
from tokenizers import Tokenizer

from curation.dataset import pretty_json
from curation.report import tokenizer_page
from tests.page import Page
from tests.small_tokenizer import small_tokenizer
from tokenizer.evaluation import Group, compare, evaluate, subject_of
from tokenizer.evaluation.markdown import comparison_text
from tokenizer.evaluation.usage import measured

PARALLEL = {"en": ["one two", "three"], "th": ["หนึ่งสอง", "สาม"]}


@pytest.fixture(scope="module")
def comparison(trained: Tokenizer, sample: dict[str, str]) -> dict[str, Any]:
    groups = {Group(code, "web"): measured([text]) for code, text in sample.items() if code != "code"}
    groups[Group("en", "math")] = measured(["two plus two"])
    groups[Group("code", "code", "python")] = measured([sample["code"]])
    subjects = [subject_of(trained, "ours"), subject_of(small_tokenizer(["text"], 259), "bytes|only")]
    return compare(subjects, groups, PARALLEL)


def test_rows_of_languages_domains_and_code_add_up(comparison: dict[str, Any], sample: dict[str, str]) -> None:
    for record in comparison["tokenizers"]:
        for rows in ("languages", "domains", "groups"):
            assert sum(row["tokens"] for row in record[rows]) == record["all"]["tokens"]
        assert [row["kind"] for row in record["code"]] == ["python"]
        assert [row["domain"] for row in record["domains"]] == ["web", "math", "code"]
        english = next(row for row in record["languages"] if row["language"] == "en")
        assert english["utf8_bytes"] == len(sample["en"].encode()) + len("two plus two")
    ours, bytes_ = comparison["tokenizers"]
    assert bytes_["all"]["bytes_per_token"] == 1 < ours["all"]["bytes_per_token"]
    assert bytes_["parallel"]["premium"]["th"] == pytest.approx(len("หนึ่งสองสาม".encode()) / len("one twothree"))


def test_comparisons_are_json_and_a_pure_function(comparison: dict[str, Any], trained: Tokenizer) -> None:
    assert json.loads(json.dumps(comparison)) == comparison
    samples = {"en": ["some text", "more of it"], "xx": [""]}
    assert json.dumps(evaluate(trained, samples)) == json.dumps(evaluate(trained, samples))
    assert "parallel" not in evaluate(trained, samples)


def test_the_page_shows_the_figures(comparison: dict[str, Any]) -> None:
    stored = json.loads(pretty_json(comparison))  # keys sorted, as jobs store them
    assert tokenizer_page.render(stored) == tokenizer_page.render(comparison)
    page = Page(tokenizer_page.render(stored))
    ours = comparison["tokenizers"][0]
    thai = next(row for row in ours["languages"] if row["language"] == "th")
    assert page.row("Thai", "")[2:] == [f"{thai['bytes_per_token']:.2f}", "1.00"]
    math = next(row for row in ours["groups"] if row["domain"] == "math")
    assert page.row("English, math", "")[2] == f"{math['bytes_per_token']:.2f}"
    assert page.row("ours")[1:3] == ["700", f"{ours['all']['bytes_per_token']:.2f}"]
    assert page.row("numbers of 3 digits")[1:] == ["1+1+1", "1+1+1"]
    assert page.row("line ends, CR LF")[2] == "1: 2, 2: 4, 3: 6, 4: 8"
    assert page.row("python", "")[3] == "1.00"
    assert f"Gini coefficient {ours['parallel']['gini']:.3f}" in page.text
    assert {"script", "img", "link"}.isdisjoint(page.names)


def test_markdown_holds_the_same_figures_in_tables_that_are_whole(comparison: dict[str, Any]) -> None:
    text = comparison_text(comparison)
    thai = next(row for row in comparison["tokenizers"][0]["languages"] if row["language"] == "th")
    assert f"| Thai | {thai['bytes_per_token']:.2f} | 1.00 |" in text
    assert "# ours, bytes|only" in text and "| language | ours | bytes\\|only |" in text
    widths = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(widths) == {4}


def test_without_code_and_parallel_text_there_are_no_sections_for_them(trained: Tokenizer) -> None:
    found = compare([subject_of(trained, "ours")], {Group("en", "web"): measured(["text"])})
    page, text = tokenizer_page.render(found), comparison_text(found)
    assert "Premium over English" not in page and "Code by" not in page and "English = 1" not in text
