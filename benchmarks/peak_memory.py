"""Run a command and report wall time, CPU time and the peak resident memory of each of its processes (Linux).

python benchmarks/peak_memory.py COMMAND ...
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

POLL_SECONDS = 0.2


def family(root: int) -> set[int]:
    """The process and all its descendants that are alive."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def peak_bytes(pid: int) -> int:
    """The most resident memory the process has had so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def main() -> None:
    started = time.monotonic()
    process = subprocess.Popen(sys.argv[1:])
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in family(process.pid):
            peaks[pid] = max(peaks.get(pid, 0), peak_bytes(pid))
        time.sleep(POLL_SECONDS)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest = sorted(peaks.values(), reverse=True)[:3]
    print(
        f"wall {time.monotonic() - started:.1f} s, CPU {used.ru_utime + used.ru_stime:.1f} s, exit {process.returncode}"
    )
    print("peak memory of the largest processes: " + ", ".join(f"{peak / 2**30:.2f} GiB" for peak in largest))
    sys.exit(os.EX_OK if process.returncode == 0 else 1)


if __name__ == "__main__":
    main()
