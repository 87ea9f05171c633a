"""The encoder gives the ids of ``tokenizers``, and never a control token for anything a text says."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from tokenizer import compiled_encoder, encoding
from tokenizer.encoding import Encoder, plain_text_tokenizer
from tokenizer.pretokens import CONTROL_TOKENS, PATTERNS, build_pipeline

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
    monkeypatch.setattr(compiled_encoder, "CACHED_PRETOKENS", 50)
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


def _saved(tokenizer: Tokenizer, folder: Path) -> Encoder:
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CONTROL_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    return Encoder(folder / "tokenizer.json")


def _assert_exact(encoder: Encoder, tokenizer: Tokenizer, texts: list[str]) -> None:
    tokens, offsets = encoder.encode(_column(texts))
    plain = plain_text_tokenizer(tokenizer)
    for i, text in enumerate(texts):
        assert tokens[offsets[i] : offsets[i + 1]].tolist() == plain.encode(text).ids


def _model(trained: Tokenizer, *, every: int = 1, ignore_merges: bool = False) -> models.BPE:
    """The trained model without every so-manieth merge, so that some of its tokens cannot be reached."""
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(merge) for i, merge in enumerate(model["merges"]) if every == 1 or i % every]
    return models.BPE(model["vocab"], merges, ignore_merges=ignore_merges)


@pytest.mark.parametrize("ignore_merges", [False, True])
@pytest.mark.parametrize("every", [1, 3])
@settings(max_examples=20, deadline=None)
@given(texts=TEXTS)
def test_models_with_merges_missing(
    trained: Tokenizer, tmp_path_factory: pytest.TempPathFactory, every: int, ignore_merges: bool, texts: list[str]
) -> None:
    """Tokens that no merge leads to are used for whole pretokens if the model says so, and else never."""
    tokenizer = build_pipeline(_model(trained, every=every, ignore_merges=ignore_merges))
    encoder = _saved(tokenizer, tmp_path_factory.mktemp("missing"))
    assert encoder.compiled
    _assert_exact(encoder, tokenizer, [*texts, "the quick brown", "敏捷的棕色狐狸"])


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_all_patterns_with_and_without_a_normaliser(
    trained: Tokenizer, sample: dict[str, str], tmp_path: Path, pattern: str
) -> None:
    tokenizer = build_pipeline(_model(trained), pattern=pattern)
    for normalizer in (normalizers.NFC(), None):
        tokenizer.normalizer = normalizer
        encoder = _saved(tokenizer, tmp_path)
        assert encoder.compiled
        _assert_exact(encoder, tokenizer, [*sample.values(), "e\u0301 12345\n\n DON'T", SPELLED])


def test_gpt2_pre_tokenizer_is_compiled(trained: Tokenizer, sample: dict[str, str], tmp_path: Path) -> None:
    tokenizer = build_pipeline(_model(trained))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    encoder = _saved(tokenizer, tmp_path)
    assert encoder.compiled
    _assert_exact(encoder, tokenizer, [*sample.values(), SPELLED])


def _lower_case(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.Lowercase()


def _prefix_space(tokenizer: Tokenizer) -> None:
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)


def _words(tokenizer: Tokenizer) -> None:
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def _nothing(tokenizer: Tokenizer) -> None:
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([])


@pytest.mark.parametrize("change", [_lower_case, _prefix_space, _words, _nothing])
def test_other_pipelines_go_through_tokenizers(
    trained: Tokenizer, sample: dict[str, str], tmp_path: Path, change
) -> None:  # type: ignore[no-untyped-def]
    """A tokenizer that compiled code was not written for is still encoded exactly."""
    other = Tokenizer.from_str(trained.to_str())
    change(other)
    encoder = _saved(other, tmp_path)
    assert not encoder.compiled
    _assert_exact(encoder, other, [*sample.values(), SPELLED])


def test_other_models_go_through_tokenizers(tmp_path: Path) -> None:
    """Characters instead of bytes, and words."""
    characters = models.BPE({"<unk>": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")], unk_token="<unk>", byte_fallback=True)
    for model in (characters, models.WordLevel({"<unk>": 0, "ab": 1}, unk_token="<unk>")):
        tokenizer = build_pipeline(model)
        encoder = _saved(tokenizer, tmp_path)
        assert not encoder.compiled
        _assert_exact(encoder, tokenizer, ["ab abc", SPELLED])


def test_control_tokens_are_recognised_when_asked(encoder: Encoder, trained: Tokenizer) -> None:
    tokens, offsets = encoder.encode(_column([SPELLED, "x"]), append_end=True, allow_special=True)
    assert tokens[: offsets[1]].tolist() == [*trained.encode(SPELLED).ids, encoder.end_of_text]
    assert {697, 698, 699} < set(tokens.tolist())


def test_check_passes_silently(encoder: Encoder, sample: dict[str, str], recwarn: pytest.WarningsRecorder) -> None:
    assert encoder.check(_column(list(sample.values()))) and encoder.compiled
    assert encoder.check(pa.chunked_array([_column(["a"]), _column([])]))
    assert encoder.check(_column([])) and not recwarn.list


class _Wrong:
    """Encodes every text as one token 5."""

    def encode(self, data, offsets, end):  # type: ignore[no-untyped-def]
        return np.full(offsets.size - 1, 5, np.uint32), np.ones(offsets.size - 1, np.int64)


def test_a_difference_is_named_and_tokenizers_takes_over(exported: Path, trained: Tokenizer) -> None:
    encoder = Encoder(exported / "tokenizer.json")
    encoder._compiled = _Wrong()  # type: ignore[assignment]
    expected = trained.encode("the end").ids
    with pytest.warns(UserWarning, match=f"Text 0 of 1 .*: from token 0 on 5 instead of {expected[0]}.*'the end'"):
        assert not encoder.check(_column(["the end"]))
    assert not encoder.compiled
    assert encoder.encode(_column(["the end"]))[0].tolist() == expected


def test_text_that_is_not_utf8_is_refused(encoder: Encoder) -> None:
    """Compiled code would read beyond the text's end."""
    broken = pa.array([b"fine", b"bro\xe4"], pa.large_binary()).view(pa.large_string())
    with pytest.raises(ValueError, match="Invalid UTF8 sequence at string index 1"):
        encoder.encode(broken)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_survives_the_round_trip(encoder: Encoder, text: str) -> None:
    composed = normalizers.NFC().normalize_str(text)
    assert encoder.decode(encoder.encode(_column([text]))[0]) == composed


def test_tokenizer_without_an_end_token_is_refused(trained: Tokenizer, tmp_path: Path) -> None:
    plain_text_tokenizer(trained).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=r"has no token <\|endoftext\|>"):
        Encoder(tmp_path / "tokenizer.json")
