"""What differs between two datasets, against sets and counters of Python."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.shards import diff as module
from tokenizer.shards.diff import KINDS, diff
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.writer import write_manifest, write_shard

Document = tuple[int, int]  # content, tokens
DOCUMENTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), max_size=20)


def _write(folder: Path, documents: list[Document], shards: int = 1, **settings: Any) -> Path:
    """Each document's tokens are its two numbers and an end, whatever its content."""
    records = []
    for shard in range(shards):
        mine = documents[len(documents) * shard // shards : len(documents) * (shard + 1) // shards]
        meta = np.zeros(len(mine), META_DTYPE)
        meta["content_hash"] = np.array([bytes([content] * 16) for content, _ in mine] or b"", "V16")
        tokens = np.array([token for content, kind in mine for token in (content, kind, 9)], np.uint32)
        records.append(write_shard(folder, f"s-{shard}", tokens, np.arange(len(mine) + 1) * 3, meta))
    tokenizer = {"fingerprint": "0", "vocabulary_size": 10, "special_tokens": {}}
    write_manifest(folder, records, tokenizer=tokenizer, languages=["en"], domains=["web"], sources=["s"],
                   recipe=settings, parents=[])  # fmt: skip
    return folder


@pytest.mark.parametrize("passes", [1, 4])
@settings(max_examples=60, deadline=None)
@given(a=DOCUMENTS, b=DOCUMENTS)
def test_texts_are_told_apart_as_by_counting(
    tmp_path_factory: pytest.TempPathFactory, passes: int, a: list[Document], b: list[Document]
) -> None:
    folder = tmp_path_factory.mktemp("diff")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PASS_DOCUMENTS", 100 if passes == 1 else max(1, (len(a) + len(b)) // passes))
        found = diff(_write(folder / "a", a), _write(folder / "b", b, shards=2), samples=100)
    expected = dict.fromkeys(KINDS, 0)
    in_a, in_b = (Counter(content for content, _ in documents) for documents in (a, b))
    for content in {content for content, _ in a + b}:
        kinds_a, kinds_b = ({k for c, k in documents if c == content} for documents in (a, b))
        kind = ("only_a" if not kinds_b else "only_b" if not kinds_a else "tokens" if kinds_a != kinds_b
                else "copies" if in_a[content] != in_b[content] else "same")  # fmt: skip
        expected[kind] += 1
        [(_, row_a, row_b)] = [s for s in found.samples[kind] if s[0] == bytes([content] * 16).hex()]
        assert row_a == next((i for i, (c, _) in enumerate(a) if c == content), -1)
        assert row_b == next((i for i, (c, _) in enumerate(b) if c == content), -1)
    assert found.texts == expected
    assert found.same_documents == (Counter(a) == Counter(b) or in_a == in_b and not expected["tokens"])


def test_settings_that_differ_are_named_with_both_values(tmp_path: Path) -> None:
    documents = [(1, 0), (2, 1)]
    a = _write(tmp_path / "a", documents, seed=1, mixture={"web": 0.5, "code": 0.5})
    b = _write(tmp_path / "b", documents, seed=2, mixture={"web": 0.5, "math": 0.5})
    found = diff(a, b)
    assert found.settings == [
        ("recipe.mixture.code", 0.5, None), ("recipe.mixture.math", None, 0.5), ("recipe.seed", 1, 2),
    ]  # fmt: skip
    assert found.same_bytes and found.same_documents


def test_another_order_is_no_other_document(tmp_path: Path) -> None:
    documents = [(content, 0) for content in range(6)]
    found = diff(_write(tmp_path / "a", documents), _write(tmp_path / "b", documents[::-1]))
    assert found.same_documents and not found.same_bytes and found.texts["same"] == 6
