"""Near-deduplication by one tool, in the tool's own Python: seconds from texts in memory to a flag for each document.

python dedup_peer.py rensa|datasketch|text-dedup|datatrove FILE.parquet [ROUNDS]

All with 14 bands of 8 rows over shingles of 5 words, as the tool makes words. Prints JSON: seconds of each round, and
how many documents it would remove.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BANDS, ROWS, SHINGLE = 14, 8, 5
Texts = list[str]


def shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}


def rensa(texts: Texts) -> int:
    """Its bulk interface: hashed sets, one matrix, one call for the flags (every member of a cluster is flagged)."""
    import rensa

    matrix = rensa.RMinHash.digest_matrix_from_token_sets([shingles(text) for text in texts], BANDS * ROWS, 1)
    lsh = rensa.RMinHashLSH(0.7, BANDS * ROWS, BANDS)
    return sum(lsh.query_duplicate_flags_matrix_one_shot(matrix))


def datasketch(texts: Texts) -> int:
    """`update_batch` and `MinHashLSH.insert` after a query, as its documentation shows for deduplication."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    found = 0
    for row, text in enumerate(texts):
        minhash = MinHash(num_perm=BANDS * ROWS, seed=1)
        minhash.update_batch([shingle.encode() for shingle in shingles(text)])
        if lsh.query(minhash):
            found += 1
        else:
            lsh.insert(row, minhash)
    return found


def text_dedup(texts: Texts) -> int:
    """Its command, in one process, with its faster hash; loading Python and its libraries is not counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from text_dedup import minhash

    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": texts}), f"{folder}/texts.parquet")
        options = ["--path", "parquet", "--data_files", f"{folder}/texts.parquet", "--split", "train",
                     "--cache_dir", f"{folder}/cache", "--output", f"{folder}/out", "--column", "text",
                     "--ngram", str(SHINGLE), "--num_perm", str(BANDS * ROWS), "--b", str(BANDS), "--r", str(ROWS),
                     "--hash_func", "xxh3", "--hash_bits", "32", "--num_proc", "1"]  # fmt: skip
        with contextlib.redirect_stdout(sys.stderr):
            minhash.main(options, standalone_mode=False)
        from datasets import load_from_disk

        return len(texts) - len(load_from_disk(f"{folder}/out"))


def datatrove(texts: Texts) -> int:
    """Its four stages with local executors of one task and one worker, its tokenizer for English."""
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=BANDS, hashes_per_bucket=ROWS,
                           n_grams=SHINGLE)  # fmt: skip
    documents = [Document(text=text, id=str(row)) for row, text in enumerate(texts)]

    def read(data: object = None, rank: int = 0, world_size: int = 1) -> object:
        return iter(documents)

    with tempfile.TemporaryDirectory() as folder:
        stages: list[tuple[list[object], int]] = [
            ([read, MinhashDedupSignature(f"{folder}/signatures", config, "en")], 1),
            ([MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)], BANDS),
            ([MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config)], 1),
            ([read, MinhashDedupFilter(f"{folder}/remove"), JsonlWriter(f"{folder}/kept", compression=None)], 1),
        ]
        for number, (pipeline, tasks) in enumerate(stages):
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{folder}/log{number}").run()
        kept = sum(len(path.read_text().splitlines()) for path in Path(f"{folder}/kept").rglob("*.jsonl"))
    return len(texts) - kept


def ours(texts: Texts) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    from curation.dedup.in_memory import find_duplicates
    from curation.recipe_dedup import MinHash

    found = find_duplicates(pa.array(texts, pa.large_string()), MinHash(), 0.7)
    return int(pc.sum(pc.is_valid(found["match"])).as_py() or 0)


TOOLS: dict[str, Callable[[Texts], int]] = {
    "ours": ours, "rensa": rensa, "datasketch": datasketch, "text-dedup": text_dedup, "datatrove": datatrove,
}  # fmt: skip


def measure(python: str, tool: str, path: str) -> dict[str, float]:
    """Run one round of a tool under another Python on one core."""
    command = ["taskset", "-c", "0", python, __file__, tool, path]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def main() -> None:
    import pyarrow.parquet as pq

    logging.disable(logging.INFO)
    tool, path = sys.argv[1:3]
    texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
    run = TOOLS[tool]
    if tool != "datatrove":
        run([f"{text} and enough other words for a shingle {row}" for row, text in enumerate(texts[:20])])  # warm
    started, cpu = time.perf_counter(), time.process_time()
    removed = run(texts)
    seconds = time.perf_counter() - started
    print(
        json.dumps({"seconds": seconds, "cpu": time.process_time() - cpu, "removed": removed, "documents": len(texts)})
    )


if __name__ == "__main__":
    main()
