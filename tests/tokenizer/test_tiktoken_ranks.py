"""Ranks files: read and written, and tokenizers made of them against tiktoken's rule."""

import base64
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from tokenizer.encoding import plain_text_tokenizer
from tokenizer.pretokens import PATTERNS, QWEN2_PATTERN, build_pipeline, pretokens
from tokenizer.tiktoken_ranks import obstacle, ranks_of, read_ranks, tokenizer_of_ranks, write_ranks

BYTES = {bytes([byte]): byte for byte in range(256)}


def join_by_rank(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """tiktoken's rule: join the leftmost adjacent pair whose bytes have the lowest rank, until none has one."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while piece not in ranks:
        found = [(ranks[a + b], i) for i, (a, b) in enumerate(zip(parts, parts[1:], strict=False)) if a + b in ranks]
        if not found:
            return [ranks[part] for part in parts]
        _, i = min(found)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return [ranks[piece]]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_tokenizer_of_ranks_is_the_one_they_came_from(trained: Tokenizer, text: str) -> None:
    again = tokenizer_of_ranks(ranks_of(trained), QWEN2_PATTERN)
    assert again.encode(text).ids == plain_text_tokenizer(trained).encode(text).ids


TOKENS = st.lists(st.text(alphabet="ab", min_size=2, max_size=5), unique=True, max_size=12)


@settings(max_examples=200, deadline=None)
@given(TOKENS, st.text(alphabet="ab ", max_size=30))
def test_any_ranks_at_all_follow_the_rule_of_tiktoken(tokens: list[str], text: str) -> None:
    """Also ranks that no merges lead to, which tiktoken reaches only as a whole pretoken."""
    ranks = BYTES | {token.encode(): 256 + i for i, token in enumerate(tokens)}
    expected = [i for piece in pretokens(text) for i in join_by_rank(piece.encode(), ranks)]
    assert tokenizer_of_ranks(ranks, QWEN2_PATTERN).encode(text).ids == expected


@pytest.mark.parametrize("name", PATTERNS)
def test_tiktoken_itself_agrees(name: str, sample: dict[str, str], trained: Tokenizer) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = ranks_of(trained)
    theirs = tiktoken.Encoding("ours", pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens={})
    ours = tokenizer_of_ranks(ranks, PATTERNS[name])
    for text in [*sample.values(), "12345 isn't\r\n\r\n  CamelCase  x\n"]:
        assert ours.encode(text).ids == theirs.encode_ordinary(unicodedata.normalize("NFC", text))


def test_files_come_back_as_they_were_written(trained: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(write_ranks(ranks_of(trained)))
    assert read_ranks(str(path)) == ranks_of(trained) and len(ranks_of(trained)) == 697


@pytest.mark.parametrize("line", ["YQ==", "YQ== x", "?? 3", "YQ== 1 2"])
def test_lines_that_are_no_ranks_are_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_text(f"Yg== 0\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2: .* is not 'base64 rank'"):
        read_ranks(str(path))


def test_all_bytes_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_text(base64.b64encode(b"\x00").decode() + " 0\n")
    with pytest.raises(ValueError, match="no rank for 255 of the 256 bytes"):
        read_ranks(str(path))


def test_ids_out_of_the_order_of_merges_are_an_obstacle(trained: Tokenizer) -> None:
    assert obstacle(trained) is None
    letters = {chr(256 + i) if i < 33 else chr(i): i for i in range(33, 127)}
    swapped = models.BPE(letters | {"ab": 201, "abc": 200}, [("a", "b"), ("ab", "c")])
    assert "merge 1 ('ab' + 'c') has id 200, which does not come after id 201" in str(obstacle(build_pipeline(swapped)))
