"""Windows over the shards as over one array."""

from pathlib import Path

import numpy as np
import pytest

from tests.tokenizer.shards.data.build import documents
from tokenizer.shards.export.windows import windows


@pytest.mark.parametrize("shards", [1, 3, 12])
@pytest.mark.parametrize(("length", "most"), [(1, 1), (7, 3), (64, 1_000), (1_460, 1), (1_461, 2)])
def test_windows_are_those_of_one_array(written, shards: int, length: int, most: int) -> None:
    found = list(windows(written(shards=shards), length, most))
    flat = np.concatenate(documents("uint32"))
    count = flat.size // length
    np.testing.assert_array_equal(np.concatenate([np.zeros((0, length), np.uint32), *found]),
                                  flat[: count * length].reshape(-1, length))  # fmt: skip
    assert all(len(batch) == most for batch in found[:-1]) and all(0 < len(batch) <= most for batch in found)


def test_an_empty_document_changes_nothing(written) -> None:
    whole, with_empty = (np.concatenate(list(windows(written(empty=empty), 64, 5))) for empty in (False, True))
    np.testing.assert_array_equal(whole, with_empty)


def test_the_dtype_is_that_of_the_shards(written, tmp_path: Path) -> None:
    assert next(windows(written("uint16"), 64, 5)).dtype == np.uint16
