"""Figures of tokenizers as Markdown, for cards and pull requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curation.languages import LANGUAGES

Record = Mapping[str, Any]


def comparison_text(comparison: Record) -> str:
    """The comparison that `comparison.compare` makes, as Markdown."""
    records = comparison["tokenizers"]
    documents, size = (sum(row[name] for row in comparison["text"]) for name in ("documents", "utf8_bytes"))
    parts = [
        "# " + ", ".join(record["name"] for record in records),
        f"Measured on {documents:,} documents, {size / 1e6:,.2f} MB of text.",
        overview(records),
        "## Bytes per token by language",
        side_by_side(records, "languages", "language", "bytes_per_token", decimal),
        "## Pieces per word (fertility) by language",
        side_by_side(records, "languages", "language", "fertility", decimal),
        "## Words in two pieces or more by language",
        side_by_side(records, "languages", "language", "continued_words", share),
    ]
    if all("parallel" in record for record in records):
        parts += ["## Tokens for the same content, English = 1", _premiums(records)]
    if records[0]["code"]:
        parts += ["## Bytes per token of code", side_by_side(records, "code", "kind", "bytes_per_token", decimal)]
    parts += ["## Share of the vocabulary by script", _scripts(records)]
    return "\n\n".join(parts) + "\n"


def overview(records: Sequence[Record]) -> str:
    """Each tokenizer a column, each figure a row."""
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("tokens in the vocabulary", lambda record: f"{record['vocabulary']['vocabulary_size']:,}"),
        ("bytes per token", lambda record: decimal(record["all"]["bytes_per_token"])),
        ("pieces per word", lambda record: decimal(record["all"]["fertility"])),
        ("words in two pieces or more", lambda record: share(record["all"]["continued_words"])),
        ("Rényi efficiency", lambda record: decimal(record["all"]["renyi_efficiency"], 3)),
        ("Gini coefficient of premiums", lambda record: decimal(record.get("parallel", {}).get("gini"), 3)),
        ("tokens across characters, cut", lambda record: f"{record['vocabulary']['broken']['crossing']:,}"),
        ("unreachable tokens", lambda record: f"{record['vocabulary']['unreachable']['tokens']:,}"),
        (
            "3-digit numbers are cut",
            lambda record: ", ".join(split for split, _ in record["behaviour"]["digits"]["3"]["splits"]),
        ),
    ]
    head = ["", *(record["name"] for record in records)]
    return table(head, [[name, *map(value, records)] for name, value in rows])


def side_by_side(
    records: Sequence[Record], rows: str, key: str, figure: str, show: Callable[[float | None], str]
) -> str:
    """One ``figure`` of the list ``rows`` of each record, by ``key``."""
    found = [{row[key]: row[figure] for row in record[rows]} for record in records]
    shown = name_of if key == "language" else str
    written = [[shown(name), *(show(values.get(name)) for values in found)] for name in found[0]]
    return table([key, *(record["name"] for record in records)], written)


def name_of(code: str) -> str:
    """English name of a language code; what is none stands for itself."""
    return LANGUAGES[code].name if code in LANGUAGES else code


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and the others are numbers."""
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in [head, ruler, *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def decimal(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _premiums(records: Sequence[Record]) -> str:
    found = [record["parallel"]["premium"] for record in records]
    written = [[name_of(code), *(decimal(premium[code]) for premium in found)] for code in found[0]]
    return table(["language", *(record["name"] for record in records)], written)


def _scripts(records: Sequence[Record]) -> str:
    found = [record["vocabulary"]["scripts"] for record in records]
    names = sorted({name for scripts in found for name in scripts})
    nothing = {"share": 0.0}
    return table(
        ["script", *(record["name"] for record in records)],
        [[name, *(share(scripts.get(name, nothing)["share"]) for scripts in found)] for name in names],
    )
