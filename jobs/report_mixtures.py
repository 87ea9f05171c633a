"""Samples of documents in several languages for the report, their foreign spans marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curation.dataset import read_manifest, read_part
from curation.langid.identifier import Identifier, names
from curation.report.data import Mixed
from curation.text.scan import Scanner
from filters.code_switching import KINDS, MONOLINGUAL, MixtureFinder
from filters.language_spans import Spans
from jobs.run_context import Run

SAMPLES_PER_KIND = 3
PARTS_READ = 40
"""Parts that samples are chosen from, the first ones, so that large runs are not read whole."""
CHARACTERS = 400
"""Of each sample, around its first foreign span."""
BEFORE = 120
_COLUMNS = ["id", "language", "domain", "mixture_kind", "second_language", "main_language_share"]


def mixed_samples(run: Run) -> list[Mixed]:
    """Up to `SAMPLES_PER_KIND` documents of each kind but monolingual, of different languages first."""
    chosen = _choose(run)
    if not chosen:
        return []
    text = pa.array([row["text"] for row in chosen], pa.large_string())
    identifier, scanner = Identifier(run.recipe.annotate.language_model), Scanner()
    scan = scanner.scan(text)
    found = MixtureFinder().find(text, scan, identifier.identify(text, scan), [row["language"] for row in chosen])
    return [
        Mixed(row["mixture_kind"], row["language"], row["second_language"] or "", 1 - row["main_language_share"],
              row["id"], row["domain"], _pieces(row["text"].encode(), found.spans, number))
        for number, row in enumerate(chosen)
    ]  # fmt: skip


def _choose(run: Run) -> list[dict[str, Any]]:
    pools: dict[str, list[dict[str, Any]]] = {kind: [] for number, kind in enumerate(KINDS) if number != MONOLINGUAL}
    for file in sorted(read_manifest(run.output, "signals")["files"])[:PARTS_READ]:
        frame = pl.from_arrow(read_part(run.output, "signals", file, _COLUMNS))
        assert isinstance(frame, pl.DataFrame)
        mixed = frame.with_row_index("row").filter(pl.col("mixture_kind") != KINDS[MONOLINGUAL])
        first = mixed.group_by("mixture_kind", "language", maintain_order=True).head(1)
        for row in first.iter_rows(named=True):
            pools[row["mixture_kind"]].append(row | {"file": file})
    chosen = []
    for pool in pools.values():
        fresh = {row["language"]: row for row in reversed(pool)}
        chosen += [fresh[language] for language in sorted(fresh)][:SAMPLES_PER_KIND]
    for file in {row["file"] for row in chosen}:
        text = read_part(run.output, "documents", file, ["text"])["text"]
        for row in chosen:
            if row["file"] == file:
                row["text"] = text[row["row"]].as_py()
    return chosen


def _pieces(raw: bytes, spans: Spans, document: int) -> tuple[tuple[str, str], ...]:
    """The text from a little before its first foreign span, in pieces of one language."""
    own = np.flatnonzero(spans.document == document)
    begin = max(int(spans.start[own[0]]) - BEFORE, 0) if len(own) else 0
    end, at, out = begin + CHARACTERS, begin, []
    for span in own:
        start, stop = int(spans.start[span]), min(int(spans.stop[span]), end)
        if start >= end:
            break
        language = names(spans.label[span : span + 1])[0].as_py()
        out += [(_text(raw[at:start]), ""), (_text(raw[start:stop]), language)]
        at = stop
    return tuple(piece for piece in (*out, (_text(raw[at:end]), "")) if piece[0])


def _text(raw: bytes) -> str:
    """Without halves of characters at its ends."""
    return raw.decode("utf-8", "ignore")
