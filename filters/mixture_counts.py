"""Sums about languages and mixtures that the report shows, of a batch and of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from curation.langid.identifier import names
from curation.text.scan import Scan
from filters.code_switching import KINDS, Mixture, line_documents


def mixture_counts(languages: list[str], mixture: Mixture, label: np.ndarray, scan: Scan) -> dict[str, Any]:
    """Sums for the report: by language of documents the lines and their bytes by language of lines
    (``{"de": {"en": [lines, bytes]}}``), and documents by kind."""
    document = line_documents(scan)
    size = (scan.line("stop") - scan.line("start")).astype(np.int64)
    frame = pl.DataFrame(
        {
            "document": pl.Series(languages, dtype=pl.String).gather(document),
            "line": pl.from_arrow(names(label)),
            "bytes": size,
        }
    )
    matrix: dict[str, dict[str, list[int]]] = {}
    for own, line, lines, bytes_ in frame.group_by("document", "line").agg(pl.len(), pl.col("bytes").sum()).sort(
        "document", "line"
    ).iter_rows():  # fmt: skip
        matrix.setdefault(own, {})[line] = [lines, bytes_]
    kinds: dict[str, dict[str, int]] = {}
    counted = pl.DataFrame({"language": pl.Series(languages, dtype=pl.String), "kind": np.array(KINDS)[mixture.kind]})
    for language, kind, documents in counted.group_by("language", "kind").len().sort("language", "kind").iter_rows():
        kinds.setdefault(language, {})[kind] = documents
    return {"line_languages": matrix, "kinds": kinds}


def add_counts(total: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The sum of two `mixture_counts`, or of any nested numbers and lists of numbers."""
    out = dict(total)
    for key, value in more.items():
        if key not in out:
            out[key] = value
        elif isinstance(value, dict):
            out[key] = add_counts(out[key], value)
        elif isinstance(value, list):
            out[key] = [one + other for one, other in zip(out[key], value, strict=True)]
        else:
            out[key] += value
    return out
