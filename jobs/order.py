"""The jobs of a recipe by name, in the order they run, and what each does."""

from __future__ import annotations

HELP = {
    "annotate": "Read, normalise, identify, measure: inputs to documents/, signals/ and dead/.",
    "score": "Apply the quality models that the recipe names: documents/ to scores/.",
    "dedup": "Find exact and near duplicates: signals/ to duplicates/.",
    "select": "Apply policy, duplicates and mixture: to curated/, rejected/ and funnel.json.",
    "count": "Count the pretokens of a balanced sample of curated/: to counts/.",
    "train-tokenizer": "Train a byte-level BPE tokenizer from counts/.",
    "shard": "Encode curated/ into token shards.",
    "train": "Train the reference model on the shards.",
    "report": "Write report.html from what the jobs left.",
}
ORDER = tuple(HELP)
