"""Columns of text in NFC, as the normaliser of ``tokenizers`` writes it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from curation.text.normalize import may_need_composing
from tokenizer.pretokens import compose


def composed(text: pa.Array) -> pa.Array:
    """The texts in NFC: a (large) string array without nulls, itself where no text has a character to compose."""
    mask = may_need_composing(text)
    if not mask.any():
        return text
    changed = pa.array([compose(document) for document in text.filter(pa.array(mask)).to_pylist()], text.type)
    return pc.replace_with_mask(text, pa.array(mask), changed)
