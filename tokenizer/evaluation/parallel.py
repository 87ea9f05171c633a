"""What the same content costs in each language, in tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from curation import storage
from tokenizer.evaluation.figures import gini
from tokenizer.evaluation.subject import Subject

REFERENCE_LANGUAGE = "en"


def premium(subject: Subject, parallel: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Tokens that each language needs for the same content, over the tokens that English needs.

    ``parallel`` maps a language to its translations, item i of every language saying the same. Returns ``tokens``
    {language: tokens}, ``premium`` {language: ratio} and ``gini`` of the ratios (0 = all languages pay alike).
    Raises ValueError when English is missing or empty, or the languages have different numbers of texts.
    Premium: Petrov et al. 2023 (arXiv:2305.15425). Gini over languages: Foroutan et al. 2025 (arXiv:2508.04796).
    """
    if REFERENCE_LANGUAGE not in parallel:
        raise ValueError(f"Parallel text lacks {REFERENCE_LANGUAGE!r}, the reference; it has {sorted(parallel)}.")
    sizes = {language: len(texts) for language, texts in parallel.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Parallel text must have the same number of texts in each language, but has {sizes}.")
    columns = {language: pa.array(texts, pa.large_string()) for language, texts in parallel.items()}
    tokens = {language: len(subject.encode(column)[0]) for language, column in columns.items()}
    if tokens[REFERENCE_LANGUAGE] == 0:
        raise ValueError(f"The parallel text of {REFERENCE_LANGUAGE!r} is empty: there is nothing to compare with.")
    premiums = {language: count / tokens[REFERENCE_LANGUAGE] for language, count in tokens.items()}
    return {"tokens": tokens, "premium": premiums, "gini": gini(list(premiums.values()))}


def read_parallel(path: str) -> dict[str, list[str]]:
    """Parallel text from JSON lines of ``language``, ``article`` and ``text``: the articles all languages have.

    Raises ValueError for a line without these keys, naming it, when no article is there in all languages, and when
    these have no text in English, the reference of `premium`.
    """
    by_language: dict[str, dict[int, str]] = {}
    for number, line in enumerate(storage.read_text(path).splitlines(), 1):
        try:
            row = json.loads(line)
            by_language.setdefault(row["language"], {})[row["article"]] = row["text"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}, line {number}: no JSON object of language, article and text.") from None
    common = sorted(set.intersection(*(set(articles) for articles in by_language.values()))) if by_language else []
    if not common:
        raise ValueError(f"{path}: no article is there in all of its languages ({', '.join(sorted(by_language))}).")
    texts = {language: [articles[a] for a in common] for language, articles in sorted(by_language.items())}
    if not any(texts.get(REFERENCE_LANGUAGE, [])):
        raise ValueError(f"{path}: no text in {REFERENCE_LANGUAGE!r}, which others are compared with; it has "
                         f"{', '.join(texts)}.")  # fmt: skip
    return texts
