"""`glotmill quality`: trains a fastText classifier from two sets, and measures one on labelled files."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.table import Table

from curation import storage
from curation.dataset import pretty_json
from filters import quality_card, quality_model, quality_sets
from filters.quality_model import CALIBRATION, CARD, MODEL, Calibration, Parameters, QualityError, QualityModel
from filters.quality_sets import CALIBRATE, TEST, TRAIN, Preparer
from jobs import progress
from jobs.errors import JobError
from jobs.quality_read import ColumnNames, open_files

FORMAT_VERSION = 1
LEAST_HELD_OUT = 10
"""Documents of each class that either half of the held-out ones needs. A choice: fewer make no figure."""
ONE_SIDED = 10
"""A language with this many times more documents of one class than of the other is warned of. A choice."""


@dataclass(frozen=True)
class Settings:
    columns: ColumnNames = ColumnNames()
    parameters: Parameters = Parameters()
    holdout: float = 0.1  # share of the documents held out, half to calibrate and half to test
    least_documents: int = 100  # of each class to train on


@dataclass
class SetRead:
    """What the card says of one set."""

    files: list[dict[str, Any]] = field(default_factory=list)
    read: int = 0
    unreadable: int = 0
    blank: int = 0


def train_quality(positive: list[str], negative: list[str], output: str, settings: Settings) -> None:
    """Train, calibrate, measure and write ``model.bin``, ``calibration.json``, ``card.md`` and ``card.json``.

    Raises:
        JobError: a set cannot be read or is too small, or fastText cannot train.
        PlanError: a column is missing.
    """
    documents, sets = read_sets({"positive": positive, "negative": negative}, settings)
    screened = quality_sets.screen(documents)
    del documents
    say_dropped(screened)
    sides = quality_sets.split(screened.documents, settings.holdout)
    _check(sides, settings)
    warnings = _warnings(sides[TRAIN])
    for warning in warnings:
        progress.say(f"warning: {warning}")
    with tempfile.TemporaryDirectory(prefix="glotmill-") as folder, _job_errors():
        file = Path(folder, MODEL)
        quality_model.write_training_file(sides[TRAIN], Path(folder, "train.txt"))
        progress.say(f"training on {sides[TRAIN].height:,} documents, one thread")
        quality_model.train(Path(folder, "train.txt"), settings.parameters, file)
        model = QualityModel(str(file), quality_model.LABEL[True], None)
        calibration = quality_model.calibrate(sides[CALIBRATE], _probabilities(model, sides[CALIBRATE]))
        held_out = quality_model.evaluate(sides[TEST], _probabilities(model, sides[TEST]), calibration)
        described = _describe(sets, screened, sides, settings, warnings, held_out)
        _write(output, file, calibration, described)
    _print(held_out)
    progress.say(f"model, calibration and card: {output}")


def evaluate_quality(model: str, positive: list[str], negative: list[str], columns: ColumnNames) -> dict[str, Any]:
    """Print, and return, the held-out figures of a trained model on labelled files.

    Raises:
        JobError: the files have no documents of one of the classes, or the model cannot be used.
        FileNotFoundError: there is no model.
    """
    with _job_errors():
        opened = quality_model.open_model(model)
    documents, _ = read_sets({"positive": positive, "negative": negative}, Settings(columns))
    screened = quality_sets.screen(documents)
    say_dropped(screened)
    for name, count in quality_sets.by_class(screened.documents).items():
        if not count:
            raise JobError(f"no {name} document is left to measure on")
    calibration = quality_model.read_calibration(model)
    found = quality_model.evaluate(screened.documents, _probabilities(opened, screened.documents), calibration)
    _print(found)
    return found


@contextmanager
def _job_errors() -> Iterator[None]:
    """Raises what the model says as an error of the command."""
    try:
        yield
    except QualityError as error:
        raise JobError(str(error)) from error


def read_sets(patterns: dict[str, list[str]], settings: Settings) -> tuple[pl.DataFrame, dict[str, SetRead]]:
    """All documents (`quality_sets.DOCUMENTS`) of the sets ``positive`` and ``negative``, and what was read of each.

    Raises:
        JobError, PlanError: a set cannot be read, is empty, or has no such column.
    """
    preparer = Preparer(settings.parameters.seed)
    frames = [pl.DataFrame(schema=quality_sets.DOCUMENTS)]
    sets = {}
    for name, wanted in patterns.items():
        said = sets[name] = SetRead()
        for file in open_files(name, wanted, settings.columns):
            said.files.append({"path": file.path, "bytes": file.bytes, "ends": file.ends})
            for read, language in file.documents:
                said.unreadable += sum(record.records for record in read.dead)
                said.read += read.batch.num_rows
                if read.batch.num_rows:
                    frames.append(preparer.prepare(read.batch, language, name == "positive"))
                    said.blank += read.batch.num_rows - frames[-1].height
        unreadable = f", {said.unreadable:,} unreadable records" if said.unreadable else ""
        progress.say(f"{name}: {said.read:,} documents in {len(said.files):,} files{unreadable}")
        if not said.read:
            raise JobError(f"{name} set: no document could be read from {', '.join(wanted)}")
    return pl.concat(frames), sets


def say_dropped(screened: quality_sets.Screened) -> None:
    """Tell of shared texts and copies."""
    for name in screened.shared:
        if screened.shared[name]:
            progress.say(f"{name}: {screened.shared[name]:,} documents dropped, their text is in the other set as well")
        if screened.duplicates[name]:
            progress.say(f"{name}: {screened.duplicates[name]:,} copies dropped")


def _check(sides: dict[str, pl.DataFrame], settings: Settings) -> None:
    least = {TRAIN: settings.least_documents, CALIBRATE: LEAST_HELD_OUT, TEST: LEAST_HELD_OUT}
    purpose = {TRAIN: "to train on", CALIBRATE: "to calibrate on", TEST: "to test on"}
    problems = []
    for side, documents in sides.items():
        for name, count in quality_sets.by_class(documents).items():
            if count < least[side]:
                problems.append(f"{count:,} {name} documents {purpose[side]}, at least {least[side]:,} are needed")
    if problems:
        raise JobError(
            f"too little to train a classifier: {'; '.join(problems)} (after blank, repeated and shared texts are "
            f"dropped; --holdout {settings.holdout:g} is split in two halves). Give more documents or another --holdout"
        )


def _warnings(train: pl.DataFrame) -> list[str]:
    said = []
    totals = quality_sets.by_class(train)
    if max(totals.values()) > ONE_SIDED * min(totals.values()):
        said.append(
            f"The classes are far from equal: {totals['positive']:,} positive, {totals['negative']:,} negative "
            "documents; a sample of the larger one trains a better model."
        )
    lopsided = [
        name
        for name, row in quality_sets.counts(train, "language").items()
        if max(row.values()) > ONE_SIDED * min(row.values())
    ]
    if lopsided:
        said.append(
            f"Languages almost all of one class: {', '.join(lopsided)}. There the classifier can learn the language "
            "instead of the quality; give both sets documents of each."
        )
    return said


def _probabilities(model: QualityModel, documents: pl.DataFrame) -> np.ndarray:
    pieces = documents.iter_slices(4096)
    return np.concatenate([model.probabilities(piece["line"].to_list()) for piece in pieces])


def _describe(
    sets: dict[str, SetRead], screened: quality_sets.Screened, sides: dict[str, pl.DataFrame], settings: Settings,
    warnings: list[str], held_out: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    kept = quality_sets.by_class(screened.documents)
    dropped = {"shared": screened.shared, "duplicates": screened.duplicates, "kept": kept}
    return {
        "format_version": FORMAT_VERSION,
        "sets": {
            name: asdict(said) | {count: by_class[name] for count, by_class in dropped.items()}
            for name, said in sets.items()
        },
        "documents": {
            "languages": {side: quality_sets.counts(sides[side], "language") for side in (TRAIN, CALIBRATE, TEST)},
            "licenses": quality_sets.counts(screened.documents, "license"),
        },
        "parameters": asdict(settings.parameters)
        | {"holdout": settings.holdout, "least_documents": settings.least_documents},
        "columns": asdict(settings.columns),
        "warnings": warnings,
        "held_out": held_out,
    }


def _write(output: str, model: Path, calibration: Calibration, card: dict[str, Any]) -> None:
    """Publish the folder, each file in one step, ``card.json`` last: files that are not as it says are refused."""
    calibrated = pretty_json(calibration.to_json())
    with storage.atomic_file(storage.join(output, MODEL)) as temporary:
        shutil.copyfile(model, temporary)
    storage.write_bytes(storage.join(output, CALIBRATION), calibrated)
    card |= {"files": {MODEL: storage.sha256(str(model)), CALIBRATION: hashlib.sha256(calibrated).hexdigest()}}
    storage.write_bytes(storage.join(output, "card.md"), quality_card.render(card).encode())
    storage.write_bytes(storage.join(output, CARD), pretty_json(card))


def _print(held_out: dict[str, Any]) -> None:
    """Figures by language on the terminal, most documents first."""
    table = Table(title="held out", title_justify="left", box=None)
    table.add_column("language")
    for name in ("positive", "negative", "average precision", "ROC AUC", "error before", "error after"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("calibration")
    for name, row in [("all", held_out["overall"]), *quality_card.ordered(held_out["languages"])]:
        values = (row[key] for key in ("average_precision", "roc_auc", "ece_before", "ece_after"))
        shown = ("" if value is None else f"{value:.3f}" for value in values)
        table.add_row(name, f"{row['positive']:,}", f"{row['negative']:,}", *shown, row.get("calibration", ""))
    progress.console.print(table)
