"""The text pipeline in front of the byte-level BPE: NFC, a pretoken pattern, bytes written as characters."""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"


def _qwen2_pattern(letter: str, digits: str) -> str:
    """The Qwen2 pattern with ``letter`` for its letters and ``digits`` for its numbers, as parts of a class."""
    return (
        rf"{_CONTRACTIONS}"  # English contractions
        rf"|[^\r\n\p{{L}}\p{{N}}]?{letter}+"  # letters, with the one character before them
        rf"|{digits}"
        rf"| ?[^\s{letter.strip('[]')}\p{{N}}]+[\r\n]*"  # punctuation and symbols, with the line ends after them
        r"|\s*[\r\n]+"  # white space up to the last line end
        r"|\s+(?!\S)"  # white space, leaving its last character to the word that follows
        r"|\s+"
    )


# Source: the Qwen2 tokenizer (Qwen2 technical report, arXiv:2407.10671, section 2.1; the pattern is published in its
# tokenizer.json and as ``PRETOKENIZE_REGEX`` of transformers' Qwen2Tokenizer). It is the cl100k pattern with single
# digits. Combining marks are not letters here, as in Qwen2.
QWEN2_PATTERN = _qwen2_pattern(r"\p{L}", r"\p{N}")
# Source: tiktoken's cl100k_base, as the tokenizer.json of Llama 3 spells it: Qwen2's with digits in groups of three.
CL100K_PATTERN = _qwen2_pattern(r"\p{L}", r"\p{N}{1,3}")
# The same with combining marks as letters, so that words of the Brahmic scripts, Thai, Khmer and others stay whole
# (as in Qwen3.5; Qwen2 cuts Hindi, Thai or Khmer words at every vowel sign).
MARKS_AS_LETTERS_PATTERN = _qwen2_pattern(r"[\p{L}\p{M}]", r"\p{N}")
MARKS_AS_LETTERS_THREE_DIGITS_PATTERN = _qwen2_pattern(r"[\p{L}\p{M}]", r"\p{N}{1,3}")
# Source: tiktoken's o200k_base (tiktoken_ext/openai_public.py): words are cut where lower case turns into upper case,
# and contractions stay with their words.
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K_PATTERN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
# Source: Radford et al. 2019 (GPT-2, encoder.py); what pre_tokenizers.ByteLevel cuts by.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
PATTERNS = {
    "qwen2": QWEN2_PATTERN,
    "cl100k": CL100K_PATTERN,
    "marks_as_letters": MARKS_AS_LETTERS_PATTERN,
    "marks_as_letters_three_digits": MARKS_AS_LETTERS_THREE_DIGITS_PATTERN,
    "gpt2": GPT2_PATTERN,
    "o200k": O200K_PATTERN,
}
"""Patterns by the names that recipes and `glotmill tokenizer evaluate` use. All are scanned by compiled code; a count
table names the pattern itself."""

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
# Qwen2 gives control tokens the ids after all regular tokens, in this order.
CONTROL_TOKENS = (END_OF_TEXT, IM_START, IM_END)


def build_pipeline(model: models.BPE | None = None, *, pattern: str = QWEN2_PATTERN) -> Tokenizer:
    """A byte-level BPE tokenizer with NFC, ``pattern`` and the byte decoder; untrained unless given a ``model``."""
    tokenizer = Tokenizer(model or models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def pretokens(text: str, *, pattern: str = QWEN2_PATTERN) -> list[str]:
    """The pretokens of ``text`` after NFC, in order: merges never cross their borders."""
    splitter = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return [piece for piece, _ in splitter.pre_tokenize_str(normalizers.NFC().normalize_str(text))]


@lru_cache(maxsize=1)
def byte_characters() -> dict[str, int]:
    """The character that stands for each of the 256 bytes in ``vocab.json`` and ``merges.txt``, and its byte.

    Printable Latin-1 bytes stand for themselves, the others for U+0100 and up in byte order (Radford et al. 2019,
    GPT-2, "bytes_to_unicode").
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


@lru_cache(maxsize=1)
def characters_of_bytes() -> str:
    """The inverse of `byte_characters`: the character of byte b at index b."""
    return "".join(sorted(byte_characters(), key=byte_characters().__getitem__))


def token_characters(token: bytes) -> str:
    """A regular token as ``vocab.json`` spells it: the inverse of `token_bytes`."""
    return token.decode("latin-1").translate(_byte_translation())


@lru_cache(maxsize=1)
def _byte_translation() -> dict[int, str]:
    return dict(enumerate(characters_of_bytes()))


def token_bytes(token: str) -> bytes:
    """The bytes of a regular token as ``vocab.json`` spells it. Raises KeyError for a character outside the 256."""
    characters = byte_characters()
    return bytes(characters[character] for character in token)
