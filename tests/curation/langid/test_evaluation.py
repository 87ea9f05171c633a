"""Figures of language identification: equal to counting by hand, on any labels; codes of benchmarks are understood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.langid.evaluation import Texts, calibration_error, evaluate, language_code
from curation.languages import CODES


@pytest.mark.parametrize(
    "label, code",
    [("en", "en"), ("zho_Hans", "zh"), ("pt-BR", "pt"), ("__label__tgl", "tl"), ("fil", "tl"), ("zsm_Latn", "ms"),
     ("arb_Arab", "ar"), ("pes", "fa"), ("ceb", "ceb"), ("jav_Latn", "jav"), ("uk", "uk"), (" DE ", "de")],
)  # fmt: skip
def test_labels_of_benchmarks_become_our_codes(label: str, code: str) -> None:
    assert language_code(label) == code


LABELS = st.sampled_from(["en", "ms", "id", "jv", "und"])
ROWS = st.lists(st.tuples(LABELS, LABELS, st.floats(0, 1), st.integers(0, 1000)), min_size=1, max_size=60)


@given(ROWS)
def test_figures_are_those_of_plain_counting(rows: list[tuple[str, str, float, int]]) -> None:
    expected, found, probability, characters = map(list, zip(*rows, strict=True))
    figures = evaluate(Texts(expected, found, np.array(probability), np.array(characters)))
    by_length = {"short": range(50), "sentence": range(50, 500), "document": range(500, 1 << 20)}
    assert set(figures) == {"all"} | {name for name, r in by_length.items() if any(n in r for n in characters)}
    for name, got in figures.items():
        part = [row for row in rows if name == "all" or row[3] in by_length[name]]
        assert got["texts"] == len(part)
        assert set(got["languages"]) == {e for e, *_ in part} & set(CODES)
        f1s = []
        for code, row in got["languages"].items():
            right = sum(e == f == code for e, f, *_ in part)
            wanted, claimed = sum(e == code for e, *_ in part), sum(f == code for _, f, *_ in part)
            precision, recall = right / claimed if claimed else None, right / wanted
            assert (row["texts"], row["precision"], row["recall"]) == (wanted, precision, recall)
            f1s.append(2 * (precision or 0) * recall / ((precision or 0) + recall) if right else 0)
            assert np.isclose(row["f1"], f1s[-1])
            assert (row["calibration_error"] is None) == (claimed == 0)
        assert got["macro_f1"] is None if not f1s else np.isclose(got["macro_f1"], np.mean(f1s))
        others = [f for e, f, *_ in part if e not in CODES]
        assert got["out_of_set"] == len(others)
        rate = got["false_accept_rate"]
        assert rate is None if not others else np.isclose(rate, sum(f in CODES for f in others) / len(others))
        wrong = [(e, f) for e, f, *_ in part if e != f]
        assert sorted(got["confusions"]) == sorted((e, f, wrong.count((e, f))) for e, f in set(wrong))
        counts = [texts for *_, texts in got["confusions"]]
        assert counts == sorted(counts, reverse=True)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_error_is_that_of_its_definition(rows: list[tuple[float, bool]]) -> None:
    total = 0.0
    for bin_ in range(10):
        inside = [(p, r) for p, r in rows if min(int(p * 10), 9) == bin_]
        if inside:
            mean, share = (sum(values) / len(inside) for values in zip(*inside, strict=True))
            total += len(inside) * abs(mean - share)
    probability, right = map(np.array, zip(*rows, strict=True))
    assert np.isclose(calibration_error(probability, right), total / len(rows))
