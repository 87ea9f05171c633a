"""Near-deduplication, text to flags, against datatrove, rensa, datasketch and text-dedup on the same documents.

    python benchmarks/dedup_against_peers.py DATA.parquet --languages en de --megabytes 20 \
        --peer rensa=PYTHON --peer datasketch=PYTHON --peer text-dedup=PYTHON --peer datatrove=PYTHON

PYTHON is the interpreter of an environment with the tool (`pip install rensa datasketch`; `text-dedup`; `datatrove`
with spacy); `benchmarks/peers/dedup_peer.py` says how each is used. Every tool gets one core and the documents in
memory, in turns with ours; the time of a turn does not count starting Python. Languages are those with spaces between
words unless given: the tools but datatrove know no other words.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PEER = Path(__file__).parent / "peers" / "dedup_peer.py"


def sample(path: str, languages: list[str], megabytes: float) -> pa.Table:
    """The first documents of these languages, in the order of the file."""
    table = pq.read_table(path, columns=["text", "language"])
    table = table.filter(pc.is_in(table["language"], pa.array(languages)))
    ends = pc.cumulative_sum(pc.binary_length(table["text"]).cast(pa.int64())).to_numpy()
    return table.slice(0, int((ends <= megabytes * 1e6).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--languages", nargs="+", default=["en", "de", "fr", "es", "pt", "it", "nl", "ru", "cs", "pl"])
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="TOOL=PYTHON")
    arguments = parser.parse_args()
    specification = importlib.util.spec_from_file_location("dedup_peer", PEER)
    assert specification is not None and specification.loader is not None
    peer = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(peer)
    table = sample(arguments.data, arguments.languages, arguments.megabytes)
    size = pc.sum(pc.binary_length(table["text"])).as_py() / 1e6
    print(f"{table.num_rows:,} documents, {size:.1f} MB\n\n| tool | seconds | MB/s | ours is faster by | removed |")
    print("|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/sample.parquet"
        pq.write_table(table, path)
        for tool, python in (item.split("=", 1) for item in arguments.peer):
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                ours.append(peer.measure(sys.executable, "ours", path))
                theirs.append(peer.measure(python, tool, path))
            mine, other = (statistics.median(turn["seconds"] for turn in turns) for turns in (ours, theirs))
            ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True))
            print(f"| ours, beside {tool} | {mine:.2f} | {size / mine:.1f} | | {ours[0]['removed']:,} |")
            print(f"| {tool} | {other:.2f} | {size / other:.2f} | {ratio:.1f} | {theirs[0]['removed']:,} |", flush=True)


if __name__ == "__main__":
    main()
