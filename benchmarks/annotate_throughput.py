"""Annotation throughput of one core, and where the time goes.

    python benchmarks/annotate_throughput.py RECIPE [--units 12]

Annotates work units of the recipe in this process, compiled and warm, without writing anything, and times each step
separately over the same batches. The shares are of the sum of the steps.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np
import pyarrow as pa

from curation.dedup import minhash
from curation.langid.identifier import Identifier
from curation.readers.units import plan_units, read_unit
from curation.recipe import load_recipe
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters.annotate import Annotator
from filters.repetition import RepetitionCounter
from filters.signals import SignalCounter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--units", type=int, default=12, help="work units, spread evenly over the inputs")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    pa.set_cpu_count(1)

    units = plan_units(recipe).units
    units = [units[i] for i in np.unique(np.linspace(0, len(units) - 1, arguments.units).astype(int))]
    seconds: dict[str, float] = defaultdict(float)
    batches = []
    for unit in units:
        started = time.perf_counter()
        batches += [(unit.input, read.batch) for read in read_unit(unit, recipe.inputs[unit.input], recipe.annotate)]
        seconds["read"] += time.perf_counter() - started
    megabytes = sum(batch["text"].nbytes for _, batch in batches) / 1e6

    identifier = Identifier(recipe.annotate.language_model)
    scanner, repetition, counter = Scanner(), RepetitionCounter(), SignalCounter()
    annotator = Annotator(recipe.annotate)
    for warm in (True, False):
        whole = 0.0
        for number, batch in batches[:2] if warm else batches:
            times = [time.perf_counter()]
            text = normalize(batch["text"]).text
            times.append(time.perf_counter())
            scan = scanner.scan(text)
            times.append(time.perf_counter())
            languages = identifier.identify(text, scan).language
            times.append(time.perf_counter())
            repetition.ngrams(scan)
            times.append(time.perf_counter())
            counter.compute(text, scan, languages.to_pylist())
            times.append(time.perf_counter())
            minhash.band_hashes(minhash.signatures(text, scan, recipe.annotate.minhash), recipe.annotate.minhash.bands)
            times.append(time.perf_counter())
            annotator.annotate(batch, recipe.inputs[number], 0, 0)
            whole += time.perf_counter() - times[-1]
            if not warm:
                steps = dict(
                    zip(("normalise", "scan", "identify", "n-grams", "signals", "minhash"), np.diff(times), strict=True)
                )
                steps["signals"] -= steps["n-grams"]  # the signals compute the n-grams again
                for name, value in steps.items():
                    seconds[name] += value
    parts = ("normalise", "scan", "identify", "n-grams", "signals", "minhash")
    seconds["ids, hashes, columns"] = whole - sum(seconds[name] for name in parts)
    total = sum(seconds.values())
    print(f"{megabytes:.1f} MB of text, {sum(b.num_rows for _, b in batches):,} documents, one core")
    print(f"read and annotate: {megabytes / total:.1f} MB/s")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:<22} {value:7.2f} s  {value / total:6.1%}  {megabytes / max(value, 1e-9):8.1f} MB/s")


if __name__ == "__main__":
    main()
