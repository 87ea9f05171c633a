"""A small multilingual sample, a tokenizer trained on it, and token datasets, shared by the tests of this folder."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tests.small_tokenizer import small_tokenizer
from tokenizer.export import export
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.writer import write_manifest, write_shard

SAMPLE = {
    "en": "The quick brown fox doesn't jump over 12 lazy dogs; they've seen it all before, and we'll go again.\n\n",
    "de": "Die Straßenbahn fährt heute über die große Brücke, weil der Bahnhof geschlossen ist.\n",
    "zh": "敏捷的棕色狐狸跳过了懒惰的狗。今天天气很好，我们去公园散步吧！\n",
    "ja": "素早い茶色の狐がのろまな犬を飛び越える。今日はとても良い天気ですね。\n",
    "ko": "빠른 갈색 여우가 게으른 개를 뛰어넘는다. 오늘 날씨가 아주 좋습니다.\n",
    "ar": "الثعلب البني السريع يقفز فوق الكلب الكسول. الطقس جميل جدًا اليوم.\n",
    "hi": "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है। आज मौसम बहुत अच्छा है।\n",
    "th": "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ วันนี้อากาศดีมาก\n",
    "vi": "Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng. Hôm nay trời đẹp quá.\n",
    "code": "def f(x):\n    if x > 0:\n\t\treturn x ** 2  # comment\n    return [i for i in range(100)]\r\n",
}


@pytest.fixture(scope="session")
def sample() -> dict[str, str]:
    return SAMPLE


@pytest.fixture(scope="session")
def trained(sample: dict[str, str]) -> Tokenizer:
    """700 tokens, reached exactly."""
    return small_tokenizer([text * 3 for text in sample.values()], 700)


@pytest.fixture(scope="session")
def exported(trained: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    export(trained, directory)
    return directory


@dataclass
class Dataset:
    """Tokens of some documents, and how to write them as shards."""

    tokens: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    meta: NDArray[np.void]
    vocabulary_size: int = 60_000

    def write(self, directory: Path, shards: int = 3, dtype: str = "uint32") -> dict[str, Any]:
        """Write the documents in ``shards`` shards of about equal numbers; returns the manifest."""
        borders = np.linspace(0, self.meta.size, shards + 1).astype(int)
        records = []
        for i, (first, stop) in enumerate(pairwise(borders)):
            offsets = self.offsets[first : stop + 1]
            records.append(
                write_shard(
                    directory,
                    f"train-{i:05d}",
                    self.tokens[offsets[0] : offsets[-1]],
                    offsets - offsets[0],
                    self.meta[first:stop],
                    dtype=dtype,
                )
            )
        return write_manifest(
            directory,
            records,
            tokenizer={"fingerprint": "0" * 64, "vocabulary_size": self.vocabulary_size, "special_tokens": {}},
            languages=["en", "zh", "de"],
            domains=["web", "code"],
            sources=["crawl"],
            recipe={"seed": 7},
            parents=["curated-fingerprint"],
        )


def make_dataset(lengths: list[int], seed: int = 0) -> Dataset:
    """Random tokens below 60,000 and random meta for documents of these lengths."""
    generator = np.random.default_rng(seed)
    meta = np.zeros(len(lengths), META_DTYPE)
    meta["address"] = generator.integers(0, 2**63, len(lengths))
    meta["content_hash"] = np.frombuffer(generator.bytes(16 * len(lengths)), "V16")
    meta["utf8_bytes"] = 4 * np.array(lengths, np.uint64)
    meta["language"] = generator.integers(0, 3, len(lengths))
    meta["domain"] = generator.integers(0, 2, len(lengths))
    meta["tier"] = generator.integers(0, 5, len(lengths))
    tokens = generator.integers(0, 60_000, sum(lengths), np.uint32)
    return Dataset(tokens, np.cumsum([0, *lengths], dtype=np.int64), meta)


@pytest.fixture
def dataset() -> Dataset:
    """2.4 MB of uint32 tokens in 240 documents, some of them empty; three blocks in one shard, one each in three."""
    lengths = np.random.default_rng(1).integers(0, 5_000, 240)
    lengths[[0, 100, 101, 239]] = 0
    return make_dataset(lengths.tolist())
