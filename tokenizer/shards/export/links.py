"""The same token files under the names, and with the indexes, that other trainers look for: no token is copied.

``megatron``    ``NAME.bin`` and ``NAME.idx``, which are native: Megatron-LM, NeMo, GPT-NeoX, Fast-LLM.
``datatrove``   ``NAME.ds`` and ``NAME.ds.index``, uint64 ends of documents in tokens (datatrove/pipeline/tokens/
                tokenizer.py), with ``NAME.ds.metadata``: nanotron.
``olmo``        ``NAME.npy``, which has no NumPy header despite its name, and ``NAME.csv.gz``, lines of the first token
                of a document and the one after its last (olmo_core/data/utils.py, iter_document_indices): OLMo-core.
``torchtitan``  a folder for each shard with ``tokens.bin`` and ``document_offsets.npy``, int64[documents + 1]
                (torchtitan/components/data/README.md, "Pretokenized data"). Its tokens are uint32.

Token files are hard links, so they must not be written to; on another disk or an object store they are copies. The file
written last is ``_SUCCESS``: without it an export is not whole.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from curation import storage
from curation.dataset import pretty_json
from tokenizer.shards.format import TOKEN_DTYPES, load_manifest
from tokenizer.shards.walk import Shard, walk

Files = tuple[dict[str, str], dict[str, bytes]]
"""Names of a shard's own files, by suffix, and further files with their content."""


WHOLE = "_SUCCESS"


@dataclass
class Exported:
    """What was written: files that are links and others, documents or windows, tokens, and tokens left out."""

    linked: int = 0
    copied: int = 0
    samples: int = 0
    tokens: int = 0
    left_out: int = 0


def link(directory: str | Path, out: str, layout: str) -> Exported:
    """Put the dataset in a local folder into ``out``, a folder or URL that holds nothing yet, in one of LAYOUTS.

    Raises ValueError for a layout that cannot hold the tokens or an ``out`` in use; else as ``walk``.
    """
    manifest = load_manifest(directory)
    if layout == "torchtitan" and manifest["dtype"] != "uint32":
        raise ValueError(f"{directory} holds {manifest['dtype']} tokens; torchtitan reads uint32: set shards.dtype")
    require_empty(out)
    exported = Exported()
    for shard in walk(directory):
        names, sidecars = LAYOUTS[layout](shard, manifest)
        for name, data in sidecars.items():
            storage.write_bytes(storage.join(out, name), data)
        for suffix, name in names.items():
            linked = _link_or_copy(shard.path(suffix), storage.join(out, name))
            exported.linked, exported.copied = exported.linked + linked, exported.copied + (not linked)
        exported.samples += shard.lengths.size
        exported.tokens += shard.tokens.size
    mark_whole(out, manifest, exported)
    return exported


def mark_whole(out: str, manifest: dict[str, Any], exported: Exported) -> None:
    """Write ``_SUCCESS``, which says of what dataset the export is. The name is Hadoop's for the file written last:
    readers of folders know it is no data, whereas Hugging Face ``datasets`` would read a .json file as such."""
    said = {"dataset": manifest["fingerprint"], "documents": exported.samples, "tokens": exported.tokens}
    storage.write_bytes(storage.join(out, WHOLE), pretty_json(said))


def require_empty(out: str) -> None:
    """Raise ValueError when something lies in ``out``."""
    files = storage.list_files(out)
    if files:
        raise ValueError(f"{out} is not empty ({files[0]}): give another folder, or remove it first")


def _megatron(shard: Shard, _: dict[str, Any]) -> Files:
    return {suffix: f"{shard.name}.{suffix}" for suffix in ("idx", "bin")}, {}


def _datatrove(shard: Shard, manifest: dict[str, Any]) -> Files:
    size = TOKEN_DTYPES[shard.record["dtype"]].itemsize
    tokenizer = f"sha256:{manifest['tokenizer']['fingerprint']}"
    metadata = f"{tokenizer}|{size}\n{shard.tokens.size}\n{_human(shard.tokens.size)}"
    sidecars = {"index": shard.offsets[1:].astype("<u8").tobytes(), "metadata": metadata.encode()}
    return {"bin": f"{shard.name}.ds"}, {f"{shard.name}.ds.{name}": data for name, data in sidecars.items()}


def _olmo(shard: Shard, _: dict[str, Any]) -> Files:
    lines = io.BytesIO()
    table = pa.table({"start": shard.offsets[:-1], "end": shard.offsets[1:]})
    csv.write_csv(table, lines, csv.WriteOptions(include_header=False))
    return {"bin": f"{shard.name}.npy"}, {f"{shard.name}.csv.gz": gzip.compress(lines.getvalue(), mtime=0)}


def _torchtitan(shard: Shard, _: dict[str, Any]) -> Files:
    offsets = io.BytesIO()
    np.save(offsets, shard.offsets)
    return {"bin": f"{shard.name}/tokens.bin"}, {f"{shard.name}/document_offsets.npy": offsets.getvalue()}


LAYOUTS: dict[str, Callable[[Shard, dict[str, Any]], Files]] = {
    "megatron": _megatron, "datatrove": _datatrove, "olmo": _olmo, "torchtitan": _torchtitan,
}  # fmt: skip


def _human(tokens: int) -> str:
    """Such as "51.1 MT", for people only."""
    for unit, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if tokens >= factor:
            return f"{tokens / factor:.3g} {unit}T"
    return f"{tokens} T"


def _link_or_copy(source: Path, url: str) -> bool:
    """Whether ``url`` is now a hard link to ``source`` rather than a copy."""
    if storage.is_remote(url):
        storage.publish(str(source), url)
        return False
    target = url.removeprefix("file://")
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    try:
        os.link(source, target)
        return True
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
    with storage.atomic_file(url) as local:
        shutil.copyfile(source, local)
    return False
