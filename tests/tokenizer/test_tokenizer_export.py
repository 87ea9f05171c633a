"""Exported files load in tokenizers, transformers and tiktoken with the same ids, and text survives the round trip."""

import base64
import hashlib
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from tokenizer.export import export, fingerprint, tokenizer_info
from tokenizer.pretokens import CONTROL_TOKENS, QWEN2_PATTERN, build_pipeline, pretokens

UNICODE_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)
HARD_CASES = [
    "",
    " leading and trailing ",
    "I've 12,345 <b>things</b>\r\n\r\n\tdone…",
    "混合 mixed טקסט נוסף",
    "हिन्दी ภาษาไทย ខ្មែរ မြန်မာ ລາວ",
    "👩‍👩‍👧‍👦 e\u0301 \u1100\u1161",
]


def _ranks(directory: Path) -> dict[bytes, int]:
    lines = (directory / "tokenizer.tiktoken").read_bytes().splitlines()
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}


def _merge_by_rank(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """tiktoken's rule: join the leftmost adjacent pair whose bytes have the lowest rank, until none has one."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while True:
        found = [(ranks[a + b], i) for i, (a, b) in enumerate(zip(parts, parts[1:], strict=False)) if a + b in ranks]
        if not found:
            return [ranks[part] for part in parts]
        _, i = min(found)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def test_tokenizers_loads_what_was_trained(trained: Tokenizer, exported: Path) -> None:
    assert Tokenizer.from_file(str(exported / "tokenizer.json")).to_str() == trained.to_str()


@settings(max_examples=200, deadline=None)
@given(UNICODE_TEXT)
def test_nfc_text_round_trips(trained: Tokenizer, text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert trained.decode(trained.encode(text).ids, skip_special_tokens=False) == text


def test_all_256_bytes_are_tokens(exported: Path) -> None:
    """Any byte string at all is a sequence of tokens: each byte has its own."""
    assert {bytes([byte]) for byte in range(256)} <= set(_ranks(exported))


def test_transformers_loads_equal_ids(trained: Tokenizer, exported: Path, sample: dict[str, str]) -> None:
    loaded = AutoTokenizer.from_pretrained(exported)
    assert type(loaded).__name__.startswith("Qwen2Tokenizer")
    assert len(loaded) == trained.get_vocab_size()
    assert loaded.get_vocab() == trained.get_vocab()
    assert (loaded.eos_token_id, loaded.pad_token_id) == (697, 697) and loaded.bos_token is None
    for text in [*sample.values(), *HARD_CASES, "a<|endoftext|>b<|im_start|>c"]:
        ids = loaded(text)["input_ids"]
        assert ids == trained.encode(text).ids
        if unicodedata.is_normalized("NFC", text):
            assert loaded.decode(ids) == text


def test_chat_template_is_chatml(exported: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(exported)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    chat = loaded.apply_chat_template(messages, tokenize=False)
    assert chat == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
    prompt = loaded.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


@settings(max_examples=100, deadline=None)
@given(UNICODE_TEXT)
def test_tiktoken_ranks_give_the_same_ids(trained: Tokenizer, exported: Path, text: str) -> None:
    """An independent encoder that knows only the ranks and the pattern agrees with ``tokenizers``."""
    ranks = _ranks(exported)
    ids = [i for piece in pretokens(text) for i in _merge_by_rank(piece.encode(), ranks)]
    assert ids == trained.encode(text).ids


def test_tiktoken_itself_agrees(trained: Tokenizer, exported: Path, sample: dict[str, str]) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    special = {token: trained.token_to_id(token) for token in CONTROL_TOKENS}
    encoding = tiktoken.Encoding(
        "ours", pat_str=QWEN2_PATTERN, mergeable_ranks=_ranks(exported), special_tokens=special
    )
    assert encoding.n_vocab == trained.get_vocab_size()
    for text in [*sample.values(), *HARD_CASES]:
        assert encoding.encode_ordinary(unicodedata.normalize("NFC", text)) == trained.encode(text).ids


def test_vocab_and_merges_rebuild_the_model(trained: Tokenizer, exported: Path, sample: dict[str, str]) -> None:
    """``vocab.json`` and ``merges.txt`` alone hold the whole model of regular tokens."""
    rebuilt = build_pipeline()
    rebuilt.model = type(rebuilt.model).from_file(str(exported / "vocab.json"), str(exported / "merges.txt"))
    vocabulary = json.loads((exported / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(vocabulary.values()) == list(range(697))
    for text in [*sample.values(), *HARD_CASES]:
        assert rebuilt.encode(text).ids == trained.encode(text).ids


def test_export_is_deterministic_and_has_a_fingerprint(trained: Tokenizer, exported: Path, tmp_path: Path) -> None:
    export(trained, tmp_path)
    names = sorted(path.name for path in exported.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((tmp_path / name).read_bytes() == (exported / name).read_bytes() for name in names)
    assert fingerprint(tmp_path) == hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest()
    assert tokenizer_info(tmp_path) == {
        "fingerprint": fingerprint(exported),
        "vocabulary_size": 700,
        "special_tokens": {"<|endoftext|>": 697, "<|im_start|>": 698, "<|im_end|>": 699},
    }


def test_foreign_tokenizers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks the control tokens"):
        export(build_pipeline(), tmp_path)
