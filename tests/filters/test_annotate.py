"""Annotation of batches: rows stay aligned, identity is stable, and the cut into batches changes nothing."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from curation import schema
from curation.dedup import minhash
from curation.readers.raw import RAW
from curation.recipe import Annotate, Input
from curation.recipe_dedup import MinHash
from curation.text.normalize import normalize_bytes
from curation.text.scan import Scanner
from filters.annotate import Annotator, signals_schema
from filters.signals import NAMES

DEMO = Path(__file__).parents[2] / "recipes" / "demo"
WEB = Input(name="web", paths=["x"], format="jsonl")
PARAMETERS = Annotate(minhash=MinHash(bands=4, rows=3))


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return Annotator(PARAMETERS)


@pytest.fixture(scope="module")
def raw() -> pa.RecordBatch:
    """Clean, decomposed, ill-formed, blank and empty documents, with and without ids and urls."""
    rows = [json.loads(line) for line in (DEMO / "udhr.jsonl").open(encoding="utf-8")][::9]
    documents = [{"text": row["text"].encode(), "url": row["url"], "id": row["id"]} for row in rows]
    odd = [b"", b" \n", b"Stra\xdfe\r\nnach Berlin\x00", "Cafe\u0301".encode(), b"same", b"same", b"..."]
    documents += [{"text": text, "url": None if i % 2 else f"u{i}"} for i, text in enumerate(odd)]
    return pa.RecordBatch.from_pylist([{"metadata": '{"a":1}', **document} for document in documents], schema=RAW)


def test_rows_are_aligned_and_identity_is_that_of_the_normalised_text(
    annotator: Annotator, raw: pa.RecordBatch
) -> None:
    found = annotator.annotate(raw, WEB, part=5, first_row=10)
    assert found.documents.schema.equals(schema.DOCUMENTS) and found.signals.schema.equals(signals_schema())
    for name in ("id", "source", "domain", "address", "content_hash"):
        assert found.documents[name].equals(found.signals[name])
    for i, (before, after, numbers) in enumerate(
        zip(raw.to_pylist(), found.documents.to_pylist(), found.signals.to_pylist(), strict=True)
    ):
        text, invalid, removed = normalize_bytes(before["text"])
        data = text.encode()
        assert after["text"] == text
        assert after["address"] == (5 << 32) + 10 + i
        assert after["content_hash"] == xxhash.xxh3_128_digest(data)
        made = xxhash.xxh3_128_hexdigest((before["url"] or "").encode() + b"\n" + data)
        assert after["id"] == (before["id"] or made)
        assert (after["source"], after["domain"], after["metadata"]) == ("web", "web", '{"a":1}')
        assert (numbers["invalid_utf8"], numbers["removed_characters"]) == (invalid, removed)
        assert (numbers["utf8_bytes"], numbers["characters"]) == (len(data), len(text))


def test_bands_and_sketches_are_those_of_the_text(annotator: Annotator, raw: pa.RecordBatch) -> None:
    found = annotator.annotate(raw, WEB, 0, 0)
    scan = Scanner().scan(found.documents["text"])
    signature = minhash.signatures(found.documents["text"], scan, PARAMETERS.minhash)
    bands = minhash.band_hashes(signature, 4).tolist()
    units = scan.column("units").tolist()
    assert found.signals["bands"].to_pylist() == [own if n else [] for own, n in zip(bands, units, strict=True)]
    assert 0 in units
    assert found.signals["sketch"].to_pylist() == [bytes(row.astype(np.uint8)) for row in signature & 0xFF]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_batches_cut_differently_give_identical_rows(annotator: Annotator, raw: pa.RecordBatch, size: int) -> None:
    whole = annotator.annotate(raw, WEB, part=2, first_row=0)
    pieces = [annotator.annotate(raw.slice(at, size), WEB, 2, at) for at in range(0, raw.num_rows, size)]
    for kind in ("documents", "signals"):
        joined = pa.Table.from_batches([getattr(piece, kind) for piece in pieces])
        assert joined.equals(pa.Table.from_batches([getattr(whole, kind)]))


def test_annotating_again_gives_the_same_bytes(raw: pa.RecordBatch) -> None:
    """Nothing is left over from other batches: a fresh annotator and a used one agree."""
    used = Annotator(PARAMETERS)
    used.annotate(raw, WEB, 0, 0)
    assert used.annotate(raw, WEB, 1, 0).signals.equals(Annotator(PARAMETERS).annotate(raw, WEB, 1, 0).signals)


def test_language_is_given_identified_or_code(annotator: Annotator) -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"text": "Ein deutscher Satz über Häuser.".encode()}, {"text": b""}], schema=RAW
    )
    cases = (
        (WEB, ["de", "und"]),
        (WEB.model_copy(update={"language": "fr"}), ["fr", "fr"]),
        (WEB.model_copy(update={"domain": "code"}), ["code", "code"]),
    )
    for source, expected in cases:
        signals = annotator.annotate(batch, source, 0, 0).signals
        assert signals["language"].to_pylist() == expected
        if source is not WEB:
            assert signals["language_score"].to_pylist() == [1, 1]


def test_an_empty_batch(annotator: Annotator) -> None:
    found = annotator.annotate(pa.RecordBatch.from_pylist([], schema=RAW), WEB, 0, 0)
    assert found.documents.num_rows == found.signals.num_rows == 0


def test_signals_have_no_nulls_and_no_nan(annotator: Annotator, raw: pa.RecordBatch) -> None:
    signals = annotator.annotate(raw, WEB, 0, 0).signals
    for name in NAMES:
        column = signals[name].to_numpy(zero_copy_only=False)
        assert signals[name].null_count == 0 and np.isfinite(column).all()
