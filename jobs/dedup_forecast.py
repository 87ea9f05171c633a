"""What the job `dedup` will need for a number of documents, for `glotmill plan`.

Bytes follow from the formats of the exchanges; times and memory are those of `benchmarks/dedup_scale.py` on one core
(AMD EPYC, 2026-11): 2 to 20 million documents took 4.0 to 4.9 microseconds each at 14 bands, most of it sorting keys.
"""

from __future__ import annotations

from typing import NamedTuple

from curation.dedup.minhash import catch_probability
from jobs.dedup_steps import COMPONENT_ROWS, EXACT_COMPONENT_ROWS, GROUP_ROWS, PARTITION_KEYS
from jobs.run_context import Run

DOCUMENT_BYTES = 5000
"""Of a web document, on average, where the number of documents is not given."""
KEY_BYTES = 24
EDGE_BYTES = 32
"""Two directions of two addresses."""
MEMBER_SHARE = 0.15
"""Documents in components: 0.11 to 0.13 in the project's test text, more in a crawl of many snapshots."""
SECONDS_A_KEY = 5e-6 / 15
CANDIDATE_BYTES, EXACT_BYTES = 500, 3000
WORKER_BYTES = 350 << 20
"""A process with its libraries and compiled kernels."""


class Forecast(NamedTuple):
    shuffled: int  # bytes written to exchanges, all steps
    memory: int  # bytes of one worker
    seconds: float  # of one core
    rounds: bool  # whether components are connected in rounds


def forecast(run: Run, documents: int) -> Forecast:
    """Bytes, memory and time of `dedup` for so many documents."""
    recipe = run.recipe
    minhash, exact = recipe.annotate.minhash, recipe.dedup.verify == "exact"
    keys = documents * (minhash.bands + 1 + recipe.dedup.same_url)
    members = int(documents * MEMBER_SHARE)
    rounds = documents * 8 > recipe.dedup.memory
    edges = members * minhash.bands * EDGE_BYTES
    each = EXACT_BYTES if exact else 2 * minhash.bands * minhash.rows + 8 * minhash.bands + 100
    shuffled = keys * KEY_BYTES + edges + members * (16 + each + 80)
    graph = 0 if rounds else 4 * documents + PARTITION_KEYS * EDGE_BYTES
    rows = min(documents, EXACT_COMPONENT_ROWS if exact else COMPONENT_ROWS)
    tasks = (
        min(documents, GROUP_ROWS) * (minhash.bands + 1) * KEY_BYTES * 3,  # keys of a group, sorted copy and batch
        PARTITION_KEYS * KEY_BYTES * 4,
        int(rows * MEMBER_SHARE) * (EXACT_BYTES if exact else CANDIDATE_BYTES) * 3,
        graph,
    )
    return Forecast(shuffled, WORKER_BYTES + max(tasks), keys * SECONDS_A_KEY * (1.7 if rounds else 1.0), rounds)


def forecast_lines(run: Run, documents: int) -> list[str]:
    """What `glotmill plan` says about deduplication."""
    minhash, found = run.recipe.annotate.minhash, forecast(run, documents)
    caught = ", ".join(f"{s}: {catch_probability(s, minhash.bands, minhash.rows):.3f}" for s in (0.7, 0.8, 0.9))
    how = "in rounds of stars" if found.rounds else "by one worker in memory"
    return [
        f"dedup: {minhash.bands} bands of {minhash.rows} rows over {minhash.shingle}-unit shingles; "
        f"probability to catch a pair at Jaccard {caught}",
        f"dedup of {documents:,} documents: about {found.shuffled / 1e9:,.2f} GB of keys and candidates through files, "
        f"{found.memory / 2**30:,.1f} GiB a worker, {found.seconds:,.0f} s of one core; components {how}",
    ]
