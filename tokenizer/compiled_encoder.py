"""Encoding UTF-8 text in compiled code: cut into pretokens, number them, merge the new ones, write the ids of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tokenizer.memory import at, compiled, prefetch
from tokenizer.merging import Merges, build_merges, entry_of, entry_value, merge_all, room_for
from tokenizer.pretoken_table import PretokenTable
from tokenizer.pretokens import GPT2_PATTERN, PATTERNS, token_bytes

CACHED_PRETOKENS = 1 << 21
CACHED_BYTES = 1 << 26
"""The pretokens of about 2 GB of text; beyond them the cache starts afresh. It takes at most about 300 MB."""
_AHEAD = 16  # pretokens


class CompiledEncoder:
    """Encodes texts in normal form, with a cache of the pretokens it has met. Not to be shared between threads."""

    def __init__(self, pattern: str, merges: Merges, tokens: dict[bytes, int], *, ignore_merges: bool) -> None:
        """``tokens`` are learned before any text, as most pretokens are one of them.

        With ``ignore_merges`` a pretoken that is a token gets its id even where the merges lead elsewhere.
        """
        self._pattern, self._merges, self._ignore_merges = pattern, merges, ignore_merges
        self._token_bytes = np.frombuffer(b"".join(tokens), np.uint8)
        self._token_offsets = np.cumsum([0, *map(len, tokens)])
        self._token_ids = np.fromiter(tokens.values(), np.uint64, len(tokens))
        self._room = room_for(1 << 12)
        self._forget()

    def encode(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], end: int | None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The ids of n texts of valid UTF-8 ``data[offsets[i]:offsets[i + 1]]``, and the number of ids of each.

        Ids uint32[total], ``end`` after those of each text unless it is None; numbers int64[n].
        """
        if self._table.count > CACHED_PRETOKENS or self._table.buffers()[0].size > CACHED_BYTES:
            self._forget()
        numbers, text_ends = self._table.add(data, offsets)
        self._learn()
        # Every id stands for at least a byte.
        tokens = np.empty(int(offsets[-1] - offsets[0]) + offsets.size - 1, np.uint32)
        lengths = np.empty(offsets.size - 1, np.int64)
        total = _write(numbers, text_ends, self._entries, self._ids, -1 if end is None else end, tokens, lengths)
        return tokens[:total], lengths

    def _forget(self) -> None:
        self._table = PretokenTable(self._pattern)
        self._entries = np.zeros(1 << 16, np.uint64)  # see `merging.entry_of`
        self._ids = np.zeros(1 << 16, np.uint32)
        self._learned = self._filled = 0
        self._table.add_whole(self._token_bytes, self._token_offsets)
        self._learn()
        if self._ignore_merges:
            _enter_tokens(self._entries, self._token_ids)

    def _learn(self) -> None:
        """Merge the pretokens that the table has met for the first time."""
        data, ends = self._table.buffers()
        new = ends[self._learned :]
        if new.size < 2:
            return
        self._entries = _enlarged(self._entries, self._learned, self._table.count)
        self._ids = _enlarged(self._ids, self._filled, self._filled + int(new[-1] - new[0]))
        longest = int(np.diff(new).max())
        if longest > self._room.ids.size:
            self._room = room_for(longest)
        self._filled = merge_all(
            data, ends, self._learned, self._merges, self._room, self._ids, self._filled, self._entries
        )
        self._learned = self._table.count


def compile_encoder(tokenizer: Tokenizer) -> tuple[CompiledEncoder, bool] | None:
    """A compiled encoder that gives the ids of ``tokenizer`` for texts in normal form, and whether that is NFC.

    None when the pipeline or the model is of another kind: the compiled encoder knows byte-level BPE with all 256
    bytes, the pretoken patterns of `PATTERNS`, and NFC or no normaliser.
    """
    settings = orjson.loads(tokenizer.to_str())
    pattern, model = scanned_pattern(settings["pre_tokenizer"]), settings["model"]
    normalizer = settings["normalizer"]
    if pattern is None or normalizer not in (None, {"type": "NFC"}) or not _is_plain_bpe(model):
        return None
    try:
        merges = build_merges(model["vocab"], model["merges"])
    except (KeyError, ValueError):
        return None
    tokens, ignore_merges = _spelled_tokens(model["vocab"]), bool(model.get("ignore_merges"))
    return CompiledEncoder(pattern, merges, tokens, ignore_merges=ignore_merges), normalizer is not None


def _is_plain_bpe(model: dict[str, Any]) -> bool:
    unusual = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")
    return model["type"] == "BPE" and not any(model.get(name) for name in unusual)


def scanned_pattern(pre_tokenizer: dict[str, Any] | None) -> str | None:
    """The pattern of a byte-level pre-tokenizer that the scanners know, else None."""
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer]) if pre_tokenizer else []
    if not steps:
        return None
    *before, last = steps
    if last["type"] != "ByteLevel" or last["add_prefix_space"]:
        return None
    if not before:
        return GPT2_PATTERN if last["use_regex"] else None
    split = before[0]
    if len(before) > 1 or last["use_regex"] or split["type"] != "Split":
        return None
    pattern = split["pattern"].get("Regex")
    as_written = split["behavior"] == "Isolated" and not split["invert"]
    return pattern if as_written and pattern in PATTERNS.values() else None


def _spelled_tokens(vocabulary: dict[str, int]) -> dict[bytes, int]:
    """The tokens that bytes spell, without those of other characters, such as most control tokens."""
    spelled: dict[bytes, int] = {}
    for token, id_ in vocabulary.items():
        try:
            spelled[token_bytes(token)] = id_
        except KeyError:
            continue
    spelled.pop(b"", None)
    return spelled


def _enlarged(array: NDArray[Any], used: int, size: int) -> NDArray[Any]:
    """``array`` with room for ``size`` elements, of which ``used`` are kept."""
    if size <= array.size:
        return array
    larger = np.empty(max(size, 2 * array.size), array.dtype)
    larger[:used] = array[:used]
    return larger


@compiled
def _enter_tokens(entries, ids):  # type: ignore[no-untyped-def]
    for number in range(ids.size):
        entries[number] = entry_of(ids[number], 1)


@compiled
def _write(numbers, text_ends, entries, ids, end, tokens, lengths):  # type: ignore[no-untyped-def]
    """Write the ids of the numbered pretokens, and ``end`` after each text unless negative; returns how many."""
    filled, first = np.int64(0), np.int64(0)
    last = numbers.size - 1
    for text in range(text_ends.size):
        start = filled
        for i in range(first, text_ends[text]):
            prefetch(entries, numbers[at(min(i + _AHEAD, last))])
            value, length = entry_value(entries[at(numbers[at(i)])])
            if length == 1:
                tokens[at(filled)] = value
                filled += 1
            else:
                for k in range(length):
                    tokens[at(filled)] = ids[at(value + k)]
                    filled += 1
        if end >= 0:
            tokens[at(filled)] = end
            filled += 1
        lengths[text] = filled - start
        first = text_ends[text]
    return filled
