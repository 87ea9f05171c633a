"""The text pipeline in front of the byte-level BPE: NFC, the Qwen2 pretoken pattern, bytes written as characters."""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

# Source: the Qwen2 tokenizer (Qwen2 technical report, arXiv:2407.10671, section 2.1; the pattern is published in its
# tokenizer.json and as ``PRETOKENIZE_REGEX`` of transformers' Qwen2Tokenizer). It is the cl100k pattern with single
# digits (``\p{N}`` instead of ``\p{N}{1,3}``). Combining marks are not letters here, as in Qwen2.
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"  # English contractions
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"  # letters, with the one character before them
    r"|\p{N}"  # one digit at a time
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"  # punctuation, marks and symbols, with the line ends after them
    r"|\s*[\r\n]+"  # white space up to the last line end
    r"|\s+(?!\S)"  # white space, leaving its last character to the word that follows
    r"|\s+"
)

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
# Qwen2 gives control tokens the ids after all regular tokens, in this order.
CONTROL_TOKENS = (END_OF_TEXT, IM_START, IM_END)


def build_pipeline() -> Tokenizer:
    """An untrained byte-level BPE tokenizer with the Qwen2 normaliser, pretoken pattern and decoder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def pretokens(text: str) -> list[str]:
    """The pretokens of ``text`` after NFC, in order: merges never cross their borders."""
    normalised = normalizers.NFC().normalize_str(text)
    splitter = pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated")
    return [piece for piece, _ in splitter.pre_tokenize_str(normalised)]


@lru_cache(maxsize=1)
def byte_characters() -> dict[str, int]:
    """The character that stands for each of the 256 bytes in ``vocab.json`` and ``merges.txt``, and its byte.

    Printable Latin-1 bytes stand for themselves, the others for U+0100 and up in byte order (Radford et al. 2019,
    GPT-2, "bytes_to_unicode").
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def token_bytes(token: str) -> bytes:
    """The bytes of a regular token as ``vocab.json`` spells it. Raises KeyError for a character outside the 256."""
    characters = byte_characters()
    return bytes(characters[character] for character in token)
