"""Near-deduplication of a column of text in one call and one process, of the same pieces as the job `dedup`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import xxhash

from curation.dedup import minhash
from curation.dedup.components import UnionFind
from curation.dedup.keepers import candidates_schema, choose_keepers, fill_part
from curation.dedup.keys import key_lists, keys_of, star_edges
from curation.recipe_dedup import MinHash
from curation.schema import DUPLICATES, addresses
from curation.text.scan import Scanner

BATCH_ROWS = 1000


def find_duplicates(text: pa.Array, parameters: MinHash, similarity: float = 0.7, exact: bool = False) -> pa.Table:
    """Clusters of the documents of a string array [n], `curation.schema.DUPLICATES` row for row; an address is a row.

    Of each cluster the longest document is the keeper.

    Args:
        text: valid UTF-8 without nulls.
        parameters: of signatures and bands.
        similarity: least Jaccard similarity of a duplicate to its keeper.
        exact: verify by the sets of shingles rather than by signatures.
    """
    facts = pa.concat_tables(list(_facts(text, parameters, exact))).combine_chunks()
    n = len(text)
    address = addresses(0, n)
    keys = keys_of(address, address, facts["keys"].combine_chunks())
    edges = star_edges(*(keys[name].to_numpy() for name in ("key", "address", "keeper")))
    graph = UnionFind({0: n})
    graph.add(edges["left"].to_numpy(), edges["right"].to_numpy())
    pieces = []
    schema = candidates_schema(1)
    for members in graph.members():
        rows = members["address"].cast(pa.int64())
        taken = facts.take(rows)
        constant = {"keeper": members["address"], "cluster_size": pa.array(np.zeros(len(rows), np.uint32)),
                    "url_hash": pa.array(np.zeros(len(rows), np.uint64)), "id": pa.array([""] * len(rows))}  # fmt: skip
        columns = {name: taken[name] for name in taken.column_names} | constant
        columns |= {"address": members["address"], "candidates": members["candidates"]}
        pieces.append(pa.table([columns[field.name] for field in schema], schema=schema))
    chosen = choose_keepers(pa.concat_tables(pieces), similarity).duplicates if pieces else None
    merged = pa.Table.from_batches([chosen] if chosen is not None else [], DUPLICATES)
    return pa.Table.from_batches([fill_part(merged, 0, n)])


def _facts(text: pa.Array, parameters: MinHash, exact: bool) -> Iterator[pa.Table]:
    """Columns of `candidates_schema` that come from the text, in batches."""
    scanner = Scanner()
    for start in range(0, max(len(text), 1), BATCH_ROWS):
        batch = text.slice(start, BATCH_ROWS)
        scan = scanner.scan(batch)
        signature = minhash.signatures(batch, scan, parameters)
        bands = minhash.band_lists(signature, parameters.bands, scan.column("units") > 0)
        digests = [xxhash.xxh3_128_digest(document.as_buffer()) for document in batch]
        content = pa.array(digests, pa.binary(16))
        sets = minhash.shingle_sets(batch, scan, parameters.shingle) if exact else None
        yield pa.table({
            "preference_0": pa.array(-scan.column("characters").astype(np.float64)),
            "content_hash": content,
            "sketch": minhash.sketches(signature),
            "keys": key_lists(bands, content),
            "shingles": sets if sets is not None else pa.nulls(len(batch), pa.list_(pa.uint32())),
        })  # fmt: skip
