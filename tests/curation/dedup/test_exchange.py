"""Exchanges: every row comes out in its partition once, in the order of tasks and rows, whatever wrote it."""

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.dedup.exchange import Exchange

SCHEMA = pa.schema([("key", pa.uint64()), ("name", pa.string())])
rows = st.lists(
    st.tuples(st.integers(0, 99), st.one_of(st.none(), st.text(max_size=3)), st.integers(0, 3)), max_size=20
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=3))
def test_rows_come_out_where_they_were_sent(tmp_path_factory, tasks) -> None:
    exchange = Exchange(str(tmp_path_factory.mktemp("exchange")), SCHEMA, 4)
    for task, values in enumerate(tasks):
        assert not exchange.has(task)
        table = pa.Table.from_pylist([{"key": k, "name": n} for k, n, _ in values], schema=SCHEMA)
        exchange.write(task, table, np.array([p for *_, p in values], np.int64), {"rows": len(values)})
        assert exchange.has(task)
    for partition in range(4):
        found = exchange.read(partition, range(len(tasks)))
        expected = [{"key": k, "name": n} for values in tasks for k, n, p in values if p == partition]
        assert found.to_pylist() == expected
    assert exchange.facts(range(len(tasks))) == [{"rows": len(values)} for values in tasks]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=4))
def test_rounds_of_a_task_come_out_one_after_the_other(tmp_path_factory, rounds) -> None:
    exchange = Exchange(str(tmp_path_factory.mktemp("exchange")), SCHEMA, 4)
    exchange.write_rounds(
        0,
        (
            (pa.Table.from_pylist([{"key": k, "name": n} for k, n, _ in values], schema=SCHEMA),
             np.array([p for *_, p in values], np.int64))
            for values in rounds
        ),
    )  # fmt: skip
    for partition in range(4):
        expected = [{"key": k, "name": n} for values in rounds for k, n, p in values if p == partition]
        assert exchange.read(partition, [0]).to_pylist() == expected
