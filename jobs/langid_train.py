"""`glotmill langid train`: a specialist of language identification from labelled files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table

from curation.langid import specialist, specialist_training
from curation.langid.evaluation import language_code
from curation.langid.specialist import Specialist, Weights
from curation.langid.specialist_training import WordLists
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from jobs import progress
from jobs.errors import JobError
from jobs.quality_read import ColumnNames, open_files


class TrainingFiles(NamedTuple):
    """Files, patterns or folders of labelled texts."""

    inputs: list[str]  # to fit on; the texts of a file are of one source
    words: list[str]  # words of two of the languages
    held_out: list[str]  # to balance the languages on


class _Texts(NamedTuple):
    text: pa.Array  # binary[n]
    labels: list[str]  # codes
    files: list[str]  # that they come from


def train_specialist(files: TrainingFiles, columns: ColumnNames, languages: list[str], output: str) -> None:
    """Fit, balance where there are held-out texts, and save; the same files give the same bytes.

    Raises:
        JobError: a file cannot be read, there are not at least two languages, or the words are not of two of them.
        PlanError: a column is missing.
    """
    read = _read("input", files.inputs, columns, languages)
    try:
        fitted = specialist_training.train(read.text, read.labels, sources=read.files, lists=_lists(files, columns))
    except ValueError as error:
        raise JobError(f"{', '.join(files.inputs + files.words)}: {error}") from error
    counts = Counter(read.labels)
    progress.say(f"{len(read.labels):,} texts, {len(fitted.units):,} units kept")
    if files.held_out:
        other = _read("held-out", files.held_out, columns, list(fitted.labels))
        target = np.array([fitted.labels.index(label) for label in other.labels])
        fitted = specialist_training.calibrate(fitted, _probabilities(fitted, other.text), target)
        right = _probabilities(fitted, other.text).argmax(axis=1) == target
        _print(counts, {name: right[target == number] for number, name in enumerate(fitted.labels)})
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    specialist.save(path, fitted)
    progress.say(f"specialist: {path} ({path.stat().st_size:,} bytes)")


def _lists(files: TrainingFiles, columns: ColumnNames) -> WordLists | None:
    if not files.words:
        return None
    read = _read("words", files.words, columns, [])
    return WordLists(pc.cast(read.text, pa.string()).to_pylist(), read.labels)


def _read(what: str, paths: list[str], columns: ColumnNames, languages: list[str]) -> _Texts:
    wanted = set(map(language_code, languages))
    texts, labels, sources = [], [], []
    for file in open_files(what, paths, columns):
        for read, given in file.documents:
            codes = [language_code(label) if label else "" for label in given.to_pylist()]
            rows = [row for row, code in enumerate(codes) if code and (not wanted or code in wanted)]
            texts.append(read.batch["text"].take(pa.array(rows, pa.int64())))
            labels += [codes[row] for row in rows]
            sources += [file.path] * len(rows)
    if not labels:
        raise JobError(f"no text in {', '.join(sorted(wanted)) or 'any language'} in {', '.join(paths)}")
    return _Texts(pc.cast(pa.chunked_array(texts).combine_chunks(), pa.large_binary()), labels, sources)


def _probabilities(fitted: Weights, text: pa.Array) -> np.ndarray:
    scan = Scanner().scan(normalize(text).text)
    return Specialist(fitted).probabilities(scan.unit_hash, scan.unit_bounds, np.arange(len(text)))


def _print(counts: Counter[str], right: dict[str, np.ndarray]) -> None:
    table = Table(title="held out", title_justify="left", box=None)
    for column in ("language", "trained on", "held out", "right"):
        table.add_column(column, justify="left" if column == "language" else "right")
    for name, rows in right.items():
        table.add_row(name, f"{counts[name]:,}", f"{len(rows):,}", f"{rows.mean():.3f}" if len(rows) else "-")
    progress.console.print(table)
