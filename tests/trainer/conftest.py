"""Shards held in memory, a byte-level tokenizer for them, and tiny models."""

import hashlib
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trainer.config import TrainConfig  # noqa: E402
from trainer.model import Qwen2Config  # noqa: E402

END = 256  # <|endoftext|> of the byte-level tokenizer
META = np.dtype(
    [("language", "u2"), ("domain", "u2"), ("source", "u2"), ("utf8_bytes", "u8"), ("address", "u8"), ("hash", "V16")]
)


@dataclass(frozen=True)
class MemorySource:
    """A `TokenSource` without files: documents are (language, domain, tokens, UTF-8 bytes)."""

    documents: tuple[tuple[str, str, tuple[int, ...], int], ...]
    vocab_size: int = END + 1
    end_of_text: int = END

    @property
    def languages(self) -> list[str]:
        return sorted({language for language, _, _, _ in self.documents})

    @property
    def domains(self) -> list[str]:
        return sorted({domain for _, domain, _, _ in self.documents})

    @property
    def num_documents(self) -> int:
        return len(self.documents)

    @property
    def num_tokens(self) -> int:
        return int(self.document_offsets[-1])

    @property
    def document_offsets(self) -> np.ndarray:
        return np.cumsum([0, *(len(tokens) for _, _, tokens, _ in self.documents)], dtype=np.int64)

    @property
    def meta(self) -> np.ndarray:
        records = np.zeros(self.num_documents, dtype=META)
        for record, (language, domain, _, size) in zip(records, self.documents, strict=True):
            record["language"] = self.languages.index(language)
            record["domain"] = self.domains.index(domain)
            record["utf8_bytes"] = size
        return records

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self.documents).encode()).hexdigest()[:16]

    @property
    def manifest(self) -> dict[str, Any]:
        special = {"<|endoftext|>": self.end_of_text}
        return {"tokenizer": {"fingerprint": "bytes", "vocabulary_size": self.vocab_size, "special_tokens": special}}

    def read(self, start: int, stop: int) -> np.ndarray:
        tokens = np.concatenate([np.array(tokens, dtype=np.uint32) for _, _, tokens, _ in self.documents])
        return tokens[start:stop]


def as_bytes(text: str) -> tuple[int, ...]:
    return (*text.encode(), END)


@pytest.fixture
def source_of():
    """Makes a source from (language, domain, text) triples, one byte per token."""

    def make(*documents: tuple[str, str, str]) -> MemorySource:
        return MemorySource(
            tuple((language, domain, as_bytes(text), len(text.encode())) for language, domain, text in documents)
        )

    return make


@pytest.fixture(scope="session")
def memory_source():
    """The class itself, for sources with another tokenizer."""
    return MemorySource


@pytest.fixture
def corpus(source_of):
    """Makes a source of `count` random documents in three languages and two domains."""

    def make(count: int, seed: int) -> MemorySource:
        generator = random.Random(seed)
        words = {"en": ["the ", "mill ", "turns "], "ru": ["мельница ", "и "], "th": ["โรงสี", "ข้าว"]}
        documents = []
        for number in range(count):
            language = ("en", "ru", "th")[number % 3]
            text = "".join(generator.choices(words[language], k=generator.randint(1, 9)))
            documents.append((language, generator.choice(["web", "code"]), text))
        return source_of(*documents)

    return make


@pytest.fixture
def tiny_model() -> Qwen2Config:
    return Qwen2Config(
        vocab_size=260,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )


@pytest.fixture
def tiny_run(tiny_model) -> TrainConfig:
    return TrainConfig(
        model=tiny_model,
        sequence_length=24,
        batch_size=4,
        steps=10,
        learning_rate=0.01,
        warmup_steps=2,
        checkpoint_every=5,
        evaluate_every=5,
        evaluate_documents=4,
        device="cpu",
    )


@pytest.fixture(autouse=True)
def one_thread():
    """Tests run beside each other; more threads would only make them wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
