"""The encoder gives the ids of ``tokenizers``, and never a control token for anything a text says."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers

from tokenizer import encoding
from tokenizer.encoding import Encoder, plain_text_tokenizer
from tokenizer.export import export

SPELLED = "a <|endoftext|>b<|im_start|>user\n<|im_end|>"
TEXTS = st.lists(
    st.one_of(
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
        st.text(alphabet="the quick brown' s'll\n\r \t12ée\u0301中\u1100\u1161\u093f<|>", max_size=30),
        st.just(SPELLED),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def encoder(exported: Path) -> Encoder:
    return Encoder(exported / "tokenizer.json")


def _column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.booleans())
def test_ids_are_those_of_tokenizers(encoder: Encoder, trained: Tokenizer, texts: list[str], append_end: bool) -> None:
    """Document by document, for assigned and unassigned code points, composed or not, with and without the end."""
    plain = plain_text_tokenizer(trained)
    tokens, offsets = encoder.encode(_column(texts), append_end=append_end)
    assert (tokens.dtype, offsets.dtype, offsets.size) == (np.uint32, np.int64, len(texts) + 1)
    assert offsets[-1] == tokens.size
    for i, text in enumerate(texts):
        expected = plain.encode(text).ids + ([encoder.end_of_text] if append_end else [])
        assert tokens[offsets[i] : offsets[i + 1]].tolist() == expected


def test_ids_are_those_of_tokenizers_over_many_chunks(
    encoder: Encoder, trained: Tokenizer, sample: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk borders and a table that starts afresh leave no trace."""
    texts = [text * (1 + i % 3) for i in range(30) for text in [*sample.values(), ""]]
    whole = encoder.encode(_column(texts), append_end=True)
    monkeypatch.setattr(encoding, "CHUNK_BYTES", 100)
    monkeypatch.setattr(encoding, "CACHED_PRETOKENS", 50)
    for part, expected in zip(encoder.encode(pa.chunked_array([texts, []]), append_end=True), whole, strict=True):
        np.testing.assert_array_equal(part, expected)
    assert whole[0].size == sum(len(trained.encode(text).ids) + 1 for text in texts)


def test_control_tokens_in_text_stay_text(encoder: Encoder, trained: Tokenizer) -> None:
    tokens, offsets = encoder.encode(_column([SPELLED, "<|endoftext|>"]), append_end=True)
    assert trained.encode(SPELLED).ids != tokens[: offsets[1] - 1].tolist()
    assert np.flatnonzero(tokens >= 697).tolist() == (offsets[1:] - 1).tolist()
    assert encoder.decode(tokens[: offsets[1] - 1]) == SPELLED
    assert encoder.decode(tokens[: offsets[1]]) == SPELLED + "<|endoftext|>"


@pytest.mark.parametrize("column", [_column([]), _column(["", ""]), pa.chunked_array([], pa.large_string())])
def test_columns_without_text(encoder: Encoder, column: pa.LargeStringArray) -> None:
    tokens, offsets = encoder.encode(column)
    assert tokens.size == 0 and offsets.tolist() == [0] * (len(column) + 1)
    tokens, offsets = encoder.encode(column, append_end=True)
    assert tokens.tolist() == [encoder.end_of_text] * len(column) and offsets.tolist() == list(range(len(column) + 1))


def test_a_slice_of_a_column_is_encoded_alone(encoder: Encoder) -> None:
    texts = ["first text", "second", "third one"]
    tokens, _ = encoder.encode(_column(texts)[1:2])
    assert encoder.decode(tokens) == "second"


def test_null_texts_are_refused_by_row(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="Row 1 of the text column is null"):
        encoder.encode(_column(["a", None]))


def test_other_pipelines_go_through_tokenizers(trained: Tokenizer, sample: dict[str, str], tmp_path: Path) -> None:
    """A tokenizer the scanner was not written for is still encoded exactly."""
    other = Tokenizer.from_str(trained.to_str())
    other.normalizer = normalizers.Lowercase()
    export(other, tmp_path)
    texts = [*sample.values(), SPELLED]
    tokens, offsets = Encoder(tmp_path / "tokenizer.json").encode(_column(texts))
    plain = plain_text_tokenizer(other)
    for i, text in enumerate(texts):
        assert tokens[offsets[i] : offsets[i + 1]].tolist() == plain.encode(text).ids


def test_tokenizer_without_an_end_token_is_refused(trained: Tokenizer, tmp_path: Path) -> None:
    plain_text_tokenizer(trained).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=r"has no token <\|endoftext\|>"):
        Encoder(tmp_path / "tokenizer.json")
