"""Signals from the sentences of a document: MADLAD-400's rules for questionable sentences.

Kudugunta et al. 2023 (arXiv:2309.04662, section 2.3 and appendix) drop a document with fewer than 5 sentences, or with
more than 20 % questionable ones. A sentence is questionable when, of at least 12 words, more than half begin with a
capital; when it has fewer than 20 or more than 500 characters; when more than 20 % of its characters are of
``[0-9{}+/()>]``; or when it holds a phrase of their list. (Another of their rules, a sentence in another language than
its document, is a matter of language identification.) The phrases are found as whole units in any case, not as parts
of words; "sentences" are those of `curation.text.scan_columns.SENTENCE_FACTS`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from curation.text import utf8
from curation.text.scan import Scan, Scanner
from curation.text.scan_columns import SENTENCE_FACTS
from filters import unit_sequences
from filters.unit_sequences import SequenceTable, sequence_table

LIST_CASE_WORDS, LIST_CASE_SHARE = 12, 0.5
SHORTEST, LONGEST = 20, 500  # characters
TECHNICAL_SHARE = 0.2
PHRASES = (
    "№", "aute irure dolor", "sunt in culpa qui", "lorem ipsum", "quis nostrud", "adipisicing", "dolore eu",
    "cupidatat", "autem vel eum", "wisi enim ad", "sex", "porn", "黄色电影", "mp3", "download", "downloads",
    "Vol", "Ep", "Episode", "шт", "Develop", "Facebook", "crusher", "xxx",
)  # fmt: skip
LAST_WORDS = ("nr", "г", "кг")
"""Abbreviations before the full stop of a sentence that was cut in two."""
_BAR, _STOP = ord("|"), ord(".")


_RULES = ("list_case", "length", "technical", "phrase", "questionable")
_FACTS = tuple(SENTENCE_FACTS.index(name) for name in ("stop", "characters", "units", "capital_units", "technical"))


@lru_cache(maxsize=1)
def _tables() -> tuple[SequenceTable, np.ndarray]:
    scan = Scanner().scan(pa.array(LAST_WORDS, pa.large_string()))
    return sequence_table([("any", PHRASES, 1)]), scan.unit_hash.copy()


def compute(text: pa.Array, scan: Scan) -> dict[str, np.ndarray]:
    """Sentences and the shares of questionable ones, int64[n] or float64[n], of n scanned documents."""
    table, last_words = _tables()
    bounds = scan.sentence_bounds
    everywhere = np.full(len(scan.counts), -1, np.int64)
    found = unit_sequences.find(table, scan, everywhere, scan.sentence("units"), bounds)[0]
    offsets, data = utf8.buffers(text)
    shares = np.zeros((len(_RULES), len(text)))
    _shares(offsets, data, scan.sentence_facts, bounds, scan.unit_hash, scan.unit_bounds, found, last_words, shares)
    return {"madlad_sentences": np.diff(bounds)} | {
        f"madlad_{name}": share for name, share in zip(_RULES, shares, strict=True)
    }  # fmt: skip


@utf8.njit
def _shares(offsets, data, facts, bounds, unit_hash, unit_bounds, found, last_words, out):  # type: ignore[no-untyped-def]
    """Fill out float64[rules, n] with the shares of sentences that break each rule, or any of them."""
    stop, characters, units, capitals, technical = _FACTS
    for d in range(len(bounds) - 1):
        unit = unit_bounds[d]  # after the last unit of the sentence: sentences have the units one after another
        for i in range(bounds[d], bounds[d + 1]):
            sentence = facts[i]
            unit += sentence[units]
            list_case = sentence[units] >= LIST_CASE_WORDS and sentence[capitals] > LIST_CASE_SHARE * sentence[units]
            length = sentence[characters] < SHORTEST or sentence[characters] > LONGEST
            marks = sentence[technical] > TECHNICAL_SHARE * sentence[characters]
            last_byte = data[offsets[d] + sentence[stop] - 1]
            phrase = found[i] != 0 or last_byte == _BAR
            if last_byte == _STOP and sentence[units] > 0:
                for last_word in last_words:
                    phrase = phrase or unit_hash[unit - 1] == last_word
            out[0, d] += list_case
            out[1, d] += length
            out[2, d] += marks
            out[3, d] += phrase
            out[4, d] += list_case or length or marks or phrase
        for rule in range(len(out)):
            out[rule, d] /= max(bounds[d + 1] - bounds[d], 1)
