"""Units of work: all items in order, none larger than asked where it need not be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.parts import in_units


@given(st.lists(st.floats(0, 100)), st.floats(1, 200))
def test_units_hold_every_item_in_order_and_as_many_as_fit(sizes: list[float], most: float) -> None:
    units = in_units(enumerate(sizes), most)
    assert [item for unit in units for item in unit] == list(range(len(sizes)))
    for number, unit in enumerate(units):
        size = sum(sizes[item] for item in unit)
        assert size <= most or len(unit) == 1
        if number:
            before = sum(sizes[item] for item in units[number - 1])
            assert before + sizes[unit[0]] > most, "the first item had no room in the unit before"
