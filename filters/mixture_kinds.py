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
    scores = expand(standard(features, mean, scale)) @ weights
    scores[~possible(features)] = -np.inf
    found: np.ndarray = scores.argmax(axis=1) + 1
    return found


def possible(features: np.ndarray) -> np.ndarray:
    """Which mixtures a document may be: bool[n, len(MIXTURES)].

    Each kind needs what defines it, whatever else speaks for it: translations texts of like length, switching words
    inside lines, furniture lines that look so, quotations marks, lessons words beside their meanings or short sentences
    by turns. Choices, on pages that are half translated, of which the gold set has none.
    """
    at = {name: features[:, column] for column, name in enumerate(FEATURES)}
    inside, blocks = np.expm1(at["inside"]), np.expm1(at["blocks"])
    glossed = np.maximum(at["glosses"], np.maximum(at["separated"], at["quoted"])) >= 0.3
    short_lines = (at["line_units"] <= np.log1p(9)) & (at["long"] < 0.1)
    by_turns = (at["line_pairs"] >= 0.25) & (at["whole_lines"] >= 0.15) | (at["whole_lines"] >= 0.35)
    by_turns &= short_lines & (at["share"] >= 0.1)
    by_turns |= (at["line_pairs"] >= 0.7) & (at["whole_lines"] >= 0.25)
    needed = {
        "parallel": (at["aligned"] >= 0.3) | (at["line_pairs"] >= 0.3) | (at["sides"] >= 0.1),
        "code_switched": (inside >= 1) & (at["whole"] < 0.9) | (at["whole_lines"] >= 0.1) & (blocks >= 2),
        "foreign_boilerplate": (at["share"] < 0.6) & ((at["furniture"] >= 0.2) | (at["edges"] >= 0.4) | (blocks == 1)),
        "quotation": (at["quoted"] >= 0.2)
        | (at["share"] <= 0.2) & (blocks <= 3) & (inside <= 2) & ((at["line_units"] >= 2.5) | (blocks == 0)),
        "learning_material": (at["sides"] >= 0.08) | (inside >= 4) & glossed | (inside >= 20) | by_turns,
        "miscellaneous": np.ones(len(features), bool),
    }
    return np.stack([needed[name] for name in MIXTURES], axis=1)
