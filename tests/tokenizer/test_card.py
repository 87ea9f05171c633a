"""The card of a tokenizer says what its files and its evaluation say, and its code runs."""

import re
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import yaml
from tokenizers import Tokenizer

from tokenizer.card import CARD_FILE, Card, write_card
from tokenizer.control_tokens import special_tokens
from tokenizer.evaluation import evaluate
from tokenizer.export import RANKS_FILE, export, fingerprint
from tokenizer.pretokens import CONTROL_TOKENS, PATTERNS, build_pipeline


@pytest.fixture(scope="module")
def card(trained: Tokenizer, sample: dict[str, str]) -> Card:
    parallel = {"en": ["one"], "th": ["หนึ่ง"]}
    evaluation = evaluate(trained, {code: [text] for code, text in sample.items()}, parallel)
    return Card("demo", "hf_exact", {"en": 2_000_000, "code": 500_000}, evaluation, "CC-BY-4.0", "f" * 32)


def _write(tokenizer: Tokenizer, directory: Path, card: Card) -> str:
    export(tokenizer, directory)
    write_card(directory, card)
    return (directory / CARD_FILE).read_text(encoding="utf-8")


def test_facts_are_those_of_the_files(trained: Tokenizer, tmp_path: Path, card: Card) -> None:
    text = _write(trained, tmp_path, card)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "cc-by-4.0" and front["language"] == ["en"]
    assert "| ids | 0 to 699, 697 of them regular tokens |" in text and "| 697 | `<\\|endoftext\\|>` |" in text
    assert "qwen2: `(?i:'s\\|" in text and fingerprint(tmp_path) in text and "`" + "f" * 32 + "`" in text
    thai = next(row for row in card.evaluation["languages"] if row["language"] == "th")
    premium = card.evaluation["parallel"]["premium"]["th"]
    assert re.search(rf"\| Thai \| 0.00 \| {thai['bytes_per_token']:.2f} \| .* \| {premium:.2f} \|", text)
    assert text == _write(trained, tmp_path / "again", card)


def test_the_code_to_load_it_runs(trained: Tokenizer, tmp_path: Path, card: Card, monkeypatch: Any) -> None:
    """All of it where tiktoken is there; else up to where it is imported."""
    code = _write(trained, tmp_path, card).split("```python\n")[1].split("\n```")[0]
    monkeypatch.chdir(tmp_path)
    try:
        import tiktoken  # noqa: F401
    except ImportError:
        code = code.split("import json, unicodedata, tiktoken")[0]
    exec(code, {"pyarrow": pyarrow})  # noqa: S102


def test_what_is_not_there_is_said(trained: Tokenizer, tmp_path: Path, card: Card) -> None:
    bare = Card("bare", "default", {}, {"languages": []})
    text = _write(trained, tmp_path, bare)
    assert "name one before you publish" in text and "license" not in text and "premium" in text
    (tmp_path / RANKS_FILE).unlink()
    write_card(tmp_path, bare)
    assert "tiktoken" not in (tmp_path / CARD_FILE).read_text(encoding="utf-8")


def test_the_pattern_is_named(trained: Tokenizer, tmp_path: Path, card: Card) -> None:
    for name, pattern in PATTERNS.items():
        tokenizer = build_pipeline(trained.model, pattern=pattern)
        tokenizer.add_special_tokens(list(CONTROL_TOKENS))
        assert f"| pretoken pattern | {name}: " in _write(tokenizer, tmp_path / name, card)


def test_reserved_tokens_are_counted_not_listed(trained: Tokenizer, tmp_path: Path, card: Card) -> None:
    plain = Tokenizer.from_str(trained.to_str())
    plain.add_special_tokens([token for token in special_tokens(700, 712) if "reserved" in token])
    assert "12 reserved tokens take the ids" in _write(plain, tmp_path, card)
