"""Section about languages: those of lines by those of documents, kinds of mixture, and samples of each kind."""

from __future__ import annotations

from curation.languages import UNDETERMINED
from curation.report.data import Mixed, ReportData, is_known, language_name
from curation.report.markup import Column, Html, count, join, paragraph, percent, table, tag

LINE_LANGUAGES = 8
"""Columns of other languages: those with most bytes outside their own documents."""
OWN = "monolingual"


def languages(data: ReportData) -> Html | None:
    """Languages of lines and kinds of mixture."""
    if not data.languages or not data.languages.get("line_languages"):
        return None
    matrix, kinds = data.languages["line_languages"], data.languages["kinds"]
    parts = [_matrix(matrix), tag("h3", "Kinds of mixture"), _kinds(kinds)]
    if data.mixed:
        parts += [tag("h3", "Samples of mixtures"), *map(_sample, data.mixed)]
    return join(parts)


def _matrix(matrix: dict[str, dict[str, list[int]]]) -> Html:
    size = {own: sum(bytes_ for _, bytes_ in row.values()) for own, row in matrix.items()}
    order = sorted((own for own in matrix if is_known(own)), key=lambda own: (-size[own], own))
    foreign: dict[str, int] = {}
    for own in order:
        for line, (_, bytes_) in matrix[own].items():
            if line not in (own, UNDETERMINED):
                foreign[line] = foreign.get(line, 0) + bytes_
    shown = sorted(foreign, key=lambda line: (-foreign[line], line))[:LINE_LANGUAGES]
    columns = [Column("Documents in", "text"), Column("own language"), *(Column(language_name(line)) for line in shown)]
    columns += [Column("others"), Column("no words")]
    rows = []
    for own in order:
        row = {line: bytes_ for line, (_, bytes_) in matrix[own].items()}
        others = size[own] - sum(row.get(line, 0) for line in {own, UNDETERMINED, *shown})
        cells = [row.get(own, 0), *(0 if line == own else row.get(line, 0) for line in shown), others,
                 row.get(UNDETERMINED, 0)]  # fmt: skip
        rows.append((language_name(own), *(_share(value, size[own]) for value in cells)))
    explained = paragraph(
        "Percent of the bytes of lines, by the language of their document and their own. A line counts as in another "
        "language when at least four fifths of its words are."
    )
    return join([explained, table("Languages of lines by language of documents", columns, rows)])


def _share(part: int, whole: int) -> Html:
    return tag("span", "·", class_="note") if not part else tag("span", percent(part, whole))


def _kinds(kinds: dict[str, dict[str, int]]) -> Html:
    known = {language: row for language, row in kinds.items() if is_known(language)}
    total: dict[str, int] = {}
    for row in known.values():
        for kind, number in row.items():
            total[kind] = total.get(kind, 0) + number
    names = sorted(total, key=lambda kind: (kind != OWN, -total[kind], kind))
    order = sorted(known, key=lambda language: (-sum(known[language].values()), language))
    columns = [Column("Language", "text"), Column("Documents"), *(Column(kind.replace("_", " ")) for kind in names)]
    rows = [("All", count(sum(total.values())), *(percent(total[kind], sum(total.values())) for kind in names))]
    for language in order:
        row = known[language]
        documents = sum(row.values())
        rows.append(
            (language_name(language), count(documents), *(percent(row.get(kind, 0), documents) for kind in names))
        )
    return table("Kinds of mixture by language", columns, rows, total=True)


def _sample(sample: Mixed) -> Html:
    said = (
        f"{sample.kind.replace('_', ' ')}: {language_name(sample.language)}, {percent(sample.share)} in other languages"
    )
    if sample.second:
        said += f", most in {language_name(sample.second)}"
    text = [tag("mark", text, title=language_name(language)) if language else text for text, language in sample.pieces]
    caption = tag("figcaption", said, f" · {sample.domain} · {sample.id}")
    return tag("figure", tag("p", *text), caption, class_="sample")
