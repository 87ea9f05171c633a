"""Spans of units hold exactly the units that the scan has found."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.text.normalize import normalize
from curation.text.scan import Scanner
from curation.text.unit_spans import unit_spans

TEXTS = st.lists(
    st.one_of(st.text(max_size=30), st.text(alphabet="don't 我ひカタไทยเ่ក្ខမြန်👍\u0301-,. 12é", max_size=30)), max_size=6
)


def _spans(texts: list[str]) -> list[str]:
    column = pa.array(texts, pa.large_string())
    start, stop = unit_spans(column, Scanner().scan(column))
    data = "".join(texts).encode()
    return [data[a:b].decode() for a, b in zip(start, stop, strict=True)]


def test_units_of_a_few_scripts() -> None:
    assert _spans(["Don't, we say:", "", " 你好 e\u0301a ", "ไทย"]) == [
        "Don't",
        "we",
        "say",
        "你",
        "好",
        "e\u0301a",
        "ไท",
        "ย",
    ]


@settings(deadline=None)
@given(TEXTS)
def test_spans_follow_each_other_and_have_the_length_and_hash_of_their_unit(texts: list[str]) -> None:
    column = normalize(pa.array(texts, pa.large_string())).text
    scan = Scanner().scan(column)
    start, stop = unit_spans(column, scan)
    lengths, bounds, hashes = scan.unit_length.tolist(), scan.unit_bounds.tolist(), scan.unit_hash.tolist()
    documents = [text.encode() for text in column.to_pylist()]
    begins = [sum(map(len, documents[:d])) for d in range(len(documents) + 1)]
    data = b"".join(documents)
    assert (start[1:] >= stop[:-1]).all()
    for d in range(len(documents)):
        for unit in range(bounds[d], bounds[d + 1]):
            assert begins[d] <= start[unit] < stop[unit] <= begins[d + 1]
            assert len(data[start[unit] : stop[unit]].decode()) == lengths[unit]
    alone = Scanner().scan(pa.array([data[a:b].decode() for a, b in zip(start, stop, strict=True)], pa.large_string()))
    assert [alone.unit_hash[first] for first in alone.unit_bounds[:-1]] == hashes


def test_a_slice_counts_from_its_own_beginning() -> None:
    column = pa.array(["first text", "an other"], pa.large_string())[1:]
    start, stop = unit_spans(column, Scanner().scan(column))
    assert (start.tolist(), stop.tolist()) == ([0, 3], [2, 8])
