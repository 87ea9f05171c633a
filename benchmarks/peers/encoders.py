"""One encoder in a process of its own, for `encoding.py`; runs in the peers' environment, or in ours.

    python encoders.py NAME FOLDER

FOLDER holds ``tokenizer.json``, ``plain.json`` (the same without added tokens), ``first.arrow`` and ``next.arrow``.
Loads the tokenizer, encodes the texts of the first file, the same again, and those of the next, and prints a JSON line:
CPU seconds of each, the highest resident memory in MiB, and a hash of the ids of the first. Peers get their texts as
Python strings, made beforehand; ours gets the Arrow column.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Encode = Callable[[Any], tuple[np.ndarray, np.ndarray]]
"""From texts to their ids one after the other, and where each text's begin and end."""


def glotmill(folder: Path) -> Encode:
    from tokenizer.encoding import Encoder

    encoder = Encoder(folder / "tokenizer.json")
    assert encoder.compiled
    encoder.encode(pa.array(["é"], pa.large_string()))  # loads compiled code and Unicode tables
    return encoder.encode


def tokenizers(folder: Path) -> Encode:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "plain.json"))
    return lambda texts: _joined([e.ids for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False)])


def tiktoken(folder: Path) -> Encode:
    import tiktoken
    from tokenizers import pre_tokenizers

    settings = json.loads((folder / "plain.json").read_text())
    pattern = settings["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    assert set(byte_of) == set(pre_tokenizers.ByteLevel.alphabet())
    ranks = {bytes(byte_of[c] for c in token): rank for token, rank in settings["model"]["vocab"].items()}
    encoding = tiktoken.Encoding("benchmark", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda texts: _joined([encoding.encode_ordinary(text) for text in texts])


def gigatoken(folder: Path) -> Encode:
    import awkward
    import gigatoken

    tokenizer = gigatoken.Tokenizer.from_json((folder / "plain.json").read_text())

    def encode(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        ids = tokenizer.encode_batch(texts, parallel=False)
        return awkward.flatten(ids).to_numpy(), _offsets(awkward.num(ids).to_numpy())

    return encode


def snaptokens(folder: Path) -> Encode:
    import snaptokens

    return _flat(snaptokens.Tokenizer.from_file(str(folder / "plain.json")))


def fastokens(folder: Path) -> Encode:
    import fastokens

    return _flat(fastokens.Tokenizer.from_file(str(folder / "plain.json")))


ENCODERS = {encoder.__name__: encoder for encoder in (glotmill, tokenizers, tiktoken, gigatoken, snaptokens, fastokens)}


def _flat(tokenizer: Any) -> Encode:
    def encode(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        ids, offsets = tokenizer.encode_batch_flat(texts)
        return np.frombuffer(ids, np.uint32), np.frombuffer(offsets, np.uint64).astype(np.int64)

    return encode


def _joined(ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = _offsets(np.fromiter(map(len, ids), np.int64, len(ids)))
    return np.fromiter((i for text in ids for i in text), np.uint32, int(offsets[-1])), offsets


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def peak_mib() -> float:
    """Not ru_maxrss, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    columns: list[Any] = []
    for file in ("first.arrow", "next.arrow"):
        columns.append(pa.ipc.open_file(pa.memory_map(str(folder / file))).read_all()["text"].combine_chunks())
    if name != "glotmill":
        columns = [column.to_pylist() for column in columns]
    start = time.process_time()
    encode = ENCODERS[name](folder)
    result: dict[str, Any] = {"load": time.process_time() - start}
    hashed = hashlib.sha256()
    for what, texts in zip(("cold", "again", "next"), (columns[0], columns[0], columns[1]), strict=True):
        start = time.process_time()
        ids, offsets = encode(texts)
        result[what] = time.process_time() - start
        if what == "cold":
            hashed.update(ids.astype(np.uint32).tobytes() + offsets.astype(np.int64).tobytes())
    version = "" if name == "glotmill" else importlib.metadata.version(name)
    print(json.dumps(result | {"peak_mib": peak_mib(), "hash": hashed.hexdigest(), "version": version}))


if __name__ == "__main__":
    main()
