"""Writing the index of a shard against Megatron-LM's `_IndexWriter`, equal bytes, in turns on one core.

    pip install megatron-core               # into an environment of its own
    python benchmarks/shard_index.py --peer-python /some/folder/bin/python [--documents 600000] [--rounds 5]

Both are given the lengths of the same documents, one sequence each, and write a file: ours `index_bytes` from a NumPy
array, theirs `_IndexWriter.write` from the lists that `IndexedDatasetBuilder` keeps. Times are CPU seconds, medians of
the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from tokenizer.shards.format import index_bytes

PEER = """
import json, sys, time
import numpy as np
from megatron.core.datasets.indexed_dataset import _IndexWriter
lengths = np.load(sys.argv[1]).tolist()
documents = list(range(len(lengths) + 1))
started = time.process_time()
with _IndexWriter(sys.argv[2], np.int32) as writer:
    writer.write(lengths, None, documents)
print(json.dumps(time.process_time() - started))
"""


def ours(lengths: np.ndarray, path: Path) -> float:
    started = time.process_time()
    path.write_bytes(index_bytes(lengths, "uint32"))
    return time.process_time() - started


def theirs(python: str, lengths: Path, path: Path) -> float:
    command = [python, "-W", "ignore", "-c", PEER, str(lengths), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(said.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--documents", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    lengths = np.random.default_rng(0).lognormal(6, 1.2, arguments.documents).astype(np.int64) + 1
    with tempfile.TemporaryDirectory() as folder:
        saved, mine, other = (Path(folder, name) for name in ("lengths.npy", "ours.idx", "theirs.idx"))
        np.save(saved, lengths)
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(arguments.rounds):
            times["ours"].append(ours(lengths, mine))
            times["theirs"].append(theirs(arguments.peer_python, saved, other))
        equal = mine.read_bytes() == other.read_bytes()
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{arguments.documents:,} documents, bytes equal: {equal}")
    for name, seconds in medians.items():
        print(f"{name:<8} {seconds:.4f} s of CPU time  {min(times[name]):.4f} to {max(times[name]):.4f}")
    print(f"ratio    {medians['theirs'] / medians['ours']:.1f}")


if __name__ == "__main__":
    main()
