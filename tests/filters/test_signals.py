"""Every counted signal against the oracle's counts, in its own language, and zero denominators."""

import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.languages import CODES
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters.signal_page import signals_page
from filters.signals import NAMES, SCHEMA, SIGNALS, Signal, SignalCounter
from tests.filters.reference import c4, counted, gopher_repetition, stop_words
from tests.oracles import clean_text, normalized

DEMO = Path(__file__).parents[2] / "recipes" / "demo"
SCANNER, COUNTER = Scanner(), SignalCounter()


def signals_of(texts: list[str], languages: list[str]) -> pa.RecordBatch:
    array = pa.array(texts, pa.large_string())
    return COUNTER.compute(array, SCANNER.scan(array), languages)


def check(texts: list[str], languages: list[str]) -> None:
    for text, language, row in zip(texts, languages, signals_of(texts, languages).to_pylist(), strict=True):
        expected = counted(text, language)
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-6), text


ILL_FORMED = [
    b"\x80",
    b"\xff",
    b"\xc3",
    b"\xe4\xb8",
    b"\xf0\x9f\x98",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf5\x80\x80\x80",
]
"""Continuations alone, cut characters, a surrogate, an overlong form and a byte past Unicode."""
raw_bytes = st.lists(st.one_of(st.sampled_from(ILL_FORMED), clean_text.map(str.encode)), max_size=5).map(b"".join)
LINES = ["Home | About", "A sentence, and its end.", "• item", "short", "", "", "词语", "wait..."]
repetitive = st.lists(st.sampled_from(LINES), max_size=15).map("\n".join)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.one_of(clean_text, repetitive), st.sampled_from([*CODES, "und", "code", "uk"])), max_size=4)
)
def test_signals_equal_the_oracle_on_random_text(rows: list[tuple[str, str]]) -> None:
    check([text for text, _ in rows], [language for _, language in rows])


def test_signals_equal_the_oracle_on_the_demo_corpus() -> None:
    rows = [json.loads(line) for name in ("original", "planted") for line in (DEMO / f"{name}.jsonl").open()][::4]
    check([normalized(row["text"]) for row in rows], [row["language"] for row in rows])


@settings(deadline=None, max_examples=150)
@given(st.lists(raw_bytes, min_size=1, max_size=4), st.integers(0, 2))
@example([b"\xe4\xb8", b"abc \xff", b"\x80\x80 text", b"end \xf0\x9f"], 1)
def test_ill_formed_bytes_at_the_edges_of_documents_and_batches_touch_no_other(rows: list[bytes], cut: int) -> None:
    """A document's signals are those of its repaired text, alone or between others, at the end of the buffer or not."""
    text = normalize(pa.array(rows, pa.large_binary())).text.slice(cut)
    repaired = [normalized(row.decode("utf-8", "replace")) for row in rows[cut:]]
    assert text.to_pylist() == repaired
    together = COUNTER.compute(text, SCANNER.scan(text), ["en"] * len(text))
    assert together.to_pylist() == [signals_of([alone], ["en"]).to_pylist()[0] for alone in repaired]


def test_english_values_equal_the_published_definitions() -> None:
    """Before they are rounded for storage: counts exactly, ratios to 1e-9."""
    rows = [json.loads(line) for name in ("original", "planted") for line in (DEMO / f"{name}.jsonl").open()]
    texts = [normalized(row["text"]) for row in rows if row["language"] == "en"][:60]
    array = pa.array(texts, pa.large_string())
    columns = COUNTER.columns(array, SCANNER.scan(array), ["en"] * len(texts))
    assert len(texts) >= 20
    for row, text in enumerate(texts):
        expected = counted(text, "en") | c4(text, "en") | gopher_repetition(text) | stop_words(text, "en")
        got = {name: float(columns[name][row]) for name in expected}
        assert got == pytest.approx(expected, rel=0, abs=1e-9)


def test_zero_denominators_give_zero() -> None:
    """Text without units, lines, letters or anything: every number is finite, every ratio of nothing 0."""
    texts = ["", " ", "\n\n", "!!!", "123", "#"]
    table = signals_of(texts, ["en"] * len(texts)).to_pylist()
    for row in table:
        assert all(math.isfinite(value) for value in row.values())
    full = {"compression_ratio", "hplt_numbers", "hplt_singular", "hplt_urls", "hplt_repeated"}
    assert {n: v for n, v in table[0].items() if v} == dict.fromkeys(full, 1.0)
    assert table[5]["hash_ratio"] == 0 and table[5]["punctuation_ratio"] == 1


def test_the_schema_lists_every_signal_once_with_its_source() -> None:
    assert SCHEMA.names == list(NAMES) and len(set(NAMES)) == len(NAMES)
    assert all(signal.unit and signal.definition and signal.source for signal in SIGNALS)
    assert signals_of(["a"], ["en"]).schema.equals(SCHEMA)
    assert signals_of([], []).num_rows == 0


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.versioned_name)
def test_the_worked_example_of_a_signal_holds(signal: Signal) -> None:
    assert signals_of([signal.example], ["en"]).column(signal.name)[0].as_py() == pytest.approx(signal.value, abs=1e-5)


def test_the_documentation_page_is_made_from_the_table() -> None:
    page = (DEMO.parents[1] / "docs" / "signals.md").read_text(encoding="utf-8")
    assert page == signals_page(), "run: glotmill signals --markdown > docs/signals.md"


def test_words_weigh_units_by_language() -> None:
    row = signals_of(["人" * 14] * 3, ["zh", "en", "und"]).column("words").to_pylist()
    assert row == pytest.approx([10, 14, 14])
