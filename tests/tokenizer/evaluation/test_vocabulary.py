"""Scripts, broken, unused and unreachable tokens of a vocabulary made by hand."""

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from tokenizer.evaluation.subject import Subject, subject_of
from tokenizer.evaluation.vocabulary import EXAMPLES, audit, token_scripts

TOKENS = (
    b"", b"a", b"\xc3", b" the", "слово".encode(), b"12", "中a".encode(), "é\u0301".encode(), b"\xe4\xb8",
    b"\x80\x80", b"\xad\xe4", "。".encode() + b"\xe4", "ひカ".encode(), "ελ".encode(),
)  # fmt: skip


def _encode(texts: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """Every text is one token of those above, but " the", which is two."""
    ids = [[1, 1] if text == " the" else [TOKENS.index(text.encode())] for text in texts.to_pylist()]
    return np.array([i for one in ids for i in one], np.uint32), np.cumsum([0, *map(len, ids)])


@pytest.fixture
def subject() -> Subject:
    return Subject("by hand", _encode, TOKENS)


def test_scripts_of_tokens(subject: Subject) -> None:
    """Letters and marks decide; one byte of a character is a byte, other bytes that are no characters are broken."""
    assert token_scripts(subject).tolist() == [
        "", "Latn", "byte", "Latn", "Cyrl", "none", "mixed", "Latn", "broken",
        "broken", "broken", "broken", "Kana", "other",
    ]  # fmt: skip


def test_figures_of_the_vocabulary(subject: Subject) -> None:
    used = np.array([7, 0, 1, 2, 0, 5, 0, 0, 1, 0, 0, 1, 9, 0])
    found = audit(subject, used)
    assert (found["vocabulary_size"], found["regular_tokens"], found["longest_token_bytes"]) == (14, 13, 10)
    assert found["scripts"]["Latn"] == {"tokens": 3, "share": 3 / 13, "text_share": 2 / 26}
    assert sum(script["tokens"] for script in found["scripts"].values()) == 13
    assert found["broken"] == {"bytes": 1, "parts": 2, "crossing": 2, "text_share": 3 / 26}
    assert found["unused"]["tokens"] == 6 and found["unused"]["examples"][0] == "слово"
    assert found["rare"]["tokens"] == 9 and found["rare"]["share"] == 9 / 13
    assert found["unreachable"] == {"tokens": 1, "share": 1 / 13, "examples": [" the"]}


def test_a_trained_tokenizer_reaches_all_its_tokens(trained: Tokenizer) -> None:
    found = audit(subject_of(trained), np.zeros(700, np.int64))
    assert found["unreachable"]["tokens"] == 0 and found["broken"]["bytes"] == 128
    assert found["unused"]["tokens"] == 697 - 256 and len(found["unused"]["examples"]) == EXAMPLES
