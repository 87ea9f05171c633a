"""Trains a BPE vocabulary with another trainer on the texts of an Arrow file; prints its cost as JSON.

python bpe_peer.py rustbpe|gigabpe TEXTS.arrow SIZE [THREADS]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pyarrow as pa

# The pattern of Qwen2; gigabpe has that of GPT-2 alone.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def main() -> None:
    name, path, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    texts = pa.ipc.open_file(pa.memory_map(str(path))).read_all()["text"]
    if name == "gigabpe":
        import gigabpe

        plain = path.with_suffix(".txt")
        if not plain.exists():
            plain.write_text("\n".join(texts.to_pylist()))
        del texts
        start = time.process_time(), time.perf_counter()
        gigabpe.train_bpe([str(plain)], size, threads=int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    else:
        import rustbpe

        batches = (batch.as_py() for batch in texts)
        start = time.process_time(), time.perf_counter()
        rustbpe.Tokenizer().train_from_iterator(batches, size, pattern=PATTERN)
    cpu, wall = time.process_time() - start[0], time.perf_counter() - start[1]
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    print(json.dumps({"peak_mib": peak, "all": {"cpu": cpu, "wall": wall}}))


if __name__ == "__main__":
    main()
