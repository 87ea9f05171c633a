"""Every export of a token dataset, read by the reader it is for: the same samples, and the same bytes as its writer.

    benchmarks/peers/shard_readers.sh /some/folder       # megatron-core, mosaicml-streaming, litdata, ...
    python benchmarks/shard_layouts.py runs/mine/shards/train --peer-python /some/folder/bin/python

Exports the dataset in all layouts to a temporary folder (the real ones with CPU seconds and MB/s of tokens), has
`benchmarks/peers/shard_readers.py` read each, and compares the sha256 of what was read with that of the dataset's
documents, or windows. "same bytes": the official writer, fed with the same samples, leaves the same files; for
Megatron, of a dataset of the same documents in one shard.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.shards.export.columns import write_jsonl, write_parquet
from tokenizer.shards.export.links import LAYOUTS, link
from tokenizer.shards.export.litdata import write_litdata
from tokenizer.shards.export.mds import write_mds
from tokenizer.shards.export.windows import windows
from tokenizer.shards.format import load_manifest
from tokenizer.shards.walk import walk
from tokenizer.shards.writer import write_manifest, write_shard


def documents(directory: str) -> Iterable[np.ndarray]:
    for shard in walk(directory):
        offsets = shard.offsets
        yield from (shard.tokens[offsets[i] : offsets[i + 1]] for i in range(shard.lengths.size))


def windows_of_shards(directory: str, length: int) -> Iterable[np.ndarray]:
    """As datatrove reads them: each file by itself."""
    for shard in walk(directory):
        yield from shard.tokens[: shard.tokens.size // length * length].reshape(-1, length)


def digest(samples: Iterable[np.ndarray]) -> str:
    sha256 = hashlib.sha256()
    for sample in samples:
        values = np.asarray(sample).astype(np.int64)
        sha256.update(np.int64(values.size).tobytes() + values.tobytes())
    return sha256.hexdigest()


def in_one_shard(directory: str, folder: str) -> None:
    manifest, shards = load_manifest(directory), list(walk(directory))
    tokens, lengths, meta = (np.concatenate([getattr(s, x) for s in shards]) for x in ("tokens", "lengths", "meta"))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    record = write_shard(folder, "all", tokens, offsets, meta, dtype=manifest["dtype"])
    tables = {name: manifest[name] for name in ("tokenizer", "languages", "domains", "sources", "recipe", "parents")}
    write_manifest(folder, [record], **tables)


def export_all(directory: str, out: Path, length: int, tokenizer: str | None) -> dict[str, float]:
    """CPU seconds by layout."""
    made: dict[str, Any] = {name: lambda to, name=name: link(directory, to, name) for name in LAYOUTS}
    if load_manifest(directory)["dtype"] != "uint32":
        del made["torchtitan"]
    made |= {
        "mds": lambda to: write_mds(directory, to),
        "mds-windows": lambda to: write_mds(directory, to, length),
        "litdata": lambda to: write_litdata(directory, to, length),
        "parquet": lambda to: write_parquet(directory, to),
    }
    if tokenizer:
        made["jsonl"] = lambda to: write_jsonl(directory, to, tokenizer)
    seconds = {}
    for name, write in made.items():
        write(str(out / f"warm-{name}"))  # compiles
        started = time.process_time()
        write(str(out / name))
        seconds[name] = time.process_time() - started
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--sequence-length", type=int, default=2049)
    parser.add_argument("--tokenizer", help="tokenizer.json, to time the export to JSON lines")
    arguments = parser.parse_args()
    directory, length = arguments.directory, arguments.sequence_length
    manifest = load_manifest(directory)
    megabytes = manifest["tokens"] * np.dtype(manifest["dtype"]).itemsize / 1e6
    with tempfile.TemporaryDirectory(dir=Path(directory).absolute().parent) as folder:  # links need the same disk
        out = Path(folder)
        seconds = export_all(directory, out, length, arguments.tokenizer)
        in_one_shard(directory, f"{folder}/one")
        link(f"{folder}/one", f"{folder}/megatron-one", "megatron")
        of_documents = digest(documents(directory))
        of_windows = digest(w for batch in windows(directory, length, 1000) for w in batch)
        expected = {
            "mds-windows": of_windows,
            "litdata": of_windows,
            "datatrove": digest(windows_of_shards(directory, length)),
        }
        peer = Path(__file__).parent / "peers" / "shard_readers.py"
        command = [arguments.peer_python, str(peer), folder, str(length), manifest["dtype"]]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(f"{manifest['documents']:,} documents, {manifest['tokens']:,} tokens, {len(manifest['shards'])} shards")
    print(f"{'layout':<13} {'reader':<27} {'samples':>10} {'tokens':>12}  same tokens  same bytes  export s   MB/s")
    for line in said.splitlines():
        if not line.startswith("{"):
            continue
        row = json.loads(line)
        same = row["sha256"] == expected.get(row["layout"], of_documents)
        spent = seconds.get(row["layout"])
        timed = "" if spent is None else f"{spent:>8.2f} {megabytes / spent:>6,.0f}"
        bytes_ = {None: "", True: "yes", False: "NO"}[row["same_bytes"]]
        print(f"{row['layout']:<13} {row['reader']:<27} {row['samples']:>10,} {row['tokens']:>12,}  "
              f"{'yes' if same else 'NO':<11}  {bytes_:<10}  {timed}")  # fmt: skip
    if "jsonl" in seconds:
        rate = manifest["utf8_bytes"] / 1e6 / seconds["jsonl"]
        print(f"jsonl: {seconds['jsonl']:.2f} s, {rate:,.0f} MB of text a second")


if __name__ == "__main__":
    main()
