"""Sections about tokenizers, one or several side by side: for the report of a run and for pages of comparison.

Each takes the records that `tokenizer.evaluation` makes, as JSON objects, with a ``name`` each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter

from curation.report.charts import dot_chart, grouped_bars
from curation.report.data import Record, language_name
from curation.report.markup import Column, Html, count, decimal, join, legend, paragraph, percent, table, tag

CLASSES = ("accent", "third", "second", "fourth")
"""CSS classes of the tokenizers in order; more cannot be told apart."""
Records = Sequence[Record]


def key(records: Records) -> Html:
    """What the colours stand for, where there is more than one."""
    return (
        Html()
        if len(records) == 1
        else legend((class_, record["name"]) for class_, record in zip(CLASSES, records, strict=False))
    )


def _name(records: Records, record: Record) -> str:
    """The name before a figure, where there is more than one."""
    return f"{record['name']}: " if len(records) > 1 else ""


def overview(records: Records) -> Html:
    """One row for each tokenizer."""
    columns = [Column("Tokenizer", "text")]
    columns += map(
        Column, ("Tokens", "Bytes per token", "Fertility", "Continued words", "Rényi efficiency", "Gini of premiums",
                 "Highest premium")
    )  # fmt: skip
    rows = []
    for record in records:
        text, premium = record["all"], record.get("parallel", {}).get("premium", {})
        highest = max(premium, key=lambda language: (premium[language], language), default=None)
        rows.append([
            record["name"], count(record["vocabulary"]["vocabulary_size"]), decimal(text["bytes_per_token"]),
            decimal(text["fertility"]), percent(text["continued_words"]), decimal(text["renyi_efficiency"], 3),
            decimal(record["parallel"]["gini"], 3) if premium else "–",
            f"{premium[highest]:.2f} {language_name(highest)}" if highest else "–",
        ])  # fmt: skip
    return join([
        paragraph(
            "Fertility: pieces that a word is cut into, in scripts without spaces a character or syllable; continued: "
            "the share that is cut at all. Efficiency: how evenly the vocabulary is used (1: all tokens alike); "
            "Gini coefficient: how unequally languages pay for the same content (0: all alike)."
        ),
        table("Tokenizers", columns, rows),
    ])  # fmt: skip


def compression(records: Records, rows_of: str, name_of: Callable[[Record], str], heading: str) -> Html | None:
    """Bytes per token by language, domain or kind of code: a list of rows ``rows_of`` of each record."""
    by_name = [{name_of(row): row for row in record[rows_of]} for record in records]
    ratios = [{name: row["bytes_per_token"] or 0.0 for name, row in rows.items()} for rows in by_name]
    names = sorted(ratios[0], key=lambda name: (-ratios[0][name], name))
    if not names:
        return None
    longest = max(max(values.values(), default=0.0) for values in ratios) or 1.0
    columns = [Column(heading, "text"), Column("Bytes per token: more is better", "bar")]
    columns += [Column(record["name"]) for record in records]
    rows = []
    for name in names:
        values = [one.get(name, 0.0) for one in ratios]
        shown = ", ".join(f"{record['name']} {value:.2f}" for record, value in zip(records, values, strict=True))
        bars = grouped_bars([(c, value / longest) for c, value in zip(CLASSES, values, strict=False)], shown)
        rows.append([name, bars, *(decimal(value or None) for value in values)])
    return join([key(records), table(f"Bytes per token by {heading.lower()}", columns, rows)])


def words(records: Records) -> Html:
    """How words are cut, by language."""
    columns = [Column("Language", "text")]
    for title in ("tokens per unit", "fertility", "continued"):
        columns += [Column(f"{_name(records, record)}{title}") for record in records]
    by_language = [{row["language"]: row for row in record["languages"]} for record in records]
    cells = []
    for language in sorted(by_language[0], key=lambda code: (by_language[0][code]["fertility"] or 0.0, code)):
        row: list[object] = [language_name(language)]
        row += [decimal(rows[language]["tokens_per_unit"]) for rows in by_language]
        row += [decimal(rows[language]["fertility"]) for rows in by_language]
        row += [percent(rows[language]["continued_words"]) for rows in by_language]
        cells.append(row)
    return table("How words are cut, by language", columns, cells)


def premiums(records: Records) -> Html | None:
    """What the same content costs in each language against English."""
    by_record = [record.get("parallel", {}).get("premium", {}) for record in records]
    if not by_record[0]:
        return None
    names = sorted(by_record[0], key=lambda language: (by_record[0][language], language))
    rows = [
        (language_name(language), [(c, one[language]) for c, one in zip(CLASSES, by_record, strict=False)])
        for language in names
    ]
    said = "; ".join(f"{_name(records, record)}Gini coefficient {record['parallel']['gini']:.3f}" for record in records)
    drawn = dot_chart(rows, "tokens for the same content, English = 1", f"Premium by language: {said}", 1.0)
    return join([key(records), tag("figure", drawn), paragraph(f"{said}.", class_="said")])


def vocabulary_by_script(records: Records) -> Html:
    """The share of the vocabulary that each script has, and the share of the tokens of the text."""
    scripts = sorted(
        {script for record in records for script in record["vocabulary"]["scripts"]},
        key=lambda script: (-max(_script(record, script)["share"] for record in records), script),
    )
    columns = [Column("Script", "text"), Column("Share of the vocabulary", "bar")]
    for record in records:
        name = _name(records, record)
        columns += [Column(f"{name}of vocabulary"), Column(f"{name}of text")]
    rows = []
    for script in scripts:
        found = [_script(record, script) for record in records]
        shares = [(class_, one["share"]) for class_, one in zip(CLASSES, found, strict=False)]
        row: list[object] = [script, grouped_bars(shares, ", ".join(percent(share) for _, share in shares))]
        for one in found:
            row += [percent(one["share"]), percent(one["text_share"])]
        rows.append(row)
    read = paragraph(
        "Scripts by ISO 15924 code. Tokens of spaces, digits and punctuation are of none, letters of several scripts "
        "are mixed, a byte is one byte of a character, broken tokens hold more bytes that are not whole characters."
    )
    return join([read, table("Vocabulary by script", columns, rows)])


def _script(record: Record, script: str) -> Record:
    found: Record = record["vocabulary"]["scripts"].get(script, {"share": 0.0, "text_share": 0.0})
    return found


def doubtful(records: Records) -> Html:
    """Tokens that break characters, that are hardly used, or that no text is encoded as."""
    columns = [Column("Tokens", "text"), *(Column(record["name"]) for record in records)]
    broken = [record["vocabulary"]["broken"] for record in records]
    rows: list[list[object]] = [
        ["parts of one character, several bytes", *(count(one["parts"]) for one in broken)],
        ["across characters, one of them cut", *(count(one["crossing"]) for one in broken)],
        ["of the text: not whole characters", *(percent(one["text_share"]) for one in broken)],
    ]
    for name, title in (
        ("unused", "never used in this text"),
        ("rare", "used less than 5 times"),
        ("unreachable", "whose own text is not encoded as them"),
    ):
        found = [record["vocabulary"][name] for record in records]
        rows.append([title, *(f"{count(one['tokens'])} ({percent(one['share'])})" for one in found)])
    examples = [
        paragraph(f"{_name(records, record)}{name}: ", join((tag("code", repr(one)) for one in shown), " "))
        for record in records
        for name in ("unused", "unreachable")
        if (shown := record["vocabulary"][name]["examples"])
    ]
    read = paragraph(
        "Tokens that are rare in the text a model is trained on stay under-trained. How many are depends on how much "
        "text was measured: compare, rather than count."
    )
    return join([read, table("Doubtful tokens", columns, rows), *examples])


def habits(records: Records) -> Html:
    """How numbers, indentation and line ends are cut."""
    columns = [Column("", "text"), *(Column(record["name"], "text") for record in records)]
    rows: list[list[object]] = []
    for digits in records[0]["behaviour"]["digits"]:
        name = f"numbers of {digits} digits" if digits != "1" else "digits"
        rows.append([name, *(_splits(record["behaviour"]["digits"][digits]) for record in records)])
    for run, title in (
        ("spaces", "indentation by spaces"),
        ("tabs", "indentation by tabs"),
        ("newlines", "line ends"),
        ("crlf", "line ends, CR LF"),
    ):
        rows.append([title, *(_runs(record["behaviour"][run]) for record in records)])
    read = paragraph(
        "Numbers: the lengths of the pieces, and the share of the numbers that are cut so. White space: how many "
        "tokens a run of so many characters adds."
    )
    return join([read, table("Numbers and white space", columns, rows)])


def _splits(found: Record) -> str:
    return ", ".join(split if share == 1 else f"{split} {percent(share)}" for split, share in found["splits"])


def _runs(found: Sequence[tuple[int, int]]) -> str:
    """Tokens by length, lengths in a row with equally many together: "1: 0, 2–32: 1"."""
    runs = [(tokens, [str(length) for length, _ in run]) for tokens, run in groupby(found, key=itemgetter(1))]
    return ", ".join(f"{'–'.join(dict.fromkeys((run[0], run[-1])))}: {tokens}" for tokens, run in runs)
