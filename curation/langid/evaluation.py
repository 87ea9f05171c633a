"""How right a language identifier is on labelled texts: precision, recall, F1, calibration, confusions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.langid.fasttext_file import LABEL_PREFIX
from curation.languages import CODES, LANGUAGES

LENGTHS = {"short": (0, 50), "sentence": (50, 500), "document": (500, 1 << 62)}
"""Characters of the texts that are measured apart: from the first number on, below the second."""
BINS = 10
"""Of equal width, for the calibration error (Guo et al. 2017, arXiv:1706.04599, use 15 on larger sets)."""
_ALIASES = {
    "cmn": "zh", "chi": "zh", "tgl": "tl", "fil": "tl", "zlm": "ms", "msa": "ms", "may": "ms", "fas": "fa", "per": "fa",
    "prs": "fa", "ara": "ar", "iw": "he", "in": "id", "ger": "de", "fre": "fr", "dut": "nl", "cze": "cs", "bur": "my",
}  # fmt: skip
"""Other codes in use: ISO 639-2/B, macrolanguages and their members, withdrawn ones."""
_CODES = {language.iso639_3: code for code, language in LANGUAGES.items()} | _ALIASES


class Texts(NamedTuple):
    """Labelled texts and what an identifier says of them, n each."""

    expected: list[str]  # codes, see `language_code`
    found: list[str]
    probability: np.ndarray  # float[n] of the label found
    characters: np.ndarray  # int[n]


def language_code(label: str) -> str:
    """The code of `curation.languages` for a label: BCP 47 or ISO 639, with or without script and region
    (``zho_Hans``, ``pt-BR``, ``__label__tgl``). Other languages keep their first subtag."""
    first = label.strip().removeprefix(LABEL_PREFIX).replace("_", "-").split("-")[0].lower()
    return _CODES.get(first, first)


def evaluate(texts: Texts) -> dict[str, Any]:
    """`figures` of all texts and of those of each of `LENGTHS` that there are."""
    frame = pl.DataFrame(
        {
            "expected": texts.expected,
            "found": texts.found,
            "probability": np.asarray(texts.probability, np.float64),
            "characters": np.asarray(texts.characters, np.int64),
        },
        schema_overrides={"expected": pl.String, "found": pl.String},
    )
    out = {"all": figures(frame)}
    for name, (least, below) in LENGTHS.items():
        part = frame.filter((pl.col("characters") >= least) & (pl.col("characters") < below))
        if part.height:
            out[name] = figures(part)
    return out


def figures(frame: pl.DataFrame) -> dict[str, Any]:
    """Figures of texts with the columns ``expected``, ``found`` and ``probability``.

    Returns:
        ``texts``; ``macro_f1``, the mean F1 of those of the 29 languages that are expected, None without any;
        ``languages``, of each of them ``texts``, ``precision`` (None where it is never found), ``recall``, ``f1`` and
        ``calibration_error``, the expected calibration error of the texts found to be in it;
        ``confusions``, (expected, found, texts), most first; ``out_of_set``, texts in other languages than the 29;
        ``false_accept_rate``, the share of these found to be in one of the 29, None without any.
    """
    inside = pl.col("expected").is_in(CODES)
    languages = {
        code: _language(frame, code) for code in sorted(frame.filter(inside)["expected"].unique(), key=CODES.index)
    }
    outside = frame.filter(~inside)
    confusions = (
        frame.filter(pl.col("expected") != pl.col("found"))
        .group_by("expected", "found")
        .len("texts")
        .sort("texts", "expected", "found", descending=[True, False, False])
    )
    return {
        "texts": frame.height,
        "macro_f1": float(np.mean([row["f1"] for row in languages.values()])) if languages else None,
        "languages": languages,
        "confusions": confusions.rows(),
        "out_of_set": outside.height,
        "false_accept_rate": outside["found"].is_in(CODES).mean() if outside.height else None,
    }


def _language(frame: pl.DataFrame, code: str) -> dict[str, Any]:
    expected, found = frame["expected"] == code, frame["found"] == code
    right = int((expected & found).sum())
    wanted, claimed = int(expected.sum()), int(found.sum())
    claims = frame.filter(found)
    return {
        "texts": wanted,
        "precision": right / claimed if claimed else None,
        "recall": right / wanted,
        "f1": 2 * right / (wanted + claimed),
        "calibration_error": calibration_error(
            claims["probability"].to_numpy(), (claims["expected"] == code).to_numpy()
        )
        if claimed
        else None,
    }


def calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: over `BINS` bins of the probabilities float[n], the mean distance between their mean
    and the share that is right (bool[n]), weighted by their texts (Naeini et al. 2015)."""
    places = np.minimum((np.asarray(probability) * BINS).astype(np.int64), BINS - 1)
    distance = np.bincount(places, probability, BINS) - np.bincount(places, right, BINS)
    return float(np.abs(distance).sum() / len(probability))
