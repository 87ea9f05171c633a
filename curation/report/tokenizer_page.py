"""A page that compares tokenizers."""

from __future__ import annotations

from curation.report import tokenizers
from curation.report.data import Record, language_name
from curation.report.markup import Html, count, join, large, megabytes, paragraph, tag, tiles
from curation.report.page import document, foot


def render(comparison: Record) -> str:
    """The comparison that `tokenizer.evaluation.compare` makes as one HTML document. Equal data, equal page."""
    records = comparison["tokenizers"]
    sections = {
        "Compression by language": tokenizers.compression(
            records, "languages", lambda row: language_name(row["language"]), "Language"
        ),
        "Premium over English": tokenizers.premiums(records),
        "Words": tokenizers.words(records),
        "Compression by language and domain": _by_language_and_domain(records),
        "Compression by domain": tokenizers.compression(records, "domains", lambda row: str(row["domain"]), "Domain"),
        "Code by programming language": tokenizers.compression(records, "code", lambda row: str(row["kind"]), "Code"),
        "Vocabulary by script": tokenizers.vocabulary_by_script(records),
        "Doubtful tokens": tokenizers.doubtful(records),
        "Numbers and white space": tokenizers.habits(records),
    }
    title = ", ".join(record["name"] for record in records)
    body = [_head(title, comparison), *(_section(name, content) for name, content in sections.items() if content)]
    return document(f"{title} – Glotmill tokenizers", [*body, foot()])


def _by_language_and_domain(records: tokenizers.Records) -> Html | None:
    """Nothing where no language has several domains."""
    if len(records[0]["groups"]) == len(records[0]["languages"]):
        return None
    return tokenizers.compression(
        records, "groups", lambda row: f"{language_name(row['language'])}, {row['domain']}", "Language and domain"
    )


def _head(title: str, comparison: Record) -> Html:
    text = comparison["text"]
    facts = [
        ("measured on", large(sum(row["documents"] for row in text)), "documents"),
        ("text", megabytes(sum(row["utf8_bytes"] for row in text)), "MB"),
        ("languages", count(len({row["language"] for row in text})), "source code counts as one"),
    ]
    return tag(
        "header", paragraph("Tokenizers compared", class_="kicker"), tag("h1", title), tiles(facts),
        tokenizers.overview(comparison["tokenizers"]),
    )  # fmt: skip


def _section(title: str, content: Html) -> Html:
    return tag("section", join([tag("h2", title), content]))
