"""Decisions and the funnel: all reasons of a document, counted as by hand, in any cut of the parts."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.languages import CODES
from curation.schema import DECISIONS, DUPLICATES
from filters.annotate import signals_schema
from filters.decisions import DUPLICATE_REASONS, EXACT, LANGUAGE, NEAR, clean, decide, funnel, merge
from filters.line_rules import REMOVED_REASON, LineCleaner
from filters.policy import Policy

POLICY = Policy.model_validate({"name": "t", "domains": {"web": {"rules": {
    "words": {"signal": "words", "min": 5}, "digits": {"reject_when": "digit_ratio > 0.5"}}}}})  # fmt: skip


def signals_of(rows: list[dict]) -> pa.Table:
    """Rows of the signals dataset: the given values, zeros elsewhere."""

    def blank(field: pa.Field):
        if pa.types.is_list(field.type):
            return []
        if pa.types.is_binary(field.type) or pa.types.is_fixed_size_binary(field.type):
            return bytes(16)
        return "" if pa.types.is_string(field.type) else 0

    schema = signals_schema()
    filled = [{f.name: blank(f) for f in schema} | {"domain": "web", "language": "en"} | row for row in rows]
    return pa.Table.from_pylist(filled, schema=schema)


def duplicates_of(matches: list[str | None]) -> pa.Table:
    rows = [{"address": i, "candidates": i, "cluster": i, "cluster_size": 1, "keeper": i, "match": match,
             "rank": int(match is not None), "similarity": None} for i, match in enumerate(matches)]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=DUPLICATES)


def test_all_reasons_of_a_document_are_kept() -> None:
    rows = [
        {"words": 9.0},
        {"words": 1.0, "digit_ratio": 0.9, "language": "uk"},
        {"words": 1.0},
        {"words": 9.0},
        {"words": 0.0, "language": "code", "domain": "code"},
        {"words": 9.0, "language": "de"},
    ]
    rows = [row | {"address": 70 + i, "utf8_bytes": 10 * i} for i, row in enumerate(rows)]
    found = decide(signals_of(rows), duplicates_of([None, "exact", "near", "near", None, None]), POLICY, ["en"])
    assert found.schema.equals(DECISIONS)
    assert found["reasons"].to_pylist() == [
        [], ["words", "digits", LANGUAGE, EXACT], ["words", NEAR], [NEAR], [], [LANGUAGE],
    ]  # fmt: skip
    assert found["address"].to_pylist() == [70, 71, 72, 73, 74, 75]
    assert found["utf8_bytes"].to_pylist() == [0, 10, 20, 30, 40, 50]
    assert found["removed"].to_pylist() == [[]] * 6


def test_a_part_without_rows() -> None:
    found = decide(signals_of([]), duplicates_of([]), POLICY, list(CODES))
    assert found.num_rows == 0 and found.schema.equals(DECISIONS)
    assert funnel(found) == []


def test_the_funnel_by_hand() -> None:
    rows = [
        ("en", 5, []), ("en", 7, ["words"]), ("en", 11, ["words", EXACT]), ("en", 13, [NEAR]), ("de", 17, [LANGUAGE]),
    ]  # fmt: skip
    english, german = funnel(table_of([(language, "web", size, reasons) for language, size, reasons in rows]))[::-1]
    assert german == {
        "language": "de", "domain": "web", "documents": 1, "bytes": 17, "rejected": 1, "duplicates": 0, "passed": 0,
        "passed_bytes": 0, "cleaned": 0, "removed_bytes": 0, "reasons": {LANGUAGE: 1},
    }  # fmt: skip
    assert english == {
        "language": "en", "domain": "web", "documents": 4, "bytes": 36, "rejected": 2, "duplicates": 1, "passed": 1,
        "passed_bytes": 5, "cleaned": 0, "removed_bytes": 0, "reasons": {EXACT: 1, NEAR: 1, "words": 2},
    }  # fmt: skip


def table_of(rows: list[tuple[str, str, int, list[str]]]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"address": i, "language": language, "domain": domain, "utf8_bytes": size, "reasons": reasons,
          "removed": []}
         for i, (language, domain, size, reasons) in enumerate(rows)], schema=DECISIONS)  # fmt: skip


CLEANING = Policy.model_validate({"name": "t", "domains": {
    "web": {"rules": {}, "lines": {"digits": {"signal": "digit_ratio", "max": 0.5}}, "max_removed": 0.5},
    "code": {"rules": {}},
}})  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2, 3, 9])
def test_lines_are_removed_from_documents_that_fail_nothing_else(batch: int) -> None:
    """Whatever the batches. Documents that lose too much are rejected, but their spans are kept."""
    texts = ["ab\n12\ncd", "ab\n12\ncd", "x\n1\n2\n3", "ab\n12", "12\nab", "no digits"]
    rows = [("en", "web", []), ("en", "web", [NEAR]), ("en", "web", []), ("en", "code", []), ("de", "web", []),
            ("de", "web", [])]  # fmt: skip
    decided = table_of([(*row[:2], len(text), row[2]) for row, text in zip(rows, texts, strict=True)])
    documents = pa.table({"text": pa.array(texts, pa.large_string())}).to_batches(batch)
    found = clean(decided, documents, CLEANING.cleaned_domains(), LineCleaner(CLEANING))
    assert found.schema.equals(DECISIONS)
    span = {"start": 3, "stop": 6, "rules": ["digits"]}
    assert found["removed"].to_pylist() == [
        [span],
        [],
        [span | {"start": 1, "stop": 7}],
        [],
        [span | {"start": 0, "stop": 3}],
        [],
    ]
    assert found["reasons"].to_pylist() == [[], [NEAR], [REMOVED_REASON], [], [], []]
    assert found.drop(["removed", "reasons"]).equals(decided.drop(["removed", "reasons"]))
    by_group = {(row["language"], row["domain"]): row for row in funnel(found)}
    web = by_group["en", "web"]
    assert (web["documents"], web["rejected"], web["duplicates"], web["passed"]) == (3, 1, 1, 1)
    assert (web["cleaned"], web["removed_bytes"], web["passed_bytes"]) == (1, 3, 5)
    assert (by_group["de", "web"]["cleaned"], by_group["de", "web"]["passed_bytes"]) == (1, 2 + 9)
    assert by_group["en", "code"]["passed_bytes"] == 5


def test_a_part_without_rows_is_clean() -> None:
    assert clean(table_of([]), [], ["web"], LineCleaner(CLEANING)).num_rows == 0


decision = st.tuples(
    st.sampled_from(["en", "de", "th"]), st.sampled_from(["web", "code"]), st.integers(0, 10**12),
    st.lists(st.sampled_from(["words", "digits", LANGUAGE, EXACT, NEAR]), unique=True, max_size=3),
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(st.lists(decision, max_size=25), st.data())
def test_the_funnel_of_a_whole_is_the_merged_funnel_of_its_parts(rows, data) -> None:
    """And both are what counting by hand gives; documents = rejected + duplicates + passed."""
    whole = funnel(table_of(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    parts = [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    assert merge([funnel(table_of(part)) for part in parts]) == [
        {**row, "reasons": dict(sorted(row["reasons"].items()))} for row in whole
    ]
    for row in whole:
        mine = [r for r in rows if r[:2] == (row["language"], row["domain"])]
        policy = [r for r in mine if set(r[3]) - set(DUPLICATE_REASONS)]
        kept = [r for r in mine if not r[3]]
        assert row["documents"] == len(mine) == row["rejected"] + row["duplicates"] + row["passed"]
        assert (row["rejected"], row["passed"]) == (len(policy), len(kept))
        assert (row["bytes"], row["passed_bytes"]) == (sum(r[2] for r in mine), sum(r[2] for r in kept))
        assert row["reasons"] == Counter(reason for r in mine for reason in r[3])


@pytest.mark.parametrize("language", [*CODES, "code"])
def test_selected_languages_and_code_pass(language: str) -> None:
    found = decide(signals_of([{"words": 9.0, "language": language}]), duplicates_of([None]), POLICY, list(CODES))
    assert found["reasons"].to_pylist() == [[]]
