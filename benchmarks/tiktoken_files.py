"""Claim: a file of tiktoken ranks that `tokenizer.evaluation.load` reads gives the ids of tiktoken itself.

    python benchmarks/tiktoken_files.py --peer-python PEER/bin/python --text 'data/*.parquet' FILE.tiktoken@PATTERN ...

PEER has tiktoken and pyarrow. Texts (column ``text``) are put in NFC, which tiktoken leaves to its caller. Prints, for
each file, the documents whose ids differ and the CPU seconds of both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import storage
from curation.text.normalize import normalize
from tokenizer.evaluation import load
from tokenizer.pretokens import PATTERNS

PEER = Path(__file__).parent / "peers" / "tiktoken_ids.py"


def read(patterns: list[str], megabytes: float) -> pa.LargeStringArray:
    """Every n-th document, so that about so many megabytes are read of all."""
    files = [path for pattern in patterns for path in storage.glob(pattern)]
    columns = [pq.read_table(path, columns=["text"])["text"].cast(pa.large_string()) for path in files]
    text = pa.chunked_array([chunk for column in columns for chunk in column.chunks]).drop_null()
    step = max(1, round(pc.sum(pc.binary_length(text)).as_py() / (megabytes * 1e6)))
    return normalize(text.take(pa.array(range(0, len(text), step))).combine_chunks()).text


def compare(given: str, text: pa.LargeStringArray, peer_python: str) -> tuple[int, int, float, float]:
    """Tokens, documents that differ, and CPU seconds of ours and of tiktoken."""
    path, _, pattern = given.partition("@")
    subject = load(path, pattern)
    started = time.process_time()
    ids, offsets = subject.encode(text)
    seconds = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": text}), f"{folder}/text.parquet")
        command = [peer_python, str(PEER), path, PATTERNS[pattern], folder]
        theirs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        peer = pq.read_table(f"{folder}/ids.parquet")["ids"].combine_chunks()
    ours = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids))
    differ = sum(not np.array_equal(one.values, other.values) for one, other in zip(ours, peer, strict=True))
    return len(ids), differ, seconds, theirs["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--text", action="append", required=True)
    parser.add_argument("--megabytes", type=float, default=40.0)
    parser.add_argument("--peer-python", required=True)
    arguments = parser.parse_args()
    text = read(arguments.text, arguments.megabytes)
    print(f"{len(text):,} documents, {pc.sum(pc.binary_length(text)).as_py() / 1e6:.1f} MB")
    print(f"{'file':<50}{'tokens':>12}{'differ':>8}{'ours, CPU s':>13}{'tiktoken':>10}")
    for given in arguments.files:
        tokens, differ, ours, theirs = compare(given, text, arguments.peer_python)
        print(f"{given[-49:]:<50}{tokens:>12,}{differ:>8,}{ours:>13.1f}{theirs:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
