"""Reading ``counts/`` of finished runs, and of the outputs of `glotmill tokenizer merge-counts`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from curation import storage
from curation.dataset import Record, read_manifest, read_part
from jobs.errors import JobError
from tokenizer.bpe.counts import merge


def read_counts(runs: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """The sum of the counts of ``runs``, grouped by ``columns``; only the sum is in memory as a whole.

    Raises:
        JobError: the runs' pretokens were cut by different patterns.
        FileNotFoundError: a run has no finished counts.
    """
    common_pattern(runs)
    files = [(run, file) for run in runs for file in sorted(read_manifest(run, "counts")["files"])]
    return merge((read_part(run, "counts", file) for run, file in files), columns)


def common_pattern(runs: Sequence[str]) -> str:
    """The pattern that cut the pretokens of all ``runs``.

    Raises:
        JobError: there is more than one.
        FileNotFoundError: a run has no finished counts.
    """
    patterns: list[str] = [read_manifest(run, "counts")["recipe"]["pattern"] for run in runs]
    for run, pattern in zip(runs, patterns, strict=True):
        if pattern != patterns[0]:
            raise JobError(f"{run} counted pretokens that were cut by {pattern!r}, {runs[0]} by {patterns[0]!r}; "
                           "counts of different patterns cannot be added: count one of them anew")  # fmt: skip
    return patterns[0]


def distinct_sources(runs: Sequence[str]) -> list[str]:
    """The fingerprints of the counts of ``runs``; for merged counts, of those that were merged.

    Raises:
        JobError: one is there twice, by whatever path, so that its text would count double.
        FileNotFoundError: a run has no finished counts.
    """
    found: dict[str, str] = {}
    for run in runs:
        manifest = read_manifest(run, "counts")
        for source in manifest["recipe"].get("counts", [manifest["fingerprint"]]):
            if source in found:
                raise JobError(f"{run} holds the same counts as {found[source]}, wholly or in part; their text would "
                               "count double: leave one of them out")  # fmt: skip
            found[source] = run
    return list(found)


def counted_text(runs: Sequence[str]) -> Record:
    """What was counted: ``documents``, ``utf8_bytes`` and the bytes of each of ``languages``, summed over ``runs``."""
    documents, languages = 0, Counter[str]()
    for run in runs:
        job = read_manifest(run, "counts")["job"]
        done = json.loads(storage.read_text(storage.join(run, "_jobs", job, "done.json")))
        documents += done["documents"]
        languages.update(done["languages"])
    return {"documents": documents, "utf8_bytes": languages.total(), "languages": dict(sorted(languages.items()))}
