"""Partitioned counting: the parts together are the table that one counter makes, however the work is cut up."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenizer.bpe import partitions
from tokenizer.bpe.back_off import back_off
from tokenizer.bpe.counts import GROUP_COLUMNS, PretokenCounter, merge
from tokenizer.bpe.partitions import PartitionedCounts
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN

GROUPS = [("en", "web"), ("en", "code"), ("ja", "web"), ("th", "web")]
DOCUMENT = st.tuples(
    st.sampled_from(GROUPS), st.lists(st.text(alphabet="ab 1\nกิท中日本語はé🙂", max_size=25), min_size=1, max_size=3)
)
TASKS = st.lists(st.lists(DOCUMENT, max_size=4), min_size=1, max_size=4)
Documents = list[tuple[tuple[str, str], list[str]]]


def columns(documents: Documents) -> list[tuple[tuple[str, str], pa.Array]]:
    return [(group, pa.array(texts, pa.large_string())) for group, texts in documents]


def counted_at_once(tasks: list[Documents], at_least: int) -> pa.Table:
    counter = PretokenCounter(MARKS_AS_LETTERS_PATTERN, GROUP_COLUMNS)
    for group, text in columns([document for documents in tasks for document in documents]):
        counter.add(text, group)
    return back_off(counter.table(), at_least)


def parts_of(counts: PartitionedCounts, order: list[int]) -> list[pa.Table]:
    """All steps after `count`, with the partitions in ``order``."""
    for round_ in counts.rounds:
        for partition in order:
            counts.cut(round_, partition)
    return [counts.part(partition) for partition in order]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tasks=TASKS, partitions_=st.integers(1, 5), at_least=st.integers(1, 4), spill=st.sampled_from([1, 20, 10_000]))
def test_the_parts_are_the_table_of_one_counter(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    tasks: list[Documents],
    partitions_: int,
    at_least: int,
    spill: int,
) -> None:
    monkeypatch.setattr(partitions, "SPILL_BYTES", spill)
    folder = str(tmp_path_factory.mktemp("counts"))
    counts = PartitionedCounts(folder, MARKS_AS_LETTERS_PATTERN, len(tasks), partitions_, at_least)
    for task, documents in reversed(list(enumerate(tasks))):
        counts.count(task, columns(documents))
    parts = parts_of(counts, list(reversed(range(partitions_))))
    assert merge(parts).equals(counted_at_once(tasks, at_least))
    pretokens = [set(part["pretoken"].to_pylist()) for part in parts]
    assert sum(map(len, pretokens)) == len(set().union(*pretokens)), "a pretoken lies in two parts"
    assert all(part.equals(merge([part])) for part in parts), "a part is not in the order of count tables"


def test_a_step_that_is_done_is_not_done_again(tmp_path) -> None:
    """Files stay as they are, so a killed job goes on with the next partition."""
    counts = PartitionedCounts(str(tmp_path / "counts"), MARKS_AS_LETTERS_PATTERN, 1, 2, 2)
    counts.count(0, columns([(("ja", "web"), ["日本語は日本語"]), (("en", "web"), ["a b a b"])]))
    assert counts.has(0)
    first = parts_of(counts, [0, 1])
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "counts").rglob("*.arrow")}
    again = parts_of(counts, [0, 1])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "counts").rglob("*.arrow")} == stamps
    assert [part.equals(other) for part, other in zip(first, again, strict=True)] == [True, True]
    counts.delete()
    assert not (tmp_path / "counts").exists()


def test_counts_beyond_32_bits_add_up(tmp_path) -> None:
    table = PretokenCounter(MARKS_AS_LETTERS_PATTERN, GROUP_COLUMNS)
    table.add_counted(pa.array([b"ab"], pa.large_binary()), np.array([2**40 + 1], np.uint64), ("en", "web"))
    counts = PartitionedCounts(str(tmp_path), MARKS_AS_LETTERS_PATTERN, 3, 1)
    for task in range(3):
        counts.add(task, table.table())
    assert counts.part(0)["count"].to_pylist() == [3 * (2**40 + 1)]
