"""What cutting foreign boilerplate does to the curated documents of a run, told by lid.176 alone.

    python benchmarks/foreign_boilerplate.py RUN [--samples 0]

For the web documents that the run kept: bytes of lines that lid.176 by itself, without specialists, lexicon or context,
takes for the language of their document, as a share of the lines that it is at least half sure of; with and
without the lines cut as foreign boilerplate; and the share of the lines in the document's language that were cut.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.dataset import read_manifest, read_part
from curation.langid.classifier import Classifier
from curation.langid.fasttext_model import default_model
from curation.languages import CODES
from curation.text.scan import Scanner

RULE = "mixture.foreign_boilerplate"


def lines_of(run: str, file: str, classifier: Classifier, scanner: Scanner, labels: np.ndarray) -> pl.DataFrame:
    """Lines of the kept web documents of a part: ``language``, ``own``, ``bytes``, ``cut`` and ``text``."""
    decided = pl.from_arrow(read_part(run, "decisions", file))
    assert isinstance(decided, pl.DataFrame)
    rows = np.flatnonzero(
        (
            (decided["reasons"].list.len() == 0) & (decided["domain"] == "web") & decided["language"].is_in(CODES)
        ).to_numpy()
    )
    if len(rows) == 0:
        return pl.DataFrame()
    text = read_part(run, "documents", file, ["text"])["text"].combine_chunks().take(pa.array(rows))
    scan = scanner.scan(text)
    start, stop = scan.line("start").astype(np.int64), scan.line("stop").astype(np.int64)
    document = np.repeat(np.arange(len(rows)), np.diff(scan.line_bounds))
    found = classifier.spans(text, scan.line_bounds, start, stop)
    cut = np.zeros(len(start), bool)
    for row, spans in enumerate(decided["removed"].gather(rows).to_list()):
        for span in spans or ():
            if RULE in span["rules"]:
                first, last = scan.line_bounds[row], scan.line_bounds[row + 1]
                cut[first:last] |= (start[first:last] >= span["start"]) & (stop[first:last] <= span["stop"])
    sure = (found.probabilities[:, 0] >= 0.5) & (scan.line("letters") >= 10)
    raw = [value.encode() for value in text.to_pylist()]
    return pl.DataFrame(
        {
            "language": decided["language"].gather(rows).gather(document),
            "found": labels[found.labels[:, 0]],
            "bytes": stop - start,
            "cut": cut,
            "text": [raw[d][a:b].decode() if c else "" for d, a, b, c in zip(document, start, stop, cut, strict=True)],
        }
    ).filter(pl.Series(sure) | pl.col("cut"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--samples", type=int, default=0, help="of cut lines to print")
    arguments = parser.parse_args()
    classifier, scanner = Classifier(default_model()), Scanner()
    labels = np.array([label.removeprefix("__label__") for label in classifier.labels])
    files = sorted(read_manifest(arguments.run, "decisions")["files"])
    frame = pl.concat([lines_of(arguments.run, file, classifier, scanner, labels) for file in files], how="diagonal")
    own, size = pl.col("found") == pl.col("language"), pl.col("bytes")
    table = (
        frame.group_by("language")
        .agg(
            MB=size.sum() / 1e6,
            cut_lines=pl.col("cut").sum(),
            cut_KB=size.filter(pl.col("cut")).sum() / 1e3,
            own_before=100 * size.filter(own).sum() / size.sum(),
            own_after=100 * size.filter(own & ~pl.col("cut")).sum() / size.filter(~pl.col("cut")).sum(),
            own_lost=100 * size.filter(own & pl.col("cut")).sum() / size.filter(own).sum(),
        )
        .sort("MB", descending=True)
    )
    with pl.Config(tbl_rows=-1, float_precision=3, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(table)
        if arguments.samples:
            cut = frame.filter(pl.col("cut")).sample(arguments.samples, seed=1)
            print(
                *(f"{row[0]}\t{row[1]}\t{row[2][:110]}" for row in cut.select("language", "found", "text").rows()),
                sep="\n",
            )


if __name__ == "__main__":
    main()
