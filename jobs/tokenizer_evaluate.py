"""`glotmill tokenizer evaluate`: tokenizers measured on the same text, as JSON, Markdown and a page."""

from __future__ import annotations

import re
from typing import Any

from rich.table import Table

from curation import storage
from curation.dataset import pretty_json
from curation.report import tokenizer_page
from curation.report.tokenizers import CLASSES
from jobs import progress
from jobs.errors import JobError
from jobs.tokenizer_text import TextColumns, read_groups
from tokenizer.evaluation import Subject, compare, load, read_parallel
from tokenizer.evaluation.markdown import comparison_text, decimal, share

MOST = len(CLASSES)  # colours of the page
_GIVEN = re.compile(r"(?:([^/=]+)=)?(.*?)(?:(?<=\.tiktoken)@([^/@]*))?", re.DOTALL)


def evaluate_tokenizers(
    tokenizers: list[str], text: list[str], parallel: str | None, output: str, columns: TextColumns, most_bytes: int
) -> dict[str, Any]:
    """Measure tokenizers, print an overview, and write ``evaluation.json``, ``.md`` and ``.html`` into ``output``.

    ``tokenizers``: "[name=]path" or "[name=]FILE.tiktoken@pattern" each; see `tokenizer.evaluation.load`. A name has no
    "/", so that a path with "=" in it is one. The comparison is returned.

    Raises:
        JobError: a tokenizer or a text cannot be read, or there are more than four tokenizers.
        FileNotFoundError: there is no such tokenizer.
    """
    if len(tokenizers) > MOST:
        raise JobError(f"{len(tokenizers)} tokenizers; compare at most {MOST} at a time")
    try:
        subjects = _subjects(tokenizers)
        translations = read_parallel(parallel) if parallel else None
        groups = read_groups(text, columns, most_bytes)
        with progress.counter("evaluate", len(subjects), "tokenizers") as show:
            found = compare(subjects, groups, translations, show)
    except ValueError as error:
        raise JobError(str(error)) from error
    _print(found)
    written = {
        "evaluation.json": pretty_json(found),
        "evaluation.md": comparison_text(found).encode(),
        "evaluation.html": tokenizer_page.render(found).encode(),
    }
    for name, data in written.items():
        storage.write_bytes(storage.join(output, name), data)
        progress.say(storage.join(output, name))
    return found


def _subjects(tokenizers: list[str]) -> list[Subject]:
    subjects = []
    for given in tokenizers:
        name, path, pattern = _GIVEN.fullmatch(given).groups()  # type: ignore[union-attr]  # any text matches
        subjects.append(load(path, pattern or None, name))
    names = [subject.name for subject in subjects]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise JobError(f"several tokenizers are called {', '.join(twice)}; name them: one={tokenizers[0]}")
    return subjects


def _print(found: dict[str, Any]) -> None:
    table = Table(box=None)
    table.add_column("tokenizer")
    for column in ("tokens", "bytes per token", "fertility", "continued", "Rényi efficiency", "Gini of premiums"):
        table.add_column(column, justify="right")
    for record in found["tokenizers"]:
        text = record["all"]
        table.add_row(
            record["name"], f"{record['vocabulary']['vocabulary_size']:,}", decimal(text["bytes_per_token"]),
            decimal(text["fertility"]), share(text["continued_words"]), decimal(text["renyi_efficiency"], 3),
            decimal(record.get("parallel", {}).get("gini"), 3),
        )  # fmt: skip
    progress.console.print(table)
