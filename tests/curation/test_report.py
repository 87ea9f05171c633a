"""The report page: says what the data say, escapes all text, loads nothing, and stands without any of its data."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.report import ReportData, render
from curation.report.charts import LINE_POINTS, bar, dot_chart, grouped_bars, line_chart, paired_bars, stacked_bar, thin
from curation.report.data import Sample, fold, reason_counts
from curation.report.documents import size_bins
from curation.report.markup import escape, tag
from curation.report.page import SECTIONS
from tests.page import Page

HOSTILE = '<script>alert("x")</script><img src=http://example.org/x.png onerror=y>\x00\x1b\ud800 & \u202egnp'


def funnel_row(language: str, domain: str = "web", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "language": language, "domain": domain, "documents": 100, "bytes": 5_000_000, "rejected": 40, "duplicates": 10,
        "passed": 50, "passed_bytes": 2_500_000, "reasons": {"gopher.words": 30, "dedup.near": 12},
        "kept_documents": 45, "kept_bytes": 2_250_000, "kept_epoch_bytes": 2_300_000, "asked_share": 0.5,
        "got_share": 0.48, "rate": 0.92,
    }  # fmt: skip
    return row | changes


def manifest(rows: int, fingerprint: str = "0123456789abcdef0123") -> dict[str, Any]:
    return {"rows": rows, "bytes": 1_230_000, "files": {"a": {}, "b": {}}, "fingerprint": fingerprint}


def shard_manifest(tokens: dict[str, int], domains: dict[str, int]) -> dict[str, Any]:
    return {
        "tokens": sum(tokens.values()), "documents": 37, "utf8_bytes": 4_560_000, "tokens_by_language": tokens,
        "tokens_by_domain": domains, "fingerprint": "fedcba9876543210",
        "shards": [{"files": {"bin": {"bytes": 900_000}, "idx": {"bytes": 100_000}}}],
    }  # fmt: skip


def score(bits: float, tokens: int = 70) -> dict[str, Any]:
    return {"bits_per_byte": bits, "nats": 140.0, "tokens": tokens, "bytes": 100, "documents": 3}


def evaluation(micro: float) -> dict[str, Any]:
    languages = {"hi": score(3.25), "en": score(2.125)}
    return {"micro": micro, "macro": 2.75, "nats": 140.0, "tokens": 70, "bytes": 100, "documents": 6,
            "languages": languages, "domains": {}, "steps": 2}  # fmt: skip


@pytest.fixture
def data() -> ReportData:
    return ReportData(
        name="all-sections",
        annotated={"documents": 260, "utf8_bytes": 12_340_000, "dead": 7, "documents_with_invalid_utf8": 3},
        datasets={"documents": manifest(260), "dead": manifest(2)},
        funnel=[
            funnel_row("en"),
            funnel_row("hi", bytes=7_000_000, asked_share=0.25, got_share=0.27, rate=1.75),
            funnel_row("sw", documents=40, bytes=9_000_000, rejected=40, duplicates=0, passed=0, kept_documents=0,
                       kept_bytes=0, kept_epoch_bytes=0, asked_share=0.0, got_share=0.0, rate=0.0,
                       reasons={"language.not_selected": 40}),
            funnel_row("sk", documents=20, bytes=1_000_000, rejected=20, duplicates=0, passed=0, kept_documents=0,
                       kept_bytes=0, kept_epoch_bytes=0, asked_share=0.0, got_share=0.0, rate=0.0,
                       reasons={"language.not_selected": 20}),
        ],
        duplicates={"clusters": 31, "members": 1009, "duplicates": 978, "largest": 901,
                    "sizes": {"2": 20, "6": 8, "7": 2, "901": 1}},
        unreadable=[{"source": "web", "path": "in/a.parquet", "location": "row 4", "records": 6, "error": "bad"}],
        tokenizer={
            "vocab_size": 16_384, "sample_bytes": {"en": 3_000_000, "hi": 1_500_000},
            "languages": [
                {"language": "en", "bytes_per_token": 4.25, "tokens_per_unit": 1.3, "fertility": 1.125,
                 "continued_words": 0.12},
                {"language": "lo", "bytes_per_token": None, "tokens_per_unit": None, "fertility": None,
                 "continued_words": None},
            ],
            "parallel": {"premium": {"en": 1.0, "hi": 1.85}, "gini": 0.149},
        },
        shards={"train": shard_manifest({"en": 9_000, "hi": 3_000}, {"web": 12_000}),
                "validation": shard_manifest({"en": 450}, {"web": 450})},
        metrics=[{"step": 1, "loss": 9.5, "tokens": 2048, "validation": evaluation(4.5)},
                 {"step": 2, "loss": 8.25, "tokens": 4096, "validation": None}],
        evaluation=evaluation(2.5),
        samples=[Sample("gopher.words", ("gopher.words", "dedup.near"), "ar", "web", "web", "d1", "مرحبا بالعالم")],
    )  # fmt: skip


def test_numbers_shown_equal_the_data(data: ReportData) -> None:
    page = Page(render(data))
    assert page.row("All")[2:] == ["260", "140", "20", "10", "90", "22.00", "4.50"]
    assert page.row("Hindi web")[2:] == ["100", "40", "10", "5", "45", "7.00", "2.25"]
    assert page.row("other languages 2 found")[2:] == ["60", "60", "0", "0", "0", "10.00", "0.00"]
    assert page.row("gopher. words", "", "60")[2:] == ["60", "23.1%"]
    assert page.row("mixture. downsampled", "", "10")[2:] == ["10", "3.8%"]
    assert page.row("gopher. words", "30.0")[1:] == ["30.0", "30.0"]
    assert page.row("5–8")[2:] == ["10", "62"]
    assert page.row("257 and more")[2:] == ["1", "901"]
    assert page.row("Hindi web", "", "25.0%")[2:] == ["25.0%", "27.0%", "1.75", "2.25", "2.30"]
    assert page.row("web", "6") == ["web", "6", "in/a.parquet", "row 4", "bad"]
    assert "7 records could not be read. 3 documents held invalid UTF-8." in page.text
    assert page.row("English", "", "4.25")[2:] == ["4.25", "1.30", "1.12", "12.0%", "3.00", "1.00"]
    assert page.row("Hindi", "", "–")[2:] == ["–", "–", "–", "–", "1.50", "1.85"]
    assert "0.149" in page.text
    assert page.row("English", "", "9,000")[2:] == ["9,000", "450", "75.9%"]
    assert page.row("web", "", "12,000")[2:] == ["12,000", "450", "100.0%"]
    assert page.row("1", "2.000") == ["1", "2.000", "4.500", "2.750", "6"]
    assert page.row("2", "2.000") == ["2", "2.000", "2.500", "2.750", "6"]
    assert page.row("English", "", "2.125")[2:] == ["2.125", "70", "3"]
    assert page.row("documents/") == ["documents/", "0123456789ab", "260", "2", "1.23"]
    assert page.row("shards/train/") == ["shards/train/", "fedcba987654", "37", "2", "1.00"]
    assert "12,450" in page.text and "مرحبا بالعالم" in page.text and "also dedup.near" in page.text


def test_the_page_loads_and_runs_nothing(data: ReportData) -> None:
    written = render(data)
    page = Page(written)
    links = [value for name, value in page.attributes if name in ("href", "src", "srcset", "action", "data")]
    assert links and all(value and value.startswith("#") for value in links)
    assert page.names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form"})
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "url(" not in written and "@import" not in written and "@font-face" not in written
    assert "://" not in written


def test_sections_link_to_each_other_and_charts_are_titled(data: ReportData) -> None:
    written = render(data)
    page = Page(written)
    anchors = {value for name, value in page.attributes if name == "id"}
    assert {value[1:] for name, value in page.attributes if name == "href" and value} <= anchors
    assert written.count("<svg") - written.count("preserveAspectRatio") == written.count('role="img"')
    assert written.count('role="img"') <= written.count("<title>")


def test_hostile_text_is_only_text(data: ReportData) -> None:
    hostile = ReportData(
        name=HOSTILE,
        annotated=data.annotated,
        datasets={HOSTILE: manifest(1, HOSTILE)},
        funnel=[funnel_row("en", HOSTILE, reasons={HOSTILE: 3})],
        unreadable=[{"source": HOSTILE, "path": HOSTILE, "location": HOSTILE, "records": 1, "error": HOSTILE}],
        tokenizer={"vocab_size": 1, "sample_bytes": {HOSTILE: 1}, "languages": []},
        shards={HOSTILE: shard_manifest({HOSTILE: 5}, {HOSTILE: 5})},
        evaluation=evaluation(1.0) | {"languages": {HOSTILE: score(1.0)}},
        samples=[Sample(HOSTILE, (HOSTILE, "other"), HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
    )
    written = render(hostile)
    page = Page(written)
    assert page.names.isdisjoint({"script", "img"})
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in written
    assert "\x00" not in written and "\x1b" not in written
    written.encode()  # no lone surrogate is left


@given(st.text(st.characters(codec=None)))
def test_any_text_survives_as_text_and_attribute(text: str) -> None:
    """Escaping loses nothing but characters that HTML forbids."""
    element = tag("p", text, title=text)
    page = Page(str(element))
    assert page.names == {"p"}
    assert page.text == page.attributes[0][1]
    assert len(page.text) == len(text)
    element.encode()


def test_a_run_without_any_job_done_explains_every_section() -> None:
    page = Page(render(ReportData("empty")))
    assert page.text.count("has not run yet") == len(SECTIONS)
    for section in SECTIONS:
        assert f"{section.title}Job {section.job} has not run yet" in page.text
    assert "table" not in page.names


def test_runs_with_nothing_to_show_render() -> None:
    """Jobs that ran on nothing, kept everything, or are in the middle of training."""
    counts = {"documents": 0, "utf8_bytes": 0, "dead": 0, "documents_with_invalid_utf8": 0}
    alone = {"clusters": 0, "members": 0, "duplicates": 0, "largest": 1, "sizes": {}}
    steps = [{"step": 1, "loss": 9.0, "tokens": 8}]
    page = Page(render(ReportData("nothing", annotated=counts, funnel=[], metrics=steps, duplicates=alone)))
    for said in ("Every record could be read. No document held invalid UTF-8.", "Every document was kept.",
                 "No document has a duplicate.", "No rejected document kept its text",
                 "The evaluation at the end of training is not there yet."):  # fmt: skip
        assert said in page.text


def test_equal_data_give_equal_pages(data: ReportData) -> None:
    assert render(data) == render(data)


def test_documents_that_lost_lines_are_counted_where_there_are_any(data: ReportData) -> None:
    assert "Cleaned" not in render(data)
    rows = [funnel_row("en", cleaned=7, removed_bytes=40_000), funnel_row("hi", cleaned=0, removed_bytes=0)]
    page = Page(render(ReportData("cleaned", funnel=rows)))
    assert "Cleaned: 7 documents that passed lost 0.04 MB of unwanted lines." in page.text
    assert [row[-1] for row in page.rows if row[0].startswith(("All", "English", "Hindi"))][:3] == ["7", "7", "0"]


def test_languages_outside_the_registry_become_one_last_row(data: ReportData) -> None:
    assert data.funnel is not None
    folded = fold(data.funnel)
    assert [row["language"] for row in folded] == ["hi", "en", "other languages"]
    assert folded[-1]["reasons"] == {"language.not_selected": 60}
    assert sum(row["documents"] for row in folded) == 260


def test_reasons_come_most_frequent_first_with_the_mixture_among_them(data: ReportData) -> None:
    assert data.funnel is not None
    assert list(reason_counts(data.funnel).items()) == [
        ("gopher.words", 60), ("language.not_selected", 60), ("dedup.near", 24), ("mixture.downsampled", 10),
    ]  # fmt: skip


@given(st.dictionaries(st.integers(2, 5000), st.integers(1, 1000)))
def test_cluster_bins_hold_every_cluster_once(sizes: dict[int, int]) -> None:
    binned = size_bins(sizes)
    assert sum(clusters for _, clusters, _ in binned) == sum(sizes.values())
    assert sum(documents for _, _, documents in binned) == sum(size * number for size, number in sizes.items())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000))
def test_thinned_lines_keep_their_ends_and_range(values: list[float]) -> None:
    line = [(float(x), y) for x, y in enumerate(values)]
    drawn = thin(line)
    assert 1 <= len(drawn) <= LINE_POINTS
    assert all(min(values) - 1e-6 <= y <= max(values) + 1e-6 for _, y in drawn)
    assert len(line) > LINE_POINTS or drawn == line


@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
def test_line_charts_stay_inside_their_axes(line: list[tuple[float, float]]) -> None:
    page = Page(str(line_chart(line, line[:1], "step", "loss", "title")))
    places = [float(str(value).rstrip("%")) for name, value in page.attributes if name in ("cx", "cy", "x", "y")]
    assert all(math.isfinite(place) and -1 <= place <= 300 for place in places)


def test_stacked_bars_divide_the_length_by_the_amounts() -> None:
    page = Page(str(stacked_bar([("a", 1), ("b", 0), ("c", 3)], "parts")))
    assert [value for name, value in page.attributes if name == "class"] == ["bar", "a", "c"]
    assert [value for name, value in page.attributes if name == "x"] == ["0.00%", "25.00%"]


def test_bars_have_the_length_of_their_share() -> None:
    assert 'width="25.00%"' in bar(0.25, "a quarter")
    assert 'width="50.00%"' in paired_bars(0.5, 0.75, "two") and 'width="75.00%"' in paired_bars(0.5, 0.75, "two")


def test_escaping_is_not_done_twice() -> None:
    assert tag("p", escape("a < b")) == "<p>a &lt; b</p>"


def test_grouped_bars_do_not_overlap_and_grow_with_their_number() -> None:
    for number in (1, 2, 4, 5):
        page = Page(str(grouped_bars([("accent", 0.5)] * number, "bars")))
        tops = [int(value) for name, value in page.attributes if name == "y" and value]
        heights = [int(value) for name, value in page.attributes if name == "height" and value]
        whole, *each = heights
        assert len(tops) == number and all(a + b <= top for a, b, top in zip(tops, each, tops[1:], strict=False))
        assert tops[-1] + each[-1] <= whole
    assert 'width="50.00%"' in grouped_bars([("accent", 0.5)], "one")


@given(st.lists(st.lists(st.floats(0.01, 50), min_size=1, max_size=4), min_size=1, max_size=12))
def test_dots_stay_between_the_names_and_the_edge(values: list[list[float]]) -> None:
    """And a larger value never stands left of a smaller one."""
    rows = [(f"row {number}", [("accent", value) for value in dots]) for number, dots in enumerate(values)]
    page = Page(str(dot_chart(rows, "value", "title", 1.0)))
    at = [float(value.rstrip("%")) for name, value in page.attributes if name == "cx" and value]
    flat = [value for dots in values for value in dots]
    assert len(at) == len(flat) and all(22 <= x <= 99 for x in at)
    assert [x for _, x in sorted(zip(flat, at, strict=True))] == sorted(at)
