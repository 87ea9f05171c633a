"""The pattern that a recipe's mode, pattern and digits stand for."""

from pathlib import Path
from typing import Any

import pytest

from curation.recipe_tokenizer import Tokenizer as Settings
from jobs.tokenizer_settings import pattern_of
from tokenizer.pretokens import (
    CL100K_PATTERN,
    GPT2_PATTERN,
    MARKS_AS_LETTERS_PATTERN,
    MARKS_AS_LETTERS_THREE_DIGITS_PATTERN,
    QWEN2_PATTERN,
    build_pipeline,
)


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({}, MARKS_AS_LETTERS_PATTERN),
        ({"digits": 3}, MARKS_AS_LETTERS_THREE_DIGITS_PATTERN),
        ({"mode": "hf_exact"}, QWEN2_PATTERN),
        ({"mode": "hf_exact", "digits": 3}, CL100K_PATTERN),
        ({"pattern": "qwen2", "digits": 3}, CL100K_PATTERN),
        ({"pattern": "gpt2"}, GPT2_PATTERN),
    ],
)
def test_mode_pattern_and_digits_name_a_pattern(settings: dict[str, Any], pattern: str) -> None:
    assert pattern_of(Settings(**settings)) == pattern


def test_the_pattern_is_that_of_the_tokenizer_to_extend(tmp_path: Path) -> None:
    build_pipeline(pattern=CL100K_PATTERN).save(str(tmp_path / "tokenizer.json"))
    assert pattern_of(Settings(extend=str(tmp_path / "tokenizer.json"))) == CL100K_PATTERN
