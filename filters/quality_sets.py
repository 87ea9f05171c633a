"""Positive and negative documents of a quality classifier: prepared, cleared of shared texts, and split by hash."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.langid.identifier import Identifier
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from curation.text.unit_text import separate_units

DOCUMENTS = {
    "identity": pl.Binary,  # xxh3-128 of the line: documents with the same one are the same to the classifier
    "split": pl.Float64,  # in [0, 1): the hash of the id, or of the line where there is no id
    "language": pl.String,
    "license": pl.String,
    "positive": pl.Boolean,
    "line": pl.String,  # units between single spaces
}
TRAIN, CALIBRATE, TEST = "train", "calibrate", "test"


class Preparer:
    """Turns raw documents into rows of DOCUMENTS; holds the models and buffers that takes."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._scanner = Scanner()
        self._identifier: Identifier | None = None

    def prepare(self, raw: pa.RecordBatch, language: pa.Array, positive: bool) -> pl.DataFrame:
        """One row for every document that is not blank.

        Args:
            raw: columns ``text``, ``id`` and ``license`` of `curation.readers.raw.RAW`.
            language: string[n]; identified where it is null.
            positive: the set they come from.
        """
        text = normalize(raw["text"]).text
        line = separate_units(text, self._scanner)
        language = self._languages(text, language)
        identity = [xxhash.xxh3_128_digest(value) for value in line.cast(pa.large_binary()).to_pylist()]
        keys = [
            own if given is None else given.encode() for own, given in zip(identity, raw["id"].to_pylist(), strict=True)
        ]
        columns = {
            "identity": identity,
            "split": np.array([xxhash.xxh3_64_intdigest(key, self._seed) for key in keys], np.uint64) / 2.0**64,
            "language": pl.Series(pl.from_arrow(language), dtype=pl.String),
            "license": pl.Series(pl.from_arrow(raw["license"]), dtype=pl.String),
            "positive": np.full(len(keys), positive),
            "line": pl.Series(pl.from_arrow(line), dtype=pl.String),
        }
        return pl.DataFrame(columns, schema=DOCUMENTS).filter(pl.col("line") != "")

    def _languages(self, text: pa.Array, given: pa.Array) -> pa.Array:
        missing = given.is_null()
        if not pc.any(missing, min_count=0).as_py():
            return given
        self._identifier = self._identifier or Identifier()
        unlabelled = text.filter(missing)
        found = self._identifier.identify(unlabelled, self._scanner.scan(unlabelled))
        return pc.replace_with_mask(given.cast(pa.string()), missing, found.language)


class Screened(NamedTuple):
    documents: pl.DataFrame  # DOCUMENTS, each identity once, in the order of their hashes
    shared: dict[str, int]  # documents dropped, by class, because the other class has the same text
    duplicates: dict[str, int]  # documents dropped, by class, because their own class has the same text


def screen(documents: pl.DataFrame) -> Screened:
    """Drop the texts that both classes hold, and all copies of a text but one.

    What is kept does not depend on the order of the documents.
    """
    both = pl.col("positive").n_unique().over("identity") > 1
    shared, own = documents.filter(both), documents.filter(~both)
    kept = own.sort("identity", "split", "language", "license").unique("identity", keep="first", maintain_order=True)
    before, after = by_class(own), by_class(kept)
    return Screened(kept, by_class(shared), {name: before[name] - after[name] for name in before})


def by_class(documents: pl.DataFrame) -> dict[str, int]:
    positive = int(documents["positive"].sum())
    return {"positive": positive, "negative": documents.height - positive}


def split(documents: pl.DataFrame, holdout: float) -> dict[str, pl.DataFrame]:
    """The documents to train on, to calibrate on and to test on; the last two share ``holdout`` evenly.

    A document's side follows from its hash alone, never from its place, so that more documents move none.
    """
    value = pl.col("split")
    return {
        CALIBRATE: documents.filter(value < holdout / 2),
        TEST: documents.filter((value >= holdout / 2) & (value < holdout)),
        TRAIN: documents.filter(value >= holdout),
    }


def counts(documents: pl.DataFrame, column: str) -> dict[str, dict[str, int]]:
    """Documents of each class by the values of a column, the most frequent first; null is named ``unknown``."""
    grouped = (
        documents.group_by(pl.col(column).fill_null("unknown"))
        .agg(positive=pl.col("positive").sum(), negative=(~pl.col("positive")).sum(), total=pl.len())
        .sort("total", column, descending=[True, False])
    )
    rows: list[tuple[Any, ...]] = grouped.select(column, "positive", "negative").rows()
    return {name: {"positive": positive, "negative": negative} for name, positive, negative in rows}
