"""Samples of 2,048 tokens from one process: our loader against memmap windows and other loaders, on the same tokens.

    python benchmarks/loader_against_peers.py FOLDER --peer-python PEER/bin/python [--shards SHARDS] [--tokens 60e6]

`benchmarks/peers/loader.sh PEER` makes the peers' environment, `benchmarks/peers/loader_peer.py` says how each is used.
FOLDER gets one shard of random tokens in documents as long as those of SHARDS (such as `packing.py --write` makes; by
default log-normal lengths, median 423), closed by end-of-text, and the peers' copies of it. Tools take turns; medians.
A tool's CPU is all its threads'.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.reader import open_shards
from tokenizer.shards.writer import write_manifest, write_shard

PEER = Path(__file__).parent / "peers" / "loader_peer.py"
OWN = ("memmap", "memmap-masks", "ours")
PEERS = ("mosaicml-streaming", "litdata", "megatron", "olmo-core", "grain")
END, VOCABULARY = 0, 65_537  # as in loader_peer.py; above 65,536, so that Megatron reads 32-bit tokens
LANGUAGES = 24


def write_tokens(folder: str, total: int, shards: str | None) -> None:
    """One shard of ``total`` random tokens."""
    drawn = np.random.default_rng(0)
    if shards:
        pool = np.diff(open_shards(shards).document_offsets)
    else:
        pool = np.maximum(2, drawn.lognormal(np.log(423), 1.0, 100_000)).astype(np.int64)
    lengths = drawn.choice(pool, int(1.1 * total / pool.mean()))
    lengths = lengths[np.cumsum(lengths) <= total]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = drawn.integers(1, VOCABULARY - 1, offsets[-1], np.uint32)
    tokens[offsets[1:] - 1] = END
    meta = np.zeros(len(lengths), META_DTYPE)
    meta["language"], meta["utf8_bytes"] = drawn.integers(0, LANGUAGES, len(lengths)), 4 * lengths
    record = write_shard(f"{folder}/shards", "train-00000", tokens, offsets, meta)
    tokenizer = {"fingerprint": "random", "vocabulary_size": VOCABULARY, "special_tokens": {"<|endoftext|>": END}}
    tables = {"languages": [f"l{i}" for i in range(LANGUAGES)], "domains": ["web"], "sources": ["random"]}
    write_manifest(f"{folder}/shards", [record], tokenizer=tokenizer, **tables, recipe={}, parents=[])
    print(f"{len(lengths):,} documents, {offsets[-1]:,} tokens, {LANGUAGES} sources")


def call(python: str, *arguments: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run([python, str(PEER), *arguments], capture_output=True, text=True, env=environment)
    if found.returncode:
        raise RuntimeError(found.stderr.strip().splitlines()[-1] if found.stderr.strip() else "failed")
    return found.stdout.strip().splitlines()[-1] if found.stdout.strip() else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--peer-python")
    parser.add_argument("--shards")
    parser.add_argument("--tokens", type=float, default=60e6)
    parser.add_argument("--samples", type=int, default=24_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", nargs="+")
    arguments = parser.parse_args()
    folder = arguments.folder
    if not Path(folder, "shards", "manifest.json").exists():
        write_tokens(folder, int(arguments.tokens), arguments.shards)
    tools = {tool: sys.executable for tool in OWN}
    if arguments.peer_python:
        tools |= {tool: arguments.peer_python for tool in PEERS}
    if arguments.tools:
        tools = {tool: python for tool, python in tools.items() if tool in arguments.tools}
    turns: dict[str, list[dict[str, float]]] = {tool: [] for tool in tools}
    for tool, python in tools.items():
        if not Path(folder, tool).exists():
            call(python, "prepare", tool, folder)
    for _ in range(arguments.rounds):
        for tool, python in tools.items():
            turns[tool].append(json.loads(call(python, "read", tool, folder, str(arguments.samples))))
    print("\n| tool | CPU us a sample | M tokens/CPU s | M tokens/s | against memmap (CPU) |\n|---|--:|--:|--:|--:|")
    speeds = {tool: statistics.median(t["tokens"] / t["cpu"] for t in found) for tool, found in turns.items()}
    for tool, found in turns.items():
        wall = statistics.median(t["tokens"] / t["wall"] for t in found)
        print(f"| {tool} | {2048 / speeds[tool] * 1e6:.1f} | {speeds[tool] / 1e6:.0f} | {wall / 1e6:.0f} | "
              f"{speeds[tool] / speeds.get('memmap', speeds[tool]):.3f} |")  # fmt: skip


if __name__ == "__main__":
    main()
