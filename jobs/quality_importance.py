"""`glotmill quality importance`: weights towards a target set, from its n-grams and those of a raw set."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import polars as pl

from curation import storage
from curation.dataset import pretty_json
from curation.text.scan import Scanner
from filters import importance, quality_card, quality_sets
from filters.importance import BUCKETS, KIND, WEIGHTS, ImportanceModel
from filters.quality_figures import roc_auc
from filters.quality_model import CARD
from filters.quality_sets import TRAIN
from jobs import progress
from jobs.errors import JobError
from jobs.quality_train import Settings, read_sets, say_dropped

BATCH_ROWS = 1024


def fit_importance(target: list[str], raw: list[str], output: str, settings: Settings) -> dict[str, Any]:
    """Fit the weights of each language with enough documents; write ``weights.npy``, ``card.json`` and ``card.md``.

    Raises:
        JobError: a set cannot be read, or no language has enough documents in both.
        PlanError: a column is missing.
    """
    documents, sets = read_sets({"positive": target, "negative": raw}, settings)
    screened = quality_sets.screen(documents)
    say_dropped(screened)
    sides = quality_sets.split(screened.documents, settings.holdout)
    train = sides.pop(TRAIN)
    counted = quality_sets.counts(train, "language")
    languages = sorted(name for name, row in counted.items() if min(row.values()) >= settings.least_documents)
    _say_left_out(counted, languages, settings)
    bags = [_bags(train.filter(pl.col("positive") == wanted), languages) for wanted in (True, False)]
    weights = importance.log_ratios(*bags)
    card: dict[str, Any] = {
        "kind": KIND,
        "buckets": BUCKETS,
        "languages": {name: counted[name] | {"ngrams": [int(bag[row].sum()) for bag in bags]}
                      for row, name in enumerate(languages)},
        "sets": {name: {"files": said.files, "read": said.read} for name, said in sets.items()},
        "licenses": quality_sets.counts(screened.documents, "license"),
        "settings": {"holdout": settings.holdout, "least_documents": settings.least_documents,
                     "seed": settings.parameters.seed},
        "held_out": _held_out(pl.concat(sides.values()), ImportanceModel(languages, weights, mean=True), languages),
    }  # fmt: skip
    _write(output, weights, card)
    for name, row in card["held_out"].items():
        progress.say(f"{name:<8} ROC AUC {_shown(row['roc_auc'])} on {row['documents']:,} held-out documents")
    progress.say(f"weights and card: {output}")
    return card


def _say_left_out(counted: dict[str, dict[str, int]], languages: list[str], settings: Settings) -> None:
    least = settings.least_documents
    said = ", ".join(
        f"{name} ({row['positive']:,} target, {row['negative']:,} raw)"
        for name, row in counted.items() if name not in languages
    )  # fmt: skip
    if not languages:
        raise JobError(
            f"no language has {least:,} documents in both sets to fit on: {said or 'none at all'}"
            "; give more documents or a smaller --least-documents"
        )
    if said:
        progress.say(f"left out, fewer than {least:,} documents in one of the sets: {said}")


def _bags(documents: pl.DataFrame, languages: list[str]) -> np.ndarray:
    bags = np.zeros((len(languages), BUCKETS), np.int64)
    rows, scanner = {name: row for row, name in enumerate(languages)}, Scanner()
    for piece in documents.iter_slices(BATCH_ROWS):
        row = np.array([rows.get(name, -1) for name in piece["language"].to_list()], np.int64)
        importance.count_ngrams(scanner.scan(piece["line"].to_arrow()), row, bags)
    return bags


def _held_out(documents: pl.DataFrame, model: ImportanceModel, languages: list[str]) -> dict[str, dict[str, Any]]:
    """Of each language: documents, mean weight of one n-gram by set, and how often a target document weighs more."""
    scores = pl.concat(
        pl.Series("score", model.score(piece["line"].to_arrow(), piece["language"].to_arrow()), dtype=pl.Float32)
        for piece in documents.iter_slices(BATCH_ROWS)
    ) if documents.height else pl.Series("score", [], dtype=pl.Float32)  # fmt: skip
    documents = documents.with_columns(score=scores).drop_nulls("score")
    out = {}
    for name in languages:
        rows = documents.filter(pl.col("language") == name)
        positive = rows["positive"].to_numpy()
        both = 0 < positive.sum() < len(positive)
        means = [rows.filter(pl.col("positive") == wanted)["score"].mean() for wanted in (True, False)]
        out[name] = {
            "documents": rows.height,
            "mean_target": means[0],
            "mean_raw": means[1],
            "roc_auc": float(roc_auc(rows["score"].to_numpy(), positive)) if both else None,
        }
    return out


def _write(output: str, weights: np.ndarray, card: dict[str, Any]) -> None:
    """Publish the folder, ``card.json`` last: files that are not as it says are refused."""
    buffer = io.BytesIO()
    np.save(buffer, weights)
    storage.write_bytes(storage.join(output, WEIGHTS), buffer.getvalue())
    card["files"] = {WEIGHTS: hashlib.sha256(buffer.getvalue()).hexdigest()}
    storage.write_bytes(storage.join(output, "card.md"), _render(card).encode())
    storage.write_bytes(storage.join(output, CARD), pretty_json(card))


def _render(card: dict[str, Any]) -> str:
    rows = [
        (name, row["positive"], row["negative"], *card["held_out"][name].values())
        for name, row in card["languages"].items()
    ]
    header = ("language", "target", "raw", "held out", "mean of target", "mean of raw", "ROC AUC")
    licenses = [(name, row["positive"], row["negative"]) for name, row in card["licenses"].items()]
    return (
        "# Importance weights\n\nLog ratio of hashed units and unit pairs between a target and a raw set (Xie et al. "
        f"2023, arXiv:2302.03169), {card['buckets']:,} buckets, made by `glotmill quality importance`. Means are nats "
        "an n-gram, of held-out documents.\n\n"
        + quality_card.table(header, rows)
        + "\n\n## Licences, documents\n\n"
        + quality_card.table(("licence", "target", "raw"), licenses)
        + "\n"
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
