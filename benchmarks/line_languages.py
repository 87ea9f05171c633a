"""How fast one core finds the language of every line and document, and the mixtures of languages.

    python benchmarks/line_languages.py FILE.parquet... [--rounds 2]

All documents of the files (column ``text``) in batches of 1,024, normalised and scanned before the clock starts;
compiled and warm. The best round counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.langid.identifier import Identifier
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters.code_switching import MixtureFinder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    identifier, scanner, mixtures = Identifier(), Scanner(), MixtureFinder()
    best: Counter[str] = Counter()
    for round_ in range(arguments.rounds + 1):  # the first warms up
        seconds: Counter[str] = Counter()
        megabytes = lines = 0.0
        for file in arguments.files:
            for batch in pq.ParquetFile(file).iter_batches(1024, columns=["text"]):
                text = normalize(batch["text"].cast(pa.large_string())).text
                scan = scanner.scan(text)
                times = [time.process_time()]
                found = identifier.identify(text, scan)
                times.append(time.process_time())
                mixtures.find(text, scan, found, found.language.to_pylist())
                times.append(time.process_time())
                seconds["lines and documents"] += times[1] - times[0]
                seconds["mixtures"] += times[2] - times[1]
                megabytes += text.nbytes / 1e6
                lines += len(scan.line_hash)
        if round_:
            best = Counter({name: min(value, best[name] or value) for name, value in seconds.items()})
    print(f"{megabytes:.1f} MB, {lines:,.0f} lines, one core")
    for name, value in best.items():
        print(f"  {name:<20} {value:6.2f} s  {megabytes / value:6.1f} MB/s")


if __name__ == "__main__":
    main()
