"""What a vocabulary is spent on: scripts, broken characters, tokens that are never used or cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.text import scripts
from tokenizer.evaluation.subject import Subject, is_utf8

RARE_USES = 5
"""A token used less often than this in all of the text is a candidate for being under-trained. A choice."""
EXAMPLES = 20
MIXED, BYTES, BROKEN = "mixed", "byte", "broken"
"""Beside the names of scripts: whole characters of several scripts; one byte of a character; other broken tokens."""


def audit(subject: Subject, used: NDArray[np.int64]) -> dict[str, Any]:
    """The vocabulary, seen by itself and by how often a body of text uses it, ``used`` int64[vocabulary_size].

    - ``scripts``: tokens of each script, their share of the regular tokens and of the tokens of the text. Letters and
      marks decide; tokens of spaces, digits and punctuation alone are of script ``none``.
    - ``broken``: regular tokens that are not whole UTF-8 characters: ``bytes`` (single bytes, without which some text
      could not be encoded), ``parts`` (several bytes of one character) and ``crossing`` (bytes of two characters or
      more, one of them cut); ``text_share`` of the tokens of the text.
    - ``unused``: regular tokens that never occur; ``rare``: that occur less than `RARE_USES` times. Both without single
      bytes. Candidates for being under-trained: Land and Bartolo 2024 (arXiv:2405.05417) find these by their
      embeddings once a model is trained; before there is one, rarity is the sign.
    - ``unreachable``: regular tokens of whole characters whose own text is not encoded as them (the same).
    """
    regular, total = subject.regular, max(1, int(used.sum()))
    number = max(1, int(regular.sum()))
    kinds = token_scripts(subject)
    several = regular & (subject.lengths > 1)
    rare = several & (used < RARE_USES)
    return {
        "vocabulary_size": len(subject.tokens),
        "regular_tokens": int(regular.sum()),
        "mean_token_bytes": float(subject.lengths.sum() / number),
        "longest_token_bytes": int(subject.lengths.max(initial=0)),
        "scripts": {
            str(kind): {
                "tokens": int((chosen := kinds == kind).sum()),
                "share": float(chosen.sum() / number),
                "text_share": float(used[chosen].sum() / total),
            }
            for kind in sorted(set(kinds[regular]))
        },
        "broken": _broken(subject) | {"text_share": float(used[subject.broken].sum() / total)},
        "unused": _listed(subject, several & (used == 0), number),
        "rare": _listed(subject, rare, number),
        "unreachable": _listed(subject, unreachable(subject), number),
    }


def token_scripts(subject: Subject) -> NDArray[np.str_]:
    """The script of each token: an ISO 15924 code, ``none``, ``other``, `MIXED`, `BYTES` or `BROKEN`; "" for control
    tokens. str[vocabulary_size]."""
    kinds = np.where(subject.lengths == 1, BYTES, BROKEN).astype("U6")
    kinds[~subject.regular] = ""
    whole = np.flatnonzero(subject.regular & ~subject.broken)
    texts = [subject.tokens[i].decode() for i in whole]
    characters = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    token = np.repeat(np.arange(len(whole)), [len(text) for text in texts])
    number = len(scripts.SCRIPTS)
    found = np.bincount(token * number + scripts.table()[characters], minlength=len(whole) * number)
    letters = found.reshape(-1, number) > 0
    letters[:, scripts.NONE] = False
    names = np.array(scripts.SCRIPTS)[letters.argmax(axis=1)]  # SCRIPTS[0], none, where there is no letter
    kinds[whole] = np.where(letters.sum(axis=1) > 1, MIXED, names)
    return kinds


def unreachable(subject: Subject) -> NDArray[np.bool_]:
    """Whether each token is regular, whole characters, and not the encoding of its own text; bool[vocabulary_size]."""
    found = np.zeros(len(subject.tokens), np.bool_)
    whole = np.flatnonzero(subject.regular & ~subject.broken)
    texts = pa.array([subject.tokens[i].decode() for i in whole], pa.large_string())
    ids, offsets = subject.encode(texts)
    single = np.diff(offsets) == 1
    reached = np.zeros(len(whole), np.bool_)
    reached[single] = ids[offsets[:-1][single]] == whole[single]
    found[whole] = ~reached
    return found


def _broken(subject: Subject) -> dict[str, int]:
    tokens = [subject.tokens[i] for i in np.flatnonzero(subject.broken)]
    single = sum(len(token) == 1 for token in tokens)
    crossing = sum(len(token) > 1 and not _of_one_character(token) for token in tokens)
    return {"bytes": single, "parts": len(tokens) - single - crossing, "crossing": crossing}


def _of_one_character(token: bytes) -> bool:
    """Whether the bytes can belong to one character: continuation bytes, at most one other before them, not whole."""
    continuation = [0x80 <= byte < 0xC0 for byte in token]
    return all(continuation[1:]) and not is_utf8(token) and not any(is_utf8(token[:i]) for i in range(1, len(token)))


def _listed(subject: Subject, chosen: NDArray[np.bool_], regular: int) -> dict[str, Any]:
    """Number, share of the regular tokens, and the first examples by id: the earlier, the odder."""
    ids = np.flatnonzero(chosen)
    examples = [subject.tokens[i].decode(errors="replace") for i in ids[:EXAMPLES]]
    return {"tokens": len(ids), "share": len(ids) / regular, "examples": examples}
