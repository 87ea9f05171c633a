"""Epochs over damaged files: single bits flipped and ends cut off, one at a time, and what each loader makes of them.

    python benchmarks/loader_damage.py FOLDER [--flips 1000] [--truncations 100]
        [--peer-python PEER/bin/python] [--peer-flips 100] [--peer-truncations 20]

FOLDER gets a small token dataset and the peers' copies of it (see loader_against_peers.py). Damage is drawn over all
bytes that a tool reads. An epoch then ends in one of these ways: `reported` by an exception before any batch differed;
`wrong tokens` in a batch, without one; `short epoch`, the batches before being right, without one; `crash`, `hangs`;
`nothing`, where the damaged bytes are not read.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from loader_against_peers import PEERS, call, write_tokens

OUTCOMES = ("reported", "wrong tokens", "short epoch", "crash", "hangs", "nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--tokens", type=float, default=2e6)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--truncations", type=int, default=100)
    parser.add_argument("--peer-python")
    parser.add_argument("--peer-flips", type=int, default=100)
    parser.add_argument("--peer-truncations", type=int, default=20)
    arguments = parser.parse_args()
    folder = arguments.folder
    if not Path(folder, "shards", "manifest.json").exists():
        write_tokens(folder, int(arguments.tokens), None)
    runs = [("ours", sys.executable, arguments.flips, arguments.truncations)]
    if arguments.peer_python:
        for tool in ("memmap", *PEERS, "mosaicml-streaming-validated"):
            runs.append((tool, arguments.peer_python, arguments.peer_flips, arguments.peer_truncations))
            call(arguments.peer_python, "prepare", tool, folder)
    print("\n| tool | damage | trials | " + " | ".join(OUTCOMES) + " |\n|---|---|--:" + "|--:" * len(OUTCOMES) + "|")
    for tool, python, flips, truncations in runs:
        for kind, name, trials in (("flip", "one bit flipped", flips), ("cut", "end cut off", truncations)):
            found = json.loads(call(python, "damage", tool, folder, kind, str(trials)))
            columns = " | ".join(f"{found.get(way, 0):,}" for way in OUTCOMES)
            print(f"| {tool} | {name} | {trials:,} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
