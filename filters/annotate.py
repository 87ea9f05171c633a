"""Annotation of a batch: raw documents in, normalised documents and their signals out. Pure; knows nothing of Beam."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation import schema
from curation.dedup import minhash
from curation.langid.identifier import Identified, Identifier
from curation.languages import CODE
from curation.recipe import Annotate, Input
from curation.text import utf8
from curation.text.normalize import normalize
from curation.text.scan import Scan, Scanner
from filters import code_switching, signals, url_lists
from filters.code_switching import MixtureFinder
from filters.mixture_counts import mixture_counts


def signals_schema() -> pa.Schema:
    """Schema of the dataset ``signals/``: identity, language, MinHash bands, then every signal."""
    return pa.schema(
        [
            pa.field("address", pa.uint64(), nullable=False),
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("domain", pa.string(), nullable=False),
            pa.field("content_hash", pa.binary(16), nullable=False),
            pa.field("utf8_bytes", pa.uint64(), nullable=False),
            pa.field("invalid_utf8", pa.uint32(), nullable=False),  # ill-formed sequences that were replaced
            pa.field("removed_characters", pa.uint32(), nullable=False),  # control characters and noncharacters
            pa.field("language", pa.string(), nullable=False),
            pa.field("language_score", pa.float32(), nullable=False),
            pa.field("script", pa.string(), nullable=False),  # ISO 15924; Hans or Hant for Chinese
            pa.field("url_category", pa.string()),  # the first of the recipe's lists that has the URL
            pa.field("bands", pa.list_(pa.uint64()), nullable=False),  # empty for text without units
            pa.field("sketch", pa.binary(), nullable=False),  # low bytes of the MinHash signature
            *code_switching.SCHEMA,
            *signals.SCHEMA,
        ]
    )


class Annotated(NamedTuple):
    documents: pa.RecordBatch  # curation.schema.DOCUMENTS
    signals: pa.RecordBatch  # signals_schema(), row-aligned
    mixtures: dict[str, Any]  # see `filters.mixture_counts`


class Annotator:
    """Holds the model and the scratch memory of one worker."""

    def __init__(self, parameters: Annotate) -> None:
        self._parameters = parameters
        self._schema = signals_schema()
        self._identifier = Identifier(parameters.language_model)
        self._mixtures = MixtureFinder()
        self._scanner = Scanner()
        self._counter = signals.SignalCounter(parameters.bad_words)
        self._url_lists = url_lists.table(parameters.url_lists)

    def annotate(self, raw: pa.RecordBatch, source: Input, part: int, first_row: int) -> Annotated:
        """Annotate raw documents (columns of `curation.readers.RAW`) that become rows ``first_row``... of a part."""
        n = raw.num_rows
        normalized = normalize(raw["text"])
        text = normalized.text
        address = schema.addresses(part, first_row + n).slice(first_row)
        content_hash = _content_hashes(text)
        scan = self._scanner.scan(text)
        found = self._identifier.identify(text, scan)
        language, score = _language(found, source)
        languages = language.to_pylist()
        mixture = self._mixtures.find(text, scan, found, languages)
        identity = {
            "id": _ids(raw, text),
            "source": pa.repeat(source.name, n),
            "domain": pa.repeat(source.domain, n),
            "address": address,
            "content_hash": content_hash,
        }
        documents = {**identity, "text": text} | {
            name: raw[name] for name in ("url", "license", "date", "metadata")
        }  # fmt: skip
        numbers = {
            **identity,
            "utf8_bytes": pa.array(np.diff(utf8.buffers(text)[0]).astype(np.uint64)),
            "invalid_utf8": pa.array(normalized.invalid_utf8),
            "removed_characters": pa.array(normalized.removed_characters),
            "language": language,
            "language_score": pa.array(score),
            "script": found.script,
            "url_category": url_lists.categorize(self._url_lists, raw["url"]).cast(pa.string()),
            **self._signature(text, scan),
            **mixture.columns,
        }
        computed = self._counter.compute(text, scan, languages)
        numbers |= dict(zip(computed.schema.names, computed.columns, strict=True))
        label = code_switching.line_languages(mixture.spans, found, mixture.main, scan)
        counts = mixture_counts(languages, mixture, label, scan)
        return Annotated(_batch(documents, schema.DOCUMENTS), _batch(numbers, self._schema), counts)

    def _signature(self, text: pa.Array, scan: Scan) -> dict[str, pa.Array]:
        parameters = self._parameters.minhash
        signature = minhash.signatures(text, scan, parameters)
        bands = minhash.band_lists(signature, parameters.bands, scan.column("units") > 0)
        return {"bands": bands, "sketch": minhash.sketches(signature)}


def _language(found: Identified, source: Input) -> tuple[pa.Array, np.ndarray]:
    """Languages of documents, given for the source or found, and their scores."""
    given = source.language or (CODE if source.domain == "code" else None)
    if given is None:
        return found.language, found.score
    return pa.repeat(given, len(found.score)), np.ones(len(found.score), np.float32)


def _batch(columns: dict[str, pa.Array], wanted: pa.Schema) -> pa.RecordBatch:
    return pa.record_batch([columns[field.name].cast(field.type) for field in wanted], schema=wanted)


def _views(text: pa.Array) -> list[memoryview]:
    offsets, data = utf8.buffers(text)
    view = memoryview(data)  # type: ignore[arg-type]
    return [view[start:end] for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def _content_hashes(text: pa.Array) -> pa.Array:
    # One call into xxhash a document: about a microsecond, far below every other cost here.
    return pa.array([xxhash.xxh3_128_digest(view) for view in _views(text)], pa.binary(16))


def _ids(raw: pa.RecordBatch, text: pa.Array) -> pa.Array:
    """Given ids; where there is none, the xxh3-128 of url and normalised text, so that it is stable."""
    given = raw["id"]
    if given.null_count == 0:
        return given
    made = [
        xxhash.xxh3_128_hexdigest(f"{url or ''}\n".encode() + view)
        for url, view in zip(raw["url"].to_pylist(), _views(text), strict=True)
    ]
    return pc.coalesce(given, pa.array(made, pa.string()))
