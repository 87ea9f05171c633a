"""Exported files load in tokenizers, transformers and tiktoken with the same ids, and text survives the round trip."""

import hashlib
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.extension import extended, vocabulary_of
from tokenizer.bpe.trainer import train
from tokenizer.control_tokens import QWEN2_FIRST_CONTROL_ID, special_tokens
from tokenizer.export import RANKS_FILE, TRANSFORMERS_FILES, copy_beside_model, export, fingerprint, tokenizer_info
from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import CONTROL_TOKENS, MARKS_AS_LETTERS_PATTERN, QWEN2_PATTERN, build_pipeline
from tokenizer.tiktoken_ranks import read_ranks, tokenizer_of_ranks

UNICODE_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)
HARD_CASES = [
    "",
    " leading and trailing ",
    "I've 12,345 <b>things</b>\r\n\r\n\tdone…",
    "混合 mixed טקסט נוסף",
    "हिन्दी ภาษาไทย ខ្មែរ မြန်မာ ລາວ",
    "👩‍👩‍👧‍👦 e\u0301 \u1100\u1161",
]


def test_tokenizers_loads_what_was_trained(trained: Tokenizer, exported: Path) -> None:
    assert Tokenizer.from_file(str(exported / "tokenizer.json")).to_str() == trained.to_str()


@settings(max_examples=200, deadline=None)
@given(UNICODE_TEXT)
def test_nfc_text_round_trips(trained: Tokenizer, text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert trained.decode(trained.encode(text).ids, skip_special_tokens=False) == text


def test_all_256_bytes_are_tokens(exported: Path) -> None:
    """Any byte string at all is a sequence of tokens: each byte has its own."""
    assert {bytes([byte]) for byte in range(256)} <= set(read_ranks(str(exported / RANKS_FILE)))


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


def test_tiktoken_itself_agrees(trained: Tokenizer, exported: Path, sample: dict[str, str]) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    special = {token: trained.token_to_id(token) for token in CONTROL_TOKENS}
    encoding = tiktoken.Encoding(
        "ours", pat_str=QWEN2_PATTERN, mergeable_ranks=read_ranks(str(exported / RANKS_FILE)), special_tokens=special
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


@pytest.fixture(scope="module")
def marks(sample: dict[str, str]) -> Tokenizer:
    """Marks as letters, and control tokens from id 1000 on."""
    counter = PretokenCounter(MARKS_AS_LETTERS_PATTERN)
    counter.add(pa.array([text * 3 for text in sample.values()], pa.large_string()))
    vocabulary = train(counter.table(), 600)
    return vocabulary.tokenizer(pattern=MARKS_AS_LETTERS_PATTERN, special_tokens=special_tokens(600, 1000))


@pytest.mark.parametrize("beside_a_model", [False, True])
def test_transformers_keeps_another_pattern(
    marks: Tokenizer, sample: dict[str, str], tmp_path: Path, beside_a_model: bool
) -> None:
    """Its Qwen2Tokenizer would cut by Qwen2's own pattern; a model of type qwen2 beside it must not bring that back."""
    export(marks, tmp_path)
    folder = tmp_path / "model" if beside_a_model else tmp_path
    if beside_a_model:
        copy_beside_model(str(tmp_path), str(folder))
        (folder / "config.json").write_text('{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}')
    loaded = AutoTokenizer.from_pretrained(folder)
    assert loaded.get_vocab() == marks.get_vocab() and loaded.eos_token_id == 1000
    for text in [*sample.values(), *HARD_CASES]:
        assert loaded(text)["input_ids"] == marks.encode(text).ids


def test_beside_a_model_files_of_the_class_that_transformers_takes_are_copied_as_they_are(
    exported: Path, marks: Tokenizer, tmp_path: Path
) -> None:
    """For another class, trusting remote code ends in an error, never in ids of another pattern."""
    copy_beside_model(str(exported), str(tmp_path / "qwen2"))
    for name in TRANSFORMERS_FILES:
        assert (tmp_path / "qwen2" / name).read_bytes() == (exported / name).read_bytes()
    export(marks, tmp_path / "marks")
    copy_beside_model(str(tmp_path / "marks"), str(tmp_path / "model"))
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(OSError, match="load_without_trust_remote_code"):
        AutoTokenizer.from_pretrained(tmp_path / "model", trust_remote_code=True)


def test_control_tokens_stand_where_they_are_asked_for(marks: Tokenizer, tmp_path: Path) -> None:
    """Reserved tokens fill the ids before them, so that no library and no model counts fewer than there are."""
    assert [marks.token_to_id(token) for token in CONTROL_TOKENS] == [1000, 1001, 1002]
    assert [marks.id_to_token(id_) for id_ in (600, 999)] == ["<|reserved_0|>", "<|reserved_399|>"]
    export(marks, tmp_path)
    assert tokenizer_info(tmp_path)["vocabulary_size"] == 1003 == marks.get_vocab_size()
    ranks = read_ranks(str(tmp_path / RANKS_FILE))
    assert sorted(ranks.values()) == list(range(600))
    assert set(json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8")).values()) == set(ranks.values())


def test_special_tokens_by_the_first_free_id() -> None:
    assert special_tokens(QWEN2_FIRST_CONTROL_ID, QWEN2_FIRST_CONTROL_ID) == CONTROL_TOKENS == special_tokens(5)
    assert special_tokens(3, 5) == ("<|reserved_0|>", "<|reserved_1|>", *CONTROL_TOKENS)
    with pytest.raises(ValueError, match="regular tokens have the ids up to 151,643"):
        special_tokens(QWEN2_FIRST_CONTROL_ID + 1, QWEN2_FIRST_CONTROL_ID)


def test_an_extended_vocabulary_keeps_its_ids_in_every_format(trained: Tokenizer, tmp_path: Path) -> None:
    """Ids 697 to 699 are the control tokens of the base; new tokens come after them."""
    counter = PretokenCounter()
    counter.add(pa.array(["wholly different words, differently worded " * 9], pa.large_string()))
    longer = train(counter.table(), 715, base=vocabulary_of(trained), first_new_id=vocabulary_size(trained))
    tokenizer = extended(trained, longer)
    export(tokenizer, tmp_path)
    ranks = read_ranks(str(tmp_path / RANKS_FILE))
    assert list(ranks.values()) == [*range(697), *range(700, 718)] == sorted(longer.id_of_position)
    assert tokenizer_info(tmp_path)["vocabulary_size"] == 718
    text = "wholly different words, differently worded <|im_end|> 混合"
    assert AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == tokenizer.encode(text).ids
    plain = tokenizer.encode("wholly different").ids
    assert tokenizer_of_ranks(ranks, QWEN2_PATTERN).encode("wholly different").ids == plain and max(plain) > 699


def test_ids_that_are_no_ranks_are_left_out_with_a_warning(trained: Tokenizer, tmp_path: Path) -> None:
    export(trained, tmp_path)
    settings_ = json.loads(trained.to_str())
    vocabulary = settings_["model"]["vocab"]
    last, before = (token for token, id_ in vocabulary.items() if id_ in (695, 696))
    vocabulary[last], vocabulary[before] = vocabulary[before], vocabulary[last]
    with pytest.warns(UserWarning, match="tokenizer.tiktoken is not written: merge 440"):
        export(Tokenizer.from_str(json.dumps(settings_)), tmp_path)
    assert not (tmp_path / RANKS_FILE).exists()


def test_ids_may_be_left_out_before_the_control_tokens(sample: dict[str, str], tmp_path: Path) -> None:
    """The vocabulary size is one more than the largest id, not the number of tokens."""
    counter = PretokenCounter()
    counter.add(pa.array([text * 3 for text in sample.values()], pa.large_string()))
    tokenizer = train(counter.table(), 600).tokenizer(special_tokens=CONTROL_TOKENS, first_special_id=1000)
    export(tokenizer, tmp_path)
    assert tokenizer_info(tmp_path)["vocabulary_size"] == 1003 and len(read_ranks(str(tmp_path / RANKS_FILE))) == 600
    text = "".join(sample.values()) + "<|im_end|>"
    assert AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == tokenizer.encode(text).ids
