"""`glotmill langid evaluate`: a language identifier measured on labelled files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table

from curation import storage
from curation.dataset import pretty_json
from curation.langid.evaluation import Texts, evaluate, language_code
from curation.langid.fasttext_model import LanguageIdentifier
from curation.langid.identifier import Identifier
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from jobs import progress
from jobs.errors import JobError
from jobs.quality_read import ColumnNames, open_files

SHOWN_CONFUSIONS = 15
Identify = Callable[[pa.Array], tuple[pa.StringArray, np.ndarray]]
"""Languages of n texts and their probabilities."""


def evaluate_langid(
    inputs: list[str], columns: ColumnNames, model: str | None, plain: int | None, output: str | None
) -> dict[str, Any]:
    """Print, and return, the figures of `curation.langid.evaluation`; write them as JSON to ``output``.

    ``plain``: take the general model's own answer for so many first characters of each text instead.

    Raises:
        JobError: no labelled text can be read.
        PlanError: a column is missing.
        FileNotFoundError: there is no such model.
    """
    found = evaluate(_identify(inputs, columns, _identifier(model, plain)))
    for name, figures in found.items():
        _print(name, figures)
    _print_confusions(found["all"]["confusions"])
    if output is not None:
        storage.write_bytes(output, pretty_json(found))
        progress.say(f"figures: {output}")
    return found


def _identifier(model: str | None, plain: int | None) -> Identify:
    if plain is not None:
        return LanguageIdentifier(model, plain).identify
    identifier, scanner = Identifier(model), Scanner()

    def identify(text: pa.Array) -> tuple[pa.StringArray, np.ndarray]:
        found = identifier.identify(text, scanner.scan(text))
        return found.language, found.score

    return identify


def _identify(inputs: list[str], columns: ColumnNames, identify: Identify) -> Texts:
    texts = Texts([], [], np.empty(0), np.empty(0, np.int64))
    probabilities, lengths, unlabelled, unreadable = [texts.probability], [texts.characters], 0, 0
    for file in open_files("input", inputs, columns):
        for read, labels in file.documents:
            unreadable += sum(record.records for record in read.dead)
            known = labels.is_valid()
            unlabelled += len(labels) - pc.sum(known).as_py() if len(labels) else 0
            text = normalize(read.batch["text"].filter(known).cast(pa.large_string())).text
            if len(text):
                languages, probability = identify(text)
                texts.expected.extend(map(language_code, labels.filter(known).to_pylist()))
                texts.found.extend(map(language_code, languages.to_pylist()))
                probabilities.append(probability)
                lengths.append(pc.utf8_length(text).to_numpy())
    for count, what in ((unlabelled, "texts without a label left out"), (unreadable, "unreadable records left out")):
        if count:
            progress.say(f"{count:,} {what}")
    if not texts.expected:
        name = columns.language or "language"
        raise JobError(f"no labelled text in {', '.join(inputs)}; is '{name}' the column of the language?")
    return texts._replace(probability=np.concatenate(probabilities), characters=np.concatenate(lengths))


def _print(name: str, figures: dict[str, Any]) -> None:
    accepted = (
        f", {_shown(figures['false_accept_rate'])} of {figures['out_of_set']:,} in other languages taken for these"
    )
    title = f"{name}: {figures['texts']:,} texts, macro-F1 {_shown(figures['macro_f1'])}"
    table = Table(title=title + accepted * bool(figures["out_of_set"]), title_justify="left", box=None)
    table.add_column("language")
    for column in ("texts", "precision", "recall", "F1", "calibration error"):
        table.add_column(column, justify="right", no_wrap=True)
    for code, row in figures["languages"].items():
        values = (row[key] for key in ("precision", "recall", "f1", "calibration_error"))
        table.add_row(code, f"{row['texts']:,}", *map(_shown, values))
    progress.console.print(table)


def _print_confusions(confusions: list[tuple[str, str, int]]) -> None:
    pairs = ", ".join(f"{expected} as {found} {texts:,}" for expected, found, texts in confusions[:SHOWN_CONFUSIONS])
    progress.say(f"most frequent confusions: {pairs or 'none'}")


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
