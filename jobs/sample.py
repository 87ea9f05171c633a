"""The sample that tokenizers are trained on, and the text kept out of it: a document's fate is a hash of its id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation import mixture
from curation.dataset import Job, iterate_part, read_manifest
from curation.mixture import Group
from curation.recipe import Recipe

BATCH_ROWS = 1000
UNSEEN_FRACTION = 0.05
"""Of every group kept out of the sample, to measure the tokenizer on text it has not seen."""
EVALUATION_CHARACTERS = 200_000
"""Text of each language the tokenizer is measured on, in characters."""


@dataclass(frozen=True)
class Sample:
    """Which documents of ``curated/`` the tokenizer sees."""

    run: str
    rates: dict[Group, float]
    seed: int

    def texts(self, file: str, *, seen: bool = True) -> Iterator[pa.Array]:
        """Text of the documents of one file that are in the sample, or of the others, in batches: large_string[n]."""
        rate = self.rate(file)
        for batch in iterate_part(self.run, "curated", file, BATCH_ROWS, ["id", "text"]):
            taken = pa.array(mixture.uniform(batch["id"].to_pylist(), self.seed, "tokenizer") < rate)
            yield batch["text"].filter(taken if seen else pc.invert(taken))

    def rate(self, file: str) -> float:
        """The fraction of a file's documents that are in the sample; 0 where the group has no text."""
        return self.rates.get(group_of(file), 0.0)

    def files(self) -> dict[str, int]:
        """The files of ``curated/`` in order, and their bytes on disk."""
        files = read_manifest(self.run, "curated")["files"]
        return {name: files[name]["bytes"] for name in sorted(files)}


def sample_of(recipe: Recipe, run: str, selected: Job) -> Sample:
    """The sample that the recipe asks for, of the documents that `select` has kept."""
    groups = selected.summary()["groups"]
    available: dict[Group, int] = {tuple(name.split("/")): counts["bytes"] for name, counts in groups.items()}
    rates = sample_rates(available, recipe.tokenizer.sample_bytes, recipe.tokenizer.temperature)
    return Sample(run, {group: min(rate, 1 - UNSEEN_FRACTION) for group, rate in rates.items()}, recipe.seed)


def sample_rates(available: dict[Group, int], sample_bytes: int, temperature: float) -> dict[Group, float]:
    """The fraction of each group's documents to sample, so that the groups are balanced and the sample is that large.

    A group's weight is its bytes to the power 1 / temperature; a group smaller than its share is taken whole.
    """
    weights = {group: float(size) ** (1 / temperature) for group, size in available.items() if size}
    most = {group: float(size) for group, size in available.items()}
    dealt = mixture.deal(weights, most, float(sample_bytes))
    return {group: size / available[group] for group, size in dealt.items()}


def group_of(file: str) -> Group:
    """Language and domain of a file of ``curated/``."""
    language, domain = (piece.split("=", 1)[1] for piece in file.split("/")[:2])
    return language, domain


def evaluation_texts(sample: Sample) -> tuple[dict[str, list[str]], set[str]]:
    """Some text of each language that is not in the sample, and the languages too small to have any, where it is."""
    by_language: dict[str, list[str]] = {}
    for file in sample.files():
        by_language.setdefault(group_of(file)[0], []).append(file)
    texts = {language: _some(sample, files, seen=False) for language, files in sorted(by_language.items())}
    small = {language for language, unseen in texts.items() if not unseen}
    return texts | {language: _some(sample, by_language[language], seen=True) for language in sorted(small)}, small


def _some(sample: Sample, files: list[str], *, seen: bool) -> list[str]:
    """The first EVALUATION_CHARACTERS of text in or out of the sample, in whole documents."""
    kept: list[str] = []
    room = EVALUATION_CHARACTERS
    for file in files:
        for text in sample.texts(file, seen=seen):
            for document in text.to_pylist():
                if room <= 0:
                    return kept
                kept.append(document)
                room -= len(document)
    return kept
