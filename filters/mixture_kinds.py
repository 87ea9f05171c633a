"""Kinds of mixtures of languages from features of documents: a multinomial logistic regression.

Fitted by `benchmarks/mixture_kinds.py` on the development half of the gold set (``tests/filters/code_switching_gold``);
its other half, which shares no text with it, is what the tests measure.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

MIXTURES = (
    "parallel", "code_switched", "foreign_boilerplate", "quotation", "learning_material", "miscellaneous",
)  # fmt: skip
FEATURES = (
    "share", "balance", "whole", "span_units", "line_units", "own_line_units", "quoted", "separated", "glosses",
    "loose", "inside", "aligned", "line_pairs", "sides", "short_sides", "furniture", "notices", "edges", "short",
    "long", "terminal", "blocks", "block_lines", "whole_lines", "listed", "short_own", "lines", "languages",
    "single", "numbers",
)  # fmt: skip
"""Of `filters.code_switching.facts`."""
FARTHEST = 3.0
FILE = Path(__file__).with_name("data") / "mixture_kinds.json"


def standard(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Features in standard deviations from the mean, at most `FARTHEST` of them: no single one decides."""
    return np.clip((features - mean) / scale, -FARTHEST, FARTHEST)


def expand(features: np.ndarray) -> np.ndarray:
    """A constant, the features, their squares and products of two, float64[n, ...] of float64[n, len(FEATURES)]."""
    first, second = np.triu_indices(features.shape[1])
    return np.hstack([np.ones((len(features), 1)), features, features[:, first] * features[:, second]])


@lru_cache(maxsize=1)
def _model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    stored = json.loads(FILE.read_text("utf-8"))
    return tuple(np.array(stored[name]) for name in ("mean", "scale", "weights"))  # type: ignore[return-value]


def classify(features: np.ndarray) -> np.ndarray:
    """Positions in `filters.code_switching.KINDS` of n documents: int64[n] of float64[n, len(FEATURES)]."""
    mean, scale, weights = _model()
    found: np.ndarray = (expand(standard(features, mean, scale)) @ weights).argmax(axis=1) + 1
    return found
