"""The recipe's keys under ``dedup``, and MinHash's under ``annotate``."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

import datasketch
from pydantic import Field, StringConstraints, model_validator

from curation.recipe_types import ByteSize, Fraction, Strict

PRESETS: dict[str, dict[str, int]] = {
    "fineweb": {"bands": 14, "rows": 8},  # Penedo et al. 2024, arXiv:2406.17557
    "refinedweb": {"bands": 450, "rows": 20},  # Penedo et al. 2023, arXiv:2306.01116
    "slimpajama": {"bands": 9, "rows": 13, "shingle": 13},  # 128 hashes at 0.8; theirs are 13 characters
    "redpajama-v2": {"bands": 14, "rows": 9, "shingle": 13},  # 128 hashes at 0.7, 13 words
    "nemo-curator": {"bands": 20, "rows": 13},  # 260 hashes; theirs are 24 characters
}
"""Published bands, rows and shingles of words."""


class MinHash(Strict):
    """MinHash LSH parameters. Defaults: FineWeb's 14 bands of 8 rows over 5-unit shingles (Penedo et al. 2024).

    Also given as the name of a preset, or as ``{threshold: 0.8, permutations: 128}``: then bands and rows are those
    with the least weighted sum of false positives and negatives at that Jaccard similarity, as datasketch chooses.
    """

    shingle: int = Field(default=5, ge=1, le=32)
    bands: int = Field(default=14, ge=1, le=512)
    rows: int = Field(default=8, ge=1, le=64)
    seed: int = Field(default=1, ge=0, lt=2**32)

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in PRESETS:
                close = difflib.get_close_matches(value, PRESETS, 1)
                hint = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(PRESETS)}"
                raise ValueError(f"no MinHash preset '{value}'{hint}")
            return PRESETS[value]
        if not isinstance(value, dict) or "threshold" not in value:
            return value
        if "bands" in value or "rows" in value:
            raise ValueError("give either threshold and permutations, or bands and rows")
        rest = {key: item for key, item in value.items() if key not in ("threshold", "permutations")}
        threshold, permutations = value["threshold"], value.get("permutations", 128)
        if not isinstance(threshold, float) or not 0 < threshold < 1:
            raise ValueError(f"threshold is a Jaccard similarity between 0 and 1, not {threshold}")
        if not isinstance(permutations, int) or not 2 <= permutations <= 2048:
            raise ValueError(f"permutations is a whole number from 2 to 2048, not {permutations}")
        chosen = datasketch.MinHashLSH(threshold=threshold, num_perm=permutations)
        return {**rest, "bands": chosen.b, "rows": chosen.r}


Preference = Annotated[
    str,
    StringConstraints(pattern="^(fewest_failures|source|longest|shortest|newest|oldest|(highest|lowest):[a-z0-9_]+)$"),
]


class Repeated(Strict):
    """Lines or paragraphs that documents of a language share: the first ``keep`` documents with one keep it, and where
    more than ``more_than`` have it the others lose it (`curation.dedup.passages`)."""

    keep: int = Field(default=1, ge=0)
    more_than: int = Field(default=1, ge=1)
    min_words: float = Field(default=5, ge=0)  # shorter ones, such as headings, are left alone


class Passages(Strict):
    """Passages that documents which pass the policy share, cut out of all but the first."""

    lines: Repeated | None = None
    paragraphs: Repeated | None = None
    substring_bytes: Annotated[int, Field(ge=32, le=1 << 20)] | None = None  # equal ones of so many bytes, any language
    min_left: Fraction = 0.2  # of its bytes; documents of which less is left are rejected

    @model_validator(mode="after")
    def _something(self) -> Passages:
        if self.lines is None and self.paragraphs is None and self.substring_bytes is None:
            raise ValueError("give lines, paragraphs or substring_bytes; or leave passages out")
        return self


class Dedup(Strict):
    similarity: Fraction = 0.7  # Jaccard similarity to the kept document that a near duplicate must have
    verify: Literal["exact", "signature"] = "exact"  # compute it from the sets of shingles, or estimate it
    prefer: list[Preference] = ["fewest_failures", "longest"]  # which document of a cluster is kept; then by id
    same_url: bool = False  # documents with one URL are duplicates too, such as visits of a page at different times
    against: list[str] = []  # earlier runs whose documents stay as they are: what is like them is not kept again
    passages: Passages | None = None  # applied by job `select`
    memory: ByteSize = 2 << 30  # for the graph of documents, 8 bytes each; a larger one is connected in rounds
