"""Sections about tokens: tokenizer, shards, training. Each returns None when its job has not run."""

from __future__ import annotations

from typing import Any

from curation.report import tokenizers
from curation.report.charts import bar, line_chart
from curation.report.data import Record, ReportData, language_name
from curation.report.markup import (
    Column,
    Html,
    count,
    decimal,
    join,
    legend,
    megabytes,
    paragraph,
    percent,
    table,
    tag,
    tiles,
)


def tokenizer(data: ReportData) -> Html | None:
    """How well the tokenizer serves each language."""
    if data.tokenizer is None:
        return None
    rows = {row["language"]: row for row in data.tokenizer["languages"]}
    sampled: dict[str, int] = data.tokenizer["sample_bytes"]
    parallel: Record = data.tokenizer.get("parallel") or {}
    premium: dict[str, float] = parallel.get("premium", {})
    names = sorted({*rows, *sampled, *premium}, key=lambda name: (-_ratio(rows, name), name))
    longest = max((_ratio(rows, name) for name in names), default=0.0) or 1.0
    columns = [Column("Language", "text"), Column("More is better", "bar")]
    columns += map(Column, ("Bytes per token", "Tokens per unit", "Fertility", "Continued words", "Sample MB"))
    columns += [Column("Premium")] if premium else []
    cells = []
    for name in names:
        row, ratio = rows.get(name, {}), _ratio(rows, name)
        cell = [language_name(name), bar(ratio / longest, f"{ratio:.2f} bytes per token")]
        cell += [decimal(row.get(figure)) for figure in ("bytes_per_token", "tokens_per_unit", "fertility")]
        cell += [percent(row.get("continued_words")), megabytes(sampled.get(name, 0))]
        cells.append(cell + ([decimal(premium.get(name))] if premium else []))
    said = f"{count(data.tokenizer['vocab_size'])} tokens, trained on {megabytes(sum(sampled.values()))} MB."
    explained = [
        "Measured on curated text outside the sample. The more bytes per token, the shorter the sequences. Fertility "
        "is the number of pieces that a word is cut into, or a character or syllable in scripts without spaces; "
        "continued words are cut at all."
    ]
    if premium:
        explained.append(
            "The premium is how many tokens the same content takes, against English; over all languages its Gini "
            f"coefficient is {parallel['gini']:.3f} (0: all pay alike)."
        )
    return join([
        paragraph(said, class_="said"), paragraph(" ".join(explained)),
        table("Tokenizer by language", columns, cells), *_vocabulary(data.tokenizer),
    ])  # fmt: skip


def _vocabulary(tokenizer: Record) -> list[Html]:
    """Premium as a chart, what the vocabulary is for, and habits."""
    if "vocabulary" not in tokenizer:
        return []
    records = [tokenizer | {"name": "this tokenizer"}]
    sections = {
        "Premium over English": tokenizers.premiums(records),
        "Vocabulary by script": tokenizers.vocabulary_by_script(records),
        "Doubtful tokens": tokenizers.doubtful(records),
        "Numbers and white space": tokenizers.habits(records),
    }
    return [piece for title, content in sections.items() if content for piece in (tag("h3", title), content)]


def _ratio(rows: dict[str, Record], name: str) -> float:
    return rows.get(name, {}).get("bytes_per_token") or 0.0


def shards(data: ReportData) -> Html | None:
    """Tokens of each language and domain in each split."""
    if not data.shards:
        return None
    facts = tiles(
        (f"{split} tokens", count(shard["tokens"]), f"{count(shard['documents'])} documents, "
         f"{megabytes(shard['utf8_bytes'])} MB of text")
        for split, shard in data.shards.items()
    )  # fmt: skip
    return join([
        facts, tag("h3", "By language"), _tokens_by(data.shards, "language"),
        tag("h3", "By domain"), _tokens_by(data.shards, "domain"),
    ])  # fmt: skip


def _tokens_by(splits: dict[str, Record], grouping: str) -> Html:
    amounts: dict[str, dict[str, int]] = {split: shard[f"tokens_by_{grouping}"] for split, shard in splits.items()}
    totals: dict[str, int] = {}
    for tokens in amounts.values():
        for group, number in tokens.items():
            totals[group] = totals.get(group, 0) + number
    whole, most = sum(totals.values()), max(totals.values(), default=1) or 1
    columns = [Column(grouping.capitalize(), "text"), Column("Tokens", "bar")]
    columns += [Column(split.capitalize()) for split in amounts] + [Column("Share")]
    rows = []
    for group, total in sorted(totals.items(), key=lambda item: (-item[1], item[0])):
        drawn = bar(total / most, f"{count(total)} tokens")
        numbers = [count(tokens.get(group, 0)) for tokens in amounts.values()]
        name = language_name(group) if grouping == "language" else group
        rows.append([name, drawn, *numbers, percent(total, whole)])
    return table(f"Tokens by {grouping}", columns, rows)


def training(data: ReportData) -> Html | None:
    """The loss during training, and bits per byte at its end."""
    if not data.metrics and data.evaluation is None:
        return None
    return join([*_loss(data), *_validation(data), *_bits_per_byte(data.evaluation)])


def _points(data: ReportData) -> list[tuple[int, Record]]:
    """Evaluations by step; the final one, which scores all documents, replaces that of the last step."""
    points = {row["step"]: row["validation"] for row in data.metrics if row.get("validation")}
    if data.evaluation is not None:
        last = data.metrics[-1]["step"] if data.metrics else data.evaluation.get("steps", 0)
        points[last] = data.evaluation
    return sorted(points.items())


def _loss(data: ReportData) -> list[Html]:
    if not data.metrics:
        return []
    line = [(row["step"], row["loss"]) for row in data.metrics]
    marks = [(step, score["nats"] / score["tokens"]) for step, score in _points(data) if score["tokens"]]
    first, last = data.metrics[0], data.metrics[-1]
    said = f"loss {first['loss']:.3f} at step {count(first['step'])}, {last['loss']:.3f} at step {count(last['step'])}"
    chart = line_chart(line, marks, "step", "nats per token", f"Training loss by step: {said}")
    read = paragraph(f"{count(last['step'])} steps over {count(last['tokens'])} tokens: {said}.", class_="said")
    return [read, legend([("accent", "training loss"), ("ring", "validation loss")]), tag("figure", chart)]


def _validation(data: ReportData) -> list[Html]:
    points = _points(data)
    if not points:
        return []
    columns = [Column("Step", "text"), *map(Column, ("Loss", "Bits per byte", "Mean of languages", "Documents"))]
    rows = [
        (count(step), decimal(score["nats"] / score["tokens"] if score["tokens"] else None, 3),
         decimal(score["micro"], 3), decimal(score["macro"], 3), count(score["documents"]))
        for step, score in points
    ]  # fmt: skip
    return [tag("h3", "Validation"), table("Validation by step", columns, rows)]


def _bits_per_byte(evaluation: dict[str, Any] | None) -> list[Html]:
    if evaluation is None:
        return [paragraph("The evaluation at the end of training is not there yet.")]
    scores = sorted(evaluation["languages"].items(), key=lambda item: (item[1]["bits_per_byte"], item[0]))
    longest = max((score["bits_per_byte"] for _, score in scores), default=1.0) or 1.0
    columns = [Column("Language", "text"), Column("Fewer is better", "bar")]
    columns += map(Column, ("Bits per byte", "Tokens", "Documents"))
    rows = []
    for language, score in scores:
        value = score["bits_per_byte"]
        drawn = bar(value / longest, f"{value:.3f} bits per byte")
        numbers = (decimal(value, 3), count(score["tokens"]), count(score["documents"]))
        rows.append((language_name(language), drawn, *numbers))
    explained = paragraph("How many bits the model needs for each byte of the validation text.")
    return [tag("h3", "Bits per byte"), explained, table("Bits per byte by language", columns, rows)]
