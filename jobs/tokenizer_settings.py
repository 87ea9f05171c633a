"""What the recipe's keys under ``tokenizer`` stand for."""

from __future__ import annotations

import json

from tokenizers import Tokenizer

from curation import storage
from curation.recipe_tokenizer import Tokenizer as Settings
from jobs.errors import JobError
from tokenizer.compiled_encoder import scanned_pattern
from tokenizer.pretokens import PATTERNS

_OF_MODE = {"default": "marks_as_letters", "hf_exact": "qwen2"}
_THREE_DIGITS = {"qwen2": "cl100k", "marks_as_letters": "marks_as_letters_three_digits"}


def pattern_of(settings: Settings) -> str:
    """The pattern that cuts text into pretokens.

    Raises:
        JobError: the tokenizer to extend is not there, or cuts text in a way that cannot be counted.
    """
    if settings.extend is None:
        name = settings.pattern or _OF_MODE[settings.mode]
        return PATTERNS[_THREE_DIGITS[name] if settings.digits == 3 else name]
    pipeline = json.loads(base_tokenizer(settings.extend).to_str())
    pattern = scanned_pattern(pipeline["pre_tokenizer"])
    if pattern is None or pipeline["normalizer"] not in (None, {"type": "NFC"}):
        raise JobError(f"tokenizer.extend: {settings.extend} has a normaliser or pretoken pattern that glotmill does "
                       f"not know; it knows NFC or none with {', '.join(PATTERNS)}")  # fmt: skip
    return pattern


def base_tokenizer(path: str) -> Tokenizer:
    """The tokenizer to extend.

    Raises:
        JobError: there is none.
    """
    if not storage.exists(path):
        raise JobError(f"tokenizer.extend: {path} is not there; give the path of a tokenizer.json")
    try:
        return Tokenizer.from_str(storage.read_text(path))
    except Exception as error:  # `tokenizers` raises nothing more specific
        raise JobError(f"tokenizer.extend: {path} is no tokenizer.json: {error}") from error
