"""What the recipe's keys under ``tokenizer`` stand for."""

from __future__ import annotations

from tokenizers import Tokenizer

from curation import storage
from curation.recipe_tokenizer import Tokenizer as Settings
from jobs.errors import JobError
from tokenizer.encoding import scannable_pattern
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN, QWEN2_PATTERN

PATTERNS = {"qwen2": QWEN2_PATTERN, "marks_as_letters": MARKS_AS_LETTERS_PATTERN}
"""The patterns that a recipe may name."""
_OF_MODE = {"default": "marks_as_letters", "hf_exact": "qwen2"}


def pattern_of(settings: Settings) -> str:
    """The pattern that cuts text into pretokens.

    Raises:
        JobError: the tokenizer to extend is not there, or cuts text in a way that cannot be counted.
    """
    if settings.extend is None:
        return PATTERNS[settings.pattern or _OF_MODE[settings.mode]]
    pattern = scannable_pattern(base_tokenizer(settings.extend))
    if pattern is None:
        raise JobError(f"tokenizer.extend: {settings.extend} has a normaliser or pretoken pattern that glotmill does "
                       f"not know; it knows NFC with {', '.join(PATTERNS)}")  # fmt: skip
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
