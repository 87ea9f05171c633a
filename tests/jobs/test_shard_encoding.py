"""The shard job checks its encoder on text of every language and domain, and falls back on ``tokenizers``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from curation.dataset import Job
from curation.recipe import Recipe
from jobs import progress
from jobs.encode import EncodeUnit, Tables, say_if_slow
from tests.small_tokenizer import small_tokenizer
from tokenizer.export import export
from tokenizer.pretokens import CONTROL_TOKENS, build_pipeline

LANGUAGES = {"en": "the mill by the river", "de": "grain and water"}
TEXTS = list(LANGUAGES.values())


class WrongOnce:
    """Encodes as the compiled encoder does, but for one text."""

    def __init__(self, right, wrong: str) -> None:
        self._right, self._wrong = right, wrong.encode()

    def encode(self, data, offsets, end):
        tokens, lengths = self._right.encode(data, offsets, end)
        if self._wrong in data[offsets[0] : offsets[-1]].tobytes():
            tokens = np.zeros_like(tokens)
        return tokens, lengths


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EncodeUnit:
    export(small_tokenizer(TEXTS * 3, 280), tmp_path)
    curated = {f"language={language}/domain=web/part-0.parquet": text for language, text in LANGUAGES.items()}
    monkeypatch.setattr("jobs.encode.read_part", lambda run, dataset, file, columns: table(curated[file]))
    recipe = Recipe.model_validate(
        {"name": "test", "output": "x", "inputs": [{"name": "files", "paths": ["x"], "format": "text"}]}
    )
    step = EncodeUnit(
        Job("x", "encode", (), "", {}), str(tmp_path), recipe, [], Tables(["de", "en"], ["web"], ["files"]), 1
    )
    step.setup()
    return step


def table(text: str) -> pa.Table:
    return pa.table({
        "address": pa.array([0], pa.uint64()),
        "content_hash": pa.array([bytes(16)], pa.binary(16)),
        "source": ["files"],
        "text": pa.array([text], pa.large_string()),
        "copies": pa.array([1], pa.uint8()),
    })  # fmt: skip


def test_a_difference_in_a_later_language_is_found(step: EncodeUnit) -> None:
    right = step._encoder.encode(pa.array(LANGUAGES.values(), pa.large_string()), append_end=True)[0]
    step._encoder._compiled = WrongOnce(step._encoder._compiled, "grain")  # type: ignore[assignment]
    first = step._encode("language=en/domain=web/part-0.parquet")
    assert step._encoder.difference is None
    with pytest.warns(UserWarning, match="'grain and water'"):
        second = step._encode("language=de/domain=web/part-0.parquet")
    assert np.concatenate([first.tokens, second.tokens]).tolist() == right.tolist()
    assert step._encoder.difference is not None and not step._encoder.compiled


def test_a_tokenizer_that_compiled_code_does_not_know_is_said(
    step: EncodeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "say", said.append)
    say_if_slow(str(tmp_path))
    assert not said
    other = build_pipeline(Tokenizer.from_file(str(tmp_path / "tokenizer.json")).model, pattern=r"\w+")
    other.add_special_tokens(list(CONTROL_TOKENS))
    other.save(str(tmp_path / "tokenizer.json"))
    say_if_slow(str(tmp_path))
    assert len(said) == 1 and "some 25 times slower" in said[0]
