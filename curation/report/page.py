"""The page: head, sections in the order of the jobs, and what to run for those that are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from curation.report import documents, languages, tokens
from curation.report.data import ReportData
from curation.report.markup import (
    Column,
    Html,
    count,
    decimal,
    escape,
    join,
    large,
    megabytes,
    paragraph,
    percent,
    table,
    tag,
    tiles,
)
from curation.report.style import CSS

FINGERPRINT_DIGITS = 12
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy: the page loads nothing and runs nothing, whatever its texts hold."""


class Section(NamedTuple):
    anchor: str
    title: str
    job: str  # that makes what it shows
    render: Callable[[ReportData], Html | None]


SECTIONS = (
    Section("funnel", "Funnel", "select", documents.funnel),
    Section("reasons", "Reasons", "select", documents.reasons),
    Section("languages", "Languages of lines", "annotate", languages.languages),
    Section("duplicates", "Duplicates", "dedup", documents.duplicates),
    Section("mixture", "Mixture", "select", documents.mixture),
    Section("unreadable", "Unreadable records", "annotate", documents.unreadable),
    Section("tokenizer", "Tokenizer", "train-tokenizer", tokens.tokenizer),
    Section("shards", "Shards", "shard", tokens.shards),
    Section("training", "Training", "train", tokens.training),
    Section("samples", "Rejected samples", "select", documents.samples),
)


def render(data: ReportData) -> str:
    """The whole report as one HTML document: no scripts, nothing loaded, every text of the run escaped.

    A pure function: equal data, equal page.
    """
    body = [_head(data), *(_section(section, data) for section in SECTIONS), foot()]
    return document(f"{data.name} – Glotmill report", body)


def document(title: str, body: Iterable[Html]) -> str:
    """An HTML document in the report's style."""
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>"
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{join(body, chr(10))}\n</body>\n</html>\n'
    )


def _head(data: ReportData) -> Html:
    links = [tag("a", section.title, href=f"#{section.anchor}") for section in SECTIONS]
    return tag(
        "header", paragraph("Glotmill report", class_="kicker"), tag("h1", data.name), tiles(_totals(data)),
        _datasets(data), tag("nav", *links, aria_label="Sections"),
    )  # fmt: skip


def _totals(data: ReportData) -> list[tuple[str, str, str]]:
    facts = []
    if data.annotated is not None:
        read = data.annotated
        facts.append(("read", large(read["documents"]), f"documents, {megabytes(read['utf8_bytes'])} MB of text"))
        facts.append(("unreadable", count(read["dead"]), "records"))
    if data.funnel:
        documents_read, kept, size = (
            sum(row[name] for row in data.funnel) for name in ("documents", "kept_documents", "kept_bytes")
        )
        facts.append(("kept", large(kept), f"documents, {percent(kept, documents_read)} of all; {megabytes(size)} MB"))
    if data.shards:
        numbers = {split: shard["tokens"] for split, shard in data.shards.items()}
        remark = " + ".join(f"{split} {count(number)}" for split, number in numbers.items())
        facts.append(("tokens", large(sum(numbers.values())), remark))
    if data.evaluation is not None:
        remark = f"on validation text; mean of languages {decimal(data.evaluation['macro'], 3)}"
        facts.append(("bits per byte", decimal(data.evaluation["micro"], 3), remark))
    return facts


def _datasets(data: ReportData) -> Html:
    columns = [Column("Dataset", "text"), Column("Fingerprint", "text"), *map(Column, ("Rows", "Files", "MB stored"))]
    rows: list[tuple[object, ...]] = []
    for name, manifest in data.datasets.items():
        size = (count(manifest["rows"]), count(len(manifest["files"])), megabytes(manifest["bytes"]))
        rows.append((f"{name}/", _short(manifest["fingerprint"]), *size))
    for split, shard in data.shards.items():
        rows.append((f"shards/{split}/", _short(shard["fingerprint"]), count(shard["documents"]), *_stored(shard)))
    if not rows:
        return paragraph("No dataset is finished yet.")
    return table("Datasets and their fingerprints", columns, rows)


def _stored(shard: dict[str, list[dict[str, dict[str, dict[str, int]]]]]) -> tuple[str, str]:
    """Files and megabytes of a split's shards."""
    sizes = [file["bytes"] for part in shard["shards"] for file in part["files"].values()]
    return count(len(sizes)), megabytes(sum(sizes))


def _short(fingerprint: str) -> Html:
    return tag("code", fingerprint[:FINGERPRINT_DIGITS])


def _section(section: Section, data: ReportData) -> Html:
    missing = paragraph("Job ", tag("code", section.job), " has not run yet; its results will stand here.")
    content = section.render(data) or missing
    heading = tag("h2", section.title, id=f"{section.anchor}-title")
    return tag("section", heading, content, id=section.anchor, aria_labelledby=f"{section.anchor}-title")


def foot() -> Html:
    return tag("footer", "MB are 10⁶ bytes. Texts are UTF-8.")
