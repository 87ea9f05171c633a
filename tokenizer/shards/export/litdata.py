"""Export to chunks of litdata (litgpt) for its ``TokensLoader``.

``chunk-0-I.bin``, little-endian (litdata/streaming/writer.py): u32 N | u32 offsets[N + 1], absolute | tokens. The
loader maps what follows the offsets and reads block b at token b * block_size of a chunk, so each chunk holds whole
blocks, which are its items: tokens that fill no block would never be read. Tokens are int32, which has the bytes of
uint32 for ids below 2**31, or uint16: codes 16 and 20 of litdata/constants.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from curation import storage
from tokenizer.shards.export.links import Exported, require_empty
from tokenizer.shards.export.windows import windows
from tokenizer.shards.format import TOKEN_DTYPES, load_manifest

CHUNK_BYTES = 1 << 26  # about; litgpt prepares its data in chunks of 50 MB to 100 MB
DTYPE_CODES = {"uint32": 16, "uint16": 20}
LEAF = '[1, {"type": null, "context": null, "children_spec": []}]'  # PyTorch's description of an item: one tensor


def write_litdata(directory: str | Path, out: str, block_size: int, chunk_bytes: int = CHUNK_BYTES) -> Exported:
    """Write the dataset in a local folder to ``out``, a folder or URL that holds nothing yet.

    ``block_size`` is what the loader is given: litgpt takes the context length and one more. Tokens at the end that
    fill no block are left out. Raises ValueError for an ``out`` in use; else as ``walk``.
    """
    require_empty(out)
    manifest = load_manifest(directory)
    block_bytes = block_size * TOKEN_DTYPES[manifest["dtype"]].itemsize
    exported, chunks = Exported(), []
    for number, blocks in enumerate(windows(directory, block_size, max(1, chunk_bytes // block_bytes))):
        name, count = f"chunk-0-{number}.bin", len(blocks)
        offsets = 4 + 4 * (count + 1) + block_bytes * np.arange(count + 1, dtype=np.int64)
        with storage.atomic_file(storage.join(out, name)) as local, open(local, "wb") as file:
            file.write(np.uint32(count).tobytes() + offsets.astype("<u4").tobytes())
            blocks.tofile(file)
        size = int(offsets[-1])
        chunks.append({"chunk_bytes": size, "chunk_size": count, "dim": blocks.size, "filename": name})
        exported.copied += 1
        exported.samples += count
        exported.tokens += blocks.size
    config = {
        "chunk_bytes": chunk_bytes, "chunk_size": None, "compression": None, "encryption": None,
        "data_format": [f"no_header_tensor:{DTYPE_CODES[manifest['dtype']]}"], "data_spec": LEAF,
        "item_loader": "TokensLoader",
    }  # fmt: skip
    index = json.dumps({"chunks": chunks, "config": config}, sort_keys=True)
    storage.write_bytes(storage.join(out, "index.json"), index.encode())
    exported.left_out = manifest["tokens"] - exported.tokens
    return exported
