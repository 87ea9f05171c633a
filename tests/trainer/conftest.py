"""Small shards on disk, a byte-level tokenizer for them, and tiny models."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizer.shards.format import META_DTYPE  # noqa: E402
from tokenizer.shards.reader import ShardSet, open_shards  # noqa: E402
from tokenizer.shards.writer import write_manifest, write_shard  # noqa: E402
from trainer.config import TrainConfig  # noqa: E402
from trainer.model import Qwen2Config  # noqa: E402

END = 256  # <|endoftext|> of the byte-level tokenizer
Document = tuple[str, str, Sequence[int], int]  # language, domain, tokens, UTF-8 bytes


def write_documents(
    directory: Path, documents: Sequence[Document], vocab_size: int = END + 1, end_of_text: int | None = END, parts=2
) -> ShardSet:
    """The documents as a token dataset of `parts` shards."""
    languages = sorted({language for language, _, _, _ in documents})
    domains = sorted({domain for _, domain, _, _ in documents})
    records = []
    for part in range(parts):
        first, last = (len(documents) * i // parts for i in (part, part + 1))
        meta = np.zeros(last - first, META_DTYPE)
        chosen = documents[first:last]
        for record, (language, domain, _, size) in zip(meta, chosen, strict=True):
            record["language"], record["domain"] = languages.index(language), domains.index(domain)
            record["utf8_bytes"] = size
        offsets = np.cumsum([0, *(len(tokens) for _, _, tokens, _ in chosen)], dtype=np.int64)
        tokens = np.array([token for _, _, tokens, _ in chosen for token in tokens], np.uint32)
        records.append(write_shard(directory, f"part-{part}", tokens, offsets, meta))
    special = {} if end_of_text is None else {"<|endoftext|>": end_of_text}
    tokenizer = {"fingerprint": "bytes", "vocabulary_size": vocab_size, "special_tokens": special}
    tables = {"languages": languages, "domains": domains, "sources": ["test"]}
    write_manifest(directory, records, tokenizer=tokenizer, **tables, recipe={}, parents=[])
    return open_shards(directory)


def as_bytes(text: str) -> tuple[int, ...]:
    return (*text.encode(), END)


@pytest.fixture(scope="session")
def shards_of(tmp_path_factory) -> Callable[..., ShardSet]:
    """Makes a dataset from (language, domain, tokens, UTF-8 bytes) documents; options as `write_documents`."""

    def make(documents: Sequence[Document], **options) -> ShardSet:
        return write_documents(tmp_path_factory.mktemp("shards"), documents, **options)

    return make


@pytest.fixture(scope="session")
def source_of(shards_of) -> Callable[..., ShardSet]:
    """Makes a dataset from (language, domain, text) triples, one byte per token."""

    def make(*documents: tuple[str, str, str]) -> ShardSet:
        return shards_of(
            [(language, domain, as_bytes(text), len(text.encode())) for language, domain, text in documents]
        )

    return make


@pytest.fixture(scope="session")
def corpus(source_of) -> Callable[[int, int], ShardSet]:
    """Makes a dataset of `count` random documents in three languages and two domains."""

    def make(count: int, seed: int) -> ShardSet:
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
