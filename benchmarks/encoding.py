"""Encoding with the compiled encoder against ``tokenizers`` and, where installed, other encoders, with the same ids.

    python benchmarks/encoding.py TEXT.parquet... [--megabytes 16] [--size 151643] [--train-megabytes 60] [--runs 3]
        [--peer-python PYTHON] [--verify]

Trains a tokenizer of ``--size`` tokens on a random sample of the column ``text``, and encodes the first ``--megabytes``
of it: cold, again, and then the next megabytes. Each run is a process of its own with one thread, all in turn; reported
are medians: megabytes per CPU second, and the highest resident memory of the process with its texts and interpreter.
``--peer-python`` is a Python that has tiktoken, gigatoken, snaptokens or fastokens, and is where ``tokenizers`` runs
too; those it lacks are left out. ``--verify`` encodes all texts of the files with ours and with ``tokenizers`` and
stops at the first that differs, for the pattern of Qwen2 and for marks as letters.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bpe_training import sample_texts
from tokenizers import Tokenizer

from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.trainer import train_exact
from tokenizer.encoding import Encoder, encode_with, plain_text_tokenizer
from tokenizer.pretokens import CONTROL_TOKENS, MARKS_AS_LETTERS_PATTERN, QWEN2_PATTERN

CHILD = Path(__file__).parent / "peers" / "encoders.py"
NAMES = ("glotmill", "tokenizers", "tiktoken", "gigatoken", "snaptokens", "fastokens")
VERIFIED_ROWS = 2000  # at a time


def write_tokenizer(texts: pa.Array, size: int, pattern: str, folder: Path) -> None:
    """Train on the texts, and write ``tokenizer.json`` and, without added tokens, ``plain.json``."""
    counter = PretokenCounter(pattern)
    counter.add(texts)
    vocabulary = train_exact(counter.table(), size)
    tokenizer = vocabulary.tokenizer(pattern=pattern, special_tokens=CONTROL_TOKENS)
    tokenizer.save(str(folder / "tokenizer.json"))
    plain_text_tokenizer(tokenizer).save(str(folder / "plain.json"))
    print(f"{pattern}\n{len(vocabulary.tokens):,} tokens")


def write_texts(texts: pa.Array, path: Path) -> None:
    with pa.ipc.new_file(path, pa.schema([("text", pa.large_string())])) as writer:
        writer.write_table(pa.table({"text": texts}))


def run_in_process(name: str, folder: Path, peer_python: str) -> dict[str, Any] | None:
    environment = os.environ | {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1]) if name == "glotmill" else ""
    python = sys.executable if name == "glotmill" else peer_python
    done = subprocess.run([python, CHILD, name, folder], env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"{name} does not run: {done.stderr.strip().splitlines()[-1]}")
        return None
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(folder: Path, runs: int, peer_python: str) -> dict[str, list[dict[str, Any]]]:
    """The results of each encoder that runs."""
    run_in_process("glotmill", folder, peer_python)  # compiles
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for _ in range(runs):
        for name in list(results):
            result = run_in_process(name, folder, peer_python)
            if result is None:
                del results[name]
            else:
                results[name].append(result)
    return results


def report(results: dict[str, list[dict[str, Any]]], megabytes: float) -> None:
    expected = results["tokenizers"][0]["hash"]
    print(f"{'MB per CPU second':<22}{'cold':>8}{'again':>8}{'next':>8}{'load, s':>9}{'MiB':>7}{'cold ratio':>12}  ids")
    slowest = statistics.median(run["cold"] for run in results["tokenizers"])
    for name, runs in results.items():
        seconds = {what: statistics.median(run[what] for run in runs) for what in ("cold", "again", "next", "load")}
        rates = "".join(f"{megabytes / seconds[what]:>8.1f}" for what in ("cold", "again", "next"))
        peak = statistics.median(run["peak_mib"] for run in runs)
        same = "identical" if all(run["hash"] == expected for run in runs) else "DIFFER"
        version = "" if name == "glotmill" else runs[0]["version"]
        ratio = slowest / seconds["cold"]
        print(f"{f'{name} {version}':<22}{rates}{seconds['load']:>9.2f}{peak:>7.0f}{ratio:>12.1f}  {same}")


def verify(texts: pa.Array, folder: Path) -> None:
    """Encode all texts with both. Exits with the first text that differs."""
    encoder, tokenizer = Encoder(folder / "tokenizer.json"), Tokenizer.from_file(str(folder / "plain.json"))
    for start in range(0, len(texts), VERIFIED_ROWS):
        part = texts[start : start + VERIFIED_ROWS]
        tokens, offsets = encoder.encode(part)
        expected, lengths = encode_with(tokenizer, part.to_pylist())
        if not (np.array_equal(np.diff(offsets), lengths) and np.array_equal(tokens, expected)):
            encoder.check(part)
            sys.exit(f"The ids of documents {start:,} to {start + len(part):,} differ.")
    size = pc.sum(pc.binary_length(texts)).as_py()
    print(f"{len(texts):,} documents, {size / 1e6:.0f} MB: ids identical to those of tokenizers")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--megabytes", type=float, default=16)
    parser.add_argument("--size", type=int, default=151_643)
    parser.add_argument("--train-megabytes", type=float, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--verify", action="store_true")
    arguments = parser.parse_args()
    texts = sample_texts(arguments.files, float("inf"))
    sizes = np.cumsum(pc.binary_length(texts).to_numpy()) / 1e6
    first, then, trained = np.searchsorted(
        sizes, [arguments.megabytes, 2 * arguments.megabytes, arguments.train_megabytes]
    ).tolist()
    for pattern in (QWEN2_PATTERN, MARKS_AS_LETTERS_PATTERN):
        with tempfile.TemporaryDirectory(prefix="glotmill-") as name:
            folder = Path(name)
            write_tokenizer(texts[:trained], arguments.size, pattern, folder)
            if arguments.verify:
                verify(texts, folder)
                continue
            write_texts(texts[:first], folder / "first.arrow")
            write_texts(texts[first:then], folder / "next.arrow")
            report(measure(folder, arguments.runs, arguments.peer_python), float(sizes[first - 1]))
            break


if __name__ == "__main__":
    main()
