"""Fit the kinds of mixtures of `filters.mixture_kinds` on the development half of the gold set.

    python benchmarks/mixture_kinds.py [--decay 0.02]

Writes filters/data/mixture_kinds.json and prints how many documents of each kind are right in both halves.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.langid.identifier import Identifier
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters import mixture_kinds
from filters.code_switching import MixtureFinder, facts
from filters.mixture_kinds import FEATURES, FILE, MIXTURES, expand, standard
from tests.filters.code_switching_gold.build import documents


def features(gold: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Features of the documents, and which have text enough in another language to be a mixture."""
    text = normalize(pa.array([document["text"] for document in gold], pa.large_string())).text
    scan = Scanner().scan(text)
    found = Identifier().identify(text, scan)
    mixture = MixtureFinder().find(text, scan, found, found.language.to_pylist())
    units = np.bincount(np.repeat(np.arange(len(text)), np.diff(scan.line_bounds)), mixture.spans.line_units, len(text))
    known = facts(mixture.spans, scan, units.astype(np.int64), mixture.main)
    return known.features, known.foreign >= 4


def cropped(gold: list[dict[str, Any]], times: int = 3) -> list[dict[str, Any]]:
    """Windows of the lines of each document that hold at least half of its foreign text, so that neither the length of
    pages nor what stands around a mixture tells its kind."""
    out = []
    for document in gold:
        random = Random(document["id"])
        lines, foreign, start = document["text"].encode().split(b"\n"), [], 0
        for line in lines:
            foreign.append(sum(max(0, min(b, start + len(line)) - max(a, start)) for a, b, _ in document["spans"]))
            start += len(line) + 1
        for _ in range(times):
            first, last = sorted(random.sample(range(len(lines) + 1), 2))
            if last - first >= 3 and 2 * sum(foreign[first:last]) >= sum(foreign):
                out.append(document | {"text": b"\n".join(lines[first:last]).decode()})
    return out


def fit(features: np.ndarray, target: np.ndarray, decay: float) -> np.ndarray:
    """Weights float64[columns, kinds] that minimise cross-entropy plus ``decay`` times the sum of their squares."""
    columns = expand(features)
    wanted = np.eye(len(MIXTURES))[target]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(columns.shape[1], -1)
        scores = columns @ weights
        scores -= scores.max(axis=1, keepdims=True)
        logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        penalty = decay * (weights[1:] ** 2).sum()
        gradient = columns.T @ (np.exp(logarithms) - wanted) / len(target)
        gradient[1:] += 2 * decay * weights[1:]
        return float(-(wanted * logarithms).sum() / len(target) + penalty), gradient.ravel()

    start = np.zeros(columns.shape[1] * len(MIXTURES))
    result = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(result.x.reshape(columns.shape[1], -1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decay", type=float, default=0.02)
    arguments = parser.parse_args()
    halves = {}
    for split in ("dev", "test"):
        gold = [row for row in documents() if row["split"] == split and row["kind"] in MIXTURES]
        halves[split] = (*features(gold), np.array([MIXTURES.index(row["kind"]) for row in gold]))
    gold = cropped([row for row in documents() if row["split"] == "dev" and row["kind"] in MIXTURES])
    crops = (*features(gold), np.array([MIXTURES.index(row["kind"]) for row in gold]))
    known, mixed, target = (np.concatenate(both) for both in zip(halves["dev"], crops, strict=True))
    mean, scale = known[mixed].mean(axis=0), known[mixed].std(axis=0) + 1e-6
    weights = fit(standard(known[mixed], mean, scale), target[mixed], arguments.decay)
    stored = {
        "features": FEATURES, "mean": mean.round(6).tolist(), "scale": scale.round(6).tolist(),
        "weights": weights.round(5).tolist(),
    }  # fmt: skip
    FILE.write_text(json.dumps(stored) + "\n", "utf-8")
    mixture_kinds._model.cache_clear()
    for split, (known, mixed, target) in halves.items():
        right = (mixture_kinds.classify(known) - 1 == target) & mixed
        each = ", ".join(f"{name} {right[target == number].mean():.3f}" for number, name in enumerate(MIXTURES))
        print(f"{split}: {right.mean():.3f} of {len(right)} mixtures; {each}")


if __name__ == "__main__":
    main()
