"""Reading shuffled windows of 2,048 tokens with one tool, in the tool's own Python.

python loader_peer.py prepare TOOL FOLDER               makes the tool's copy of FOLDER/shards, where it needs one
python loader_peer.py read TOOL FOLDER SAMPLES          prints JSON: CPU and wall seconds and tokens
python loader_peer.py damage TOOL FOLDER KIND TRIALS    prints JSON: how epochs over damaged files ended

FOLDER/shards is one token shard (train-00000.bin of uint32, and .idx). A batch is 16 windows of int64 tokens and
labels, and whatever else the tool makes of document borders: see each function.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import json
import os
import shutil
import sys
import tempfile
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from pathlib import Path
from threading import Timer

import numpy as np

T, BATCH, SEED = 2048, 16, 7
END, VOCABULARY = 0, 65_537  # ids that `loader_against_peers.py` writes
TRIAL_SECONDS = 90
END_MARK = b"\nthe end of the epoch: "
Batches = Iterator[tuple[object, ...]]


def tokens_of(folder: str) -> np.ndarray:
    return np.memmap(f"{folder}/shards/train-00000.bin", np.uint32, mode="r")


def windows_of(folder: str) -> np.ndarray:
    """The tokens cut into windows of T + 1, uint32[n, T + 1]."""
    tokens = tokens_of(folder)
    return tokens[: len(tokens) // (T + 1) * (T + 1)].reshape(-1, T + 1)


def order(count: int) -> np.ndarray:
    """Batches of shuffled numbers below count."""
    return np.random.default_rng(SEED).permutation(count)[: count // BATCH * BATCH].reshape(-1, BATCH)


def memmap(folder: str) -> Batches:
    """nanoGPT's `get_batch`, by epochs: tokens and labels."""
    tokens = tokens_of(folder)
    for batch in order((len(tokens) - 1) // T) * T:
        inputs = np.stack([tokens[i : i + T].astype(np.int64) for i in batch])
        labels = np.stack([tokens[i + 1 : i + 1 + T].astype(np.int64) for i in batch])
        yield inputs, labels


def memmap_masks(folder: str) -> Batches:
    """The same with positions, document numbers and labels masked across documents, from the index."""
    tokens = tokens_of(folder)
    count = int(np.fromfile(f"{folder}/shards/train-00000.idx", "<i8", 1, offset=18)[0])
    lengths = np.fromfile(f"{folder}/shards/train-00000.idx", "<i4", count, offset=34)
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    steps = np.arange(T)
    for batch in order((len(tokens) - 1) // T) * T:
        rows = []
        for i in batch:
            first, last = np.searchsorted(starts, [i, i + T], side="right")
            borders = starts[first:last] - i
            labels = tokens[i + 1 : i + 1 + T].astype(np.int64)
            labels[borders - 1] = -100
            sizes = np.diff(borders, prepend=0, append=T)
            offsets = np.concatenate([[0], borders])
            rows.append((tokens[i : i + T].astype(np.int64), labels, steps - np.repeat(offsets, sizes),
                         np.repeat(np.arange(len(sizes)), sizes)))  # fmt: skip
        yield tuple(np.stack(column) for column in zip(*rows, strict=True))


def ours(folder: str) -> Batches:
    """Best-fit packed windows: tokens, labels, positions, document ids, cu_seqlens, and each piece's document."""
    from tokenizer.shards.reader import open_shards
    from trainer.data.samples import SampleStream

    stream = SampleStream(open_shards(f"{folder}/shards"), T, SEED)
    for first in range(0, stream.plan.windows, BATCH):
        yield stream.read(np.arange(first, min(first + BATCH, stream.plan.windows)))


def prepare_mds(folder: str) -> None:
    _stub_torchvision()
    from streaming import MDSWriter

    columns = {"tokens": f"ndarray:uint32:{T + 1}"}
    with MDSWriter(out=f"{folder}/mosaicml-streaming", columns=columns, hashes=["xxh3_64"]) as out:
        for window in windows_of(folder):
            out.write({"tokens": np.asarray(window)})


def mds(folder: str) -> Batches:
    """StreamingDataset over a local folder: tokens and labels."""
    return _mds(local=f"{folder}/mosaicml-streaming")


def mds_validated(folder: str) -> Batches:
    """The same from a remote folder to a fresh local one, with its hashes validated, which it does on the way."""
    with tempfile.TemporaryDirectory() as local:
        yield from _mds(remote=f"{folder}/mosaicml-streaming", local=local, validate_hash="xxh3_64")


def _mds(**where: str) -> Batches:
    _stub_torchvision()
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    samples = iter(StreamingDataset(shuffle=True, batch_size=BATCH, shuffle_seed=SEED, **where))
    for batch in _batched(samples):
        rows = np.stack([sample["tokens"] for sample in batch]).astype(np.int64)
        yield rows[:, :-1], rows[:, 1:]


def prepare_litdata(folder: str) -> None:
    import litdata
    from litdata.streaming.item_loader import TokensLoader

    litdata.optimize(fn=_litdata_part, inputs=[f"{folder}:{i}" for i in range(0, len(windows_of(folder)), 500)],
                     output_dir=f"{folder}/litdata", chunk_size=(T + 1) * 8192, num_workers=1,
                     item_loader=TokensLoader(block_size=T + 1))  # fmt: skip


def _litdata_part(name: str) -> Iterator[object]:
    import torch

    folder, first = name.rsplit(":", 1)
    for window in windows_of(folder)[int(first) : int(first) + 500]:
        yield torch.from_numpy(window.astype(np.int32))


def litdata(folder: str) -> Batches:
    """StreamingDataset with TokensLoader: tokens and labels."""
    import torch
    from litdata import StreamingDataset
    from litdata.streaming.item_loader import TokensLoader

    samples = iter(StreamingDataset(f"{folder}/litdata", item_loader=TokensLoader(block_size=T + 1), shuffle=True,
                                    seed=SEED))  # fmt: skip
    for batch in _batched(samples):
        rows = torch.stack(batch).long()
        yield rows[:, :-1], rows[:, 1:]


def megatron(folder: str) -> Batches:
    """GPTDataset with positions that restart and a loss mask at documents' ends."""
    from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from torch.utils.data import default_collate

    tokenizer = types.SimpleNamespace(
        eod=END, pad=-1, vocab_size=VOCABULARY, unique_identifiers={"class": "ids"}, _pad_id=-1
    )
    config = GPTDatasetConfig(
        random_seed=SEED, sequence_length=T, blend=([f"{folder}/shards/train-00000"], None), split="1",
        tokenizer=tokenizer, reset_position_ids=True, reset_attention_mask=False, eod_mask_loss=True,
        create_attention_mask=False, path_to_cache=f"{folder}/megatron",
    )  # fmt: skip
    samples = (len(tokens_of(folder)) - 1) // T
    dataset, _, _ = BlendedMegatronDatasetBuilder(GPTDataset, [samples, 0, 0], lambda: True, config).build()
    for first in range(0, len(dataset) - BATCH, BATCH):
        batch = default_collate([dataset[i] for i in range(first, first + BATCH)])
        yield batch["tokens"], batch["labels"], batch["position_ids"], batch["loss_mask"]


def olmo(folder: str) -> Batches:
    """NumpyFSLDataset with document lengths, its collator and its labels."""
    from olmo_core.data.collator import DataCollator
    from olmo_core.data.numpy_dataset import NumpyFSLDataset
    from olmo_core.data.utils import get_labels

    dataset = NumpyFSLDataset(
        f"{folder}/shards/train-00000.bin", sequence_length=T, pad_token_id=END, eos_token_id=END,
        vocab_size=VOCABULARY, dtype=np.uint32, generate_doc_lengths=True,
    )  # fmt: skip
    collate = DataCollator(pad_token_id=END)
    for numbers in order(len(dataset)):
        batch = collate([dataset[int(i)] for i in numbers])
        yield batch["input_ids"].long(), get_labels(batch), batch["doc_lens"]


def prepare_grain(folder: str) -> None:
    from array_record.python import array_record_module

    os.makedirs(f"{folder}/grain", exist_ok=True)
    writer = array_record_module.ArrayRecordWriter(f"{folder}/grain/tokens.array_record", "group_size:1")
    for window in windows_of(folder):
        writer.write(window.tobytes())
    writer.close()


def grain(folder: str) -> Batches:
    """MapDataset over ArrayRecord, shuffled: tokens and labels."""
    import grain.python as grain

    source = grain.ArrayRecordDataSource([f"{folder}/grain/tokens.array_record"])
    dataset = grain.MapDataset.source(source).seed(SEED).shuffle()
    dataset = dataset.map(lambda record: np.frombuffer(record, np.uint32).astype(np.int64)).batch(BATCH)
    for i in range(len(dataset)):
        rows = dataset[i]
        yield rows[:, :-1], rows[:, 1:]


def _batched(samples: Iterator[object]) -> Iterator[list[object]]:
    while batch := list(islice(map(next, repeat(samples)), BATCH)):  # by next: iter() would start some anew
        if len(batch) == BATCH:
            yield batch


def _stub_torchvision() -> None:
    """mosaicml-streaming imports it for image data sets, and it does not load beside PyTorch's CPU build."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules["torchvision.transforms.functional"].to_tensor = None  # type: ignore[attr-defined]
    sys.modules["torchvision.datasets"].VisionDataset = object  # type: ignore[attr-defined]


READERS: dict[str, Callable[[str], Batches]] = {
    "memmap": memmap, "memmap-masks": memmap_masks, "ours": ours, "mosaicml-streaming": mds, "litdata": litdata,
    "megatron": megatron, "olmo-core": olmo, "grain": grain, "mosaicml-streaming-validated": mds_validated,
}  # fmt: skip
FILES = {
    "ours": "shards/*", "memmap": "shards/*.bin", "megatron": "shards/*.[bi][id][nx]", "olmo-core": "shards/*.bin",
    "mosaicml-streaming": "mosaicml-streaming/*.mds", "mosaicml-streaming-validated": "mosaicml-streaming/*.mds",
    "litdata": "litdata/*.bin", "grain": "grain/*",
}  # fmt: skip
"""What each tool reads, to be damaged: all of ours; of the others the files with tokens, and Megatron's index."""
MODULES = {"megatron": "megatron.core.datasets.gpt_dataset", "olmo-core": "olmo_core.data.numpy_dataset"}
"""What takes long to import and may be before a fork."""
PREPARE = {"mosaicml-streaming": prepare_mds, "litdata": prepare_litdata, "grain": prepare_grain}


def read(tool: str, folder: str, samples: int) -> dict[str, float]:
    """Seconds for this many samples, after a first batch that pays for opening files, planning and compiling."""
    os.sync()
    batches = READERS[tool](folder)
    next(batches)
    cpu, wall, count = time.process_time(), time.perf_counter(), 0
    for batch in batches:
        count += len(batch[0])  # type: ignore[arg-type]
        if count >= samples:
            break
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "tokens": count * T}


def epoch(tool: str, folder: str) -> tuple[list[bytes], str]:
    """A digest of the tokens and labels of each batch, and how the epoch ended: "", an error, "crash" or "hangs".

    In a process of its own, as some tools crash or hang, and none can be forked once it has threads.
    """
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        ended = ""
        with os.fdopen(sink, "wb") as file:
            try:
                for batch in READERS[tool](folder):
                    for part in batch[:2]:
                        file.write(hashlib.sha256(np.ascontiguousarray(part)).digest())
            except Exception as error:
                ended = repr(error)
            file.write(END_MARK + ended.encode())
        os._exit(0)
    os.close(sink)
    killer = Timer(TRIAL_SECONDS, os.kill, (child, 9))
    killer.start()
    with os.fdopen(source, "rb") as file:
        said, mark, ended = file.read().partition(END_MARK)
    killer.cancel()
    signal = os.waitpid(child, 0)[1]
    digests = [said[i : i + 64] for i in range(0, len(said), 64)]
    return digests, ended.decode() if mark else "hangs" if signal == 9 else "crash"


def outcome(tool: str, folder: str, clean: list[bytes]) -> str:
    """What an epoch over the files as they are now comes to."""
    digests, ended = epoch(tool, folder)
    if digests != clean[: len(digests)]:
        return "wrong tokens"
    if ended:
        return ended if ended in ("hangs", "crash") else "reported"
    return "nothing" if len(digests) == len(clean) else "short epoch"


def damage(tool: str, folder: str, kind: str, trials: int) -> dict[str, int]:
    """How many epochs ended in which way, after one bit each was flipped, or up to 4,096 bytes cut off a file."""
    files = sorted(path for path in Path(folder).glob(FILES[tool]) if path.is_file())
    drawn, found = np.random.default_rng(SEED), Counter[str]()
    if tool == "ours":  # starts no threads: read here once, so that not every process has to load compiled code
        for _ in ours(folder):
            pass
    elif tool in MODULES:
        importlib.import_module(MODULES[tool])
    clean, ended = epoch(tool, folder)
    if ended or outcome(tool, folder, clean) != "nothing":
        raise RuntimeError(f"{tool} does not read undamaged files twice alike: {ended}")
    weights = np.array([path.stat().st_size for path in files], float)
    for _ in range(trials):
        path = files[drawn.choice(len(files), p=weights / weights.sum() if kind == "flip" else None)]
        data = path.read_bytes()
        if kind == "flip":
            place = int(drawn.integers(len(data)))
            path.write_bytes(data[:place] + bytes([data[place] ^ (1 << int(drawn.integers(8)))]) + data[place + 1 :])
        else:
            path.write_bytes(data[: -int(drawn.integers(1, min(4096, len(data) - 1)))])
        found[outcome(tool, folder, clean)] += 1
        path.write_bytes(data)
    return dict(found)


def main() -> None:
    mode, tool, folder = sys.argv[1:4]
    if mode == "damage":
        print(json.dumps(damage(tool, folder, sys.argv[4], int(sys.argv[5]))), flush=True)
        os._exit(0)
    if mode == "prepare":
        if tool in PREPARE:
            shutil.rmtree(Path(folder) / tool, ignore_errors=True)
            PREPARE[tool](folder)
        return
    print(json.dumps(read(tool, folder, int(sys.argv[4]))), flush=True)
    os._exit(0)  # some tools' threads do not end


if __name__ == "__main__":
    main()
