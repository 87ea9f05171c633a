"""What a report is made from, and how its groups of documents are named and folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.languages import CODE, LANGUAGES, UNDETERMINED
from curation.report.markup import Html, join, tag

Record = dict[str, Any]

OTHER = "other languages"
DOWNSAMPLED = "mixture.downsampled"
"""The reason of documents that passed every rule and were left out by the mixture."""


@dataclass(frozen=True)
class Sample:
    """A rejected document, shown for one of its reasons."""

    reason: str
    reasons: tuple[str, ...]  # all of them
    language: str
    domain: str
    source: str
    id: str
    text: str  # its beginning


@dataclass(frozen=True)
class Mixed:
    """A document in several languages, shown for its kind of mixture."""

    kind: str
    language: str
    second: str
    share: float  # of its units in other languages
    id: str
    domain: str
    pieces: tuple[tuple[str, str], ...]  # text and its language, '' for the document's own


@dataclass(frozen=True)
class ReportData:
    """What the jobs of one run said of themselves; None or empty where a job has not run.

    Records are the JSON objects of the run folder as they are: ``annotated`` the counts of job annotate,
    ``duplicates`` the summary of job dedup, ``datasets`` and ``shards`` manifests by name, ``funnel`` the rows of
    funnel.json, ``tokenizer`` and ``evaluation`` the two evaluation.json, ``metrics`` one record per training step,
    ``unreadable`` the first rows of dead/, ``languages`` what annotate counted of the languages of lines and of
    kinds of mixture (`filters.mixture_counts`), ``mixed`` samples of these kinds.
    """

    name: str
    annotated: Record | None = None
    datasets: dict[str, Record] = field(default_factory=dict)
    funnel: Sequence[Record] | None = None
    duplicates: Record | None = None
    unreadable: Sequence[Record] = ()
    tokenizer: Record | None = None
    shards: dict[str, Record] = field(default_factory=dict)
    metrics: Sequence[Record] = ()
    evaluation: Record | None = None
    samples: Sequence[Sample] = ()
    languages: Record | None = None
    mixed: Sequence[Mixed] = ()


def language_name(code: str) -> str:
    """English name of a language code; codes outside the registry stand for themselves."""
    if code in LANGUAGES:
        return LANGUAGES[code].name
    return {CODE: "Source code", UNDETERMINED: "Undetermined"}.get(code, code)


def is_known(code: str) -> bool:
    """Whether the code is one of the registry's languages or source code."""
    return code in LANGUAGES or code == CODE


def group_name(row: Record) -> Html:
    """Language and domain of a funnel row."""
    return join([language_name(row["language"]), tag("small", row["domain"])])


def reason_name(reason: str) -> Html:
    """A reason as code that may break after its dots and underscores."""
    return tag("code", join(re.split(r"(?<=[._])", reason), "<wbr>"))


def add_up(rows: Iterable[Record], language: str, domain: str) -> Record:
    """One funnel row with the sums of many; ``rate`` is left out, since rates do not add up."""
    total: Record = {"language": language, "domain": domain, "reasons": {}}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int | float) and name != "rate":
                total[name] = total.get(name, 0) + value
        for reason, number in row["reasons"].items():
            total["reasons"][reason] = total["reasons"].get(reason, 0) + number
    return total


def fold(funnel: Sequence[Record]) -> list[Record]:
    """The rows of the registry's languages and code, most bytes first; all others as one row at the end."""
    known = [row for row in funnel if is_known(row["language"])]
    others = [row for row in funnel if not is_known(row["language"])]
    rows = sorted(known, key=lambda row: (-row["bytes"], row["language"], row["domain"]))
    if others:
        languages = len({row["language"] for row in others})
        rows.append(add_up(others, OTHER, f"{languages} found"))
    return rows


def by_language(funnel: Sequence[Record]) -> list[Record]:
    """One row per language over all its domains, most bytes first."""
    grouped: dict[str, list[Record]] = {}
    for row in funnel:
        grouped.setdefault(row["language"], []).append(row)
    rows = [add_up(members, language, "all") for language, members in grouped.items()]
    return sorted(rows, key=lambda row: (-row["bytes"], row["language"]))


def reason_counts(funnel: Sequence[Record]) -> dict[str, int]:
    """Documents that each reason holds for, most frequent first. The mixture counts as a reason, after the rules."""
    total = add_up(funnel, "all", "all")
    counts = dict(total["reasons"])
    if left_out := total.get("passed", 0) - total.get("kept_documents", 0):
        counts[DOWNSAMPLED] = left_out
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
