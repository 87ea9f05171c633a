"""The labels that lines and documents can get: the 29 languages, and the others that the general model tells from them.

Text of other languages must find a label of its own, else it is taken for one of the 29; so nearly all languages of
lid.176 stay. Probabilities are taken among the labels of the script that a text is written in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curation.langid.fasttext_file import LABEL_PREFIX
from curation.languages import CODES
from curation.text import scripts

_OTHERS = {
    scripts.LATIN: "sv no da fi hu ro ca gl sk hr sl sh bs sq lt lv et eu af eo la is cy ga gd br mt oc ast lb nds als"
    " fy li vls bar sco az uz tk ku jv su min war ilo hil pam bcl cbk sw so mg yo qu ht ia io an co scn vec lmo wa"
    " rm hsb dsb tg nn fo gn",
    scripts.CYRILLIC: "uk bg sr mk be kk ky tg tt ba mn ce cv os sah rue mhr av kv",
    scripts.ARABIC: "arz ckb ps sd ug pnb azb mzn",
    scripts.HEBREW: "yi",
    scripts.HAN: "yue wuu",
    scripts.DEVANAGARI: "mr ne sa bh mai gom new",
    scripts.BENGALI: "as bpy",
    scripts.OTHER: "el ka hy ta te kn ml si gu pa or am bo dv xmf",
}
_OURS = {
    scripts.LATIN: "en de fr es pt it nl cs pl tr vi id ms ceb tl", scripts.CYRILLIC: "ru", scripts.ARABIC: "ar fa ur",
    scripts.HEBREW: "he", scripts.HAN: "zh ja", scripts.KANA: "ja", scripts.HANGUL: "ko", scripts.THAI: "th",
    scripts.LAO: "lo", scripts.MYANMAR: "my", scripts.KHMER: "km", scripts.DEVANAGARI: "hi", scripts.BENGALI: "bn",
}  # fmt: skip

LABELS: tuple[str, ...] = (
    *CODES,
    *dict.fromkeys(code for codes in _OTHERS.values() for code in codes.split() if code not in CODES),
)
"""Codes as lid.176 writes them, the 29 first, in their order."""
NUMBER = {code: number for number, code in enumerate(LABELS)}

DENSITY = {
    "en": 1.0, "zh": 3.46, "de": 0.86, "fr": 0.9, "es": 0.89, "pt": 0.96, "it": 0.88, "nl": 0.82, "ru": 0.87,
    "cs": 1.07, "pl": 0.93, "ar": 1.44, "fa": 1.25, "he": 1.51, "tr": 0.99, "ja": 2.29, "ko": 2.57, "vi":
    1.05, "th": 0.96, "id": 0.9, "ms": 0.89, "lo": 0.88, "my": 0.63, "ceb": 0.89, "km": 0.86, "tl": 0.9, "hi":
    1.01, "bn": 1.07, "ur": 1.19,
}  # fmt: skip
"""How many letters of English say as much as a letter (or mark) of each language: measured on the Universal Declaration
of Human Rights, so that translations side by side weigh the same."""
LEAST_PROBABILITY = {
    "en": 0.43, "es": 0.44, "pt": 0.39, "it": 0.49, "nl": 0.35, "cs": 0.49, "id": 0.35, "ms": 0.37, "ceb": 0.15,
    "tl": 0.15, "ur": 0.47,
}  # fmt: skip
"""Of a line in each language, lower ones are undetermined: what 99 of 100 lines of at least 40 letters of documentation
pages in the language pass, and at most `MOST_ASKED`."""
MOST_ASKED = 0.5


def density() -> np.ndarray:
    """Of each of `LABELS`, 1 for those outside the 29: float64[labels]."""
    return np.array([DENSITY.get(code, 1.0) for code in LABELS])


def least_probability() -> np.ndarray:
    """Of each of `LABELS`: float32[labels]."""
    return np.array([LEAST_PROBABILITY.get(code, MOST_ASKED) for code in LABELS], np.float32)


def of_script(script: int) -> tuple[str, ...]:
    """Codes of the labels that text in a script (`curation.text.scripts`) can get."""
    return tuple(f"{_OURS.get(script, '')} {_OTHERS.get(script, '')}".split())


def in_model(model_labels: Sequence[str], script: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids in a model of the labels of a script, int32[m], and their numbers in `LABELS`, int16[m]; those it lacks are
    left out."""
    ids = {label.removeprefix(LABEL_PREFIX): number for number, label in enumerate(model_labels)}
    known = [code for code in of_script(script) if code in ids]
    return np.array([ids[code] for code in known], np.int32), np.array([NUMBER[code] for code in known], np.int16)
