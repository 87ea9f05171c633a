"""The language of every line and of every document: script evidence, a general model, and specialists for neighbours.

Each line is given to the general model (lid.176) with the labels of the script that most of its letters are in; lines
in scripts of one language need no model. A document's language is that of its lines, weighted by their letters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.langid import labels
from curation.langid import specialist as specialists
from curation.langid.classifier import Classifier
from curation.langid.fasttext_model import default_model
from curation.languages import UNDETERMINED
from curation.text import scripts
from curation.text.scan import Scan
from curation.text.utf8 import njit

TOP = 3
"""Labels kept of each line."""
LEAST_LETTERS = 3
"""Weighted letters of a line below which nothing is said of it."""
PROSE_SHARE = 0.5
"""Share of its characters, white space aside, that a line in Latin script needs in words (see `scripts.count`): code,
tables of numbers and lists of files have less."""
FIRST, FRAME = 1.3, 2.0
"""Weights of the language of a document's first line, so that of two languages in equal parts the first is its own; the
second where the last line is in it too, as where a page in one language teaches or quotes another."""
FRAME_LETTERS = 12
"""Letters of these lines, weighted as in `labels.DENSITY`; shorter lines are passed over."""
KANA_SHARE = 0.1
"""Share of kana among the Han characters and kana of a line from which it is Japanese."""
_UNKNOWN = -1
_CODES = pa.array([*labels.LABELS, UNDETERMINED])
_LEAST = np.append(labels.least_probability(), np.float32(0))  # the last is also label -1
_DENSITY = labels.density()
_SCRIPTS = np.array(
    [{"none": "Zyyy", "other": "Zzzz", "Kana": "Jpan", "Hang": "Kore"}.get(name, name) for name in scripts.SCRIPTS],
    object,
)
_ONE_LANGUAGE = [script for script in range(len(scripts.SCRIPTS)) if len(labels.of_script(script)) == 1]


class Lines(NamedTuple):
    """What is known of the lines of a batch."""

    label: np.ndarray  # int16[lines, TOP]: positions in LABELS, most probable first, -1 where there is none
    probability: np.ndarray  # float32[lines, TOP], among the labels of the line's script
    script: np.ndarray  # int8[lines]: that most letters are in, scripts.NONE without letters
    letters: np.ndarray  # int32[lines, scripts], see `curation.text.scripts.Letters`
    code: np.ndarray  # bool[lines]: the same


class Identified(NamedTuple):
    """Languages of n documents and of their lines."""

    language: pa.StringArray  # string[n], ``und`` where the lines do not tell
    score: np.ndarray  # float32[n]: mean probability of the likeliest language over the letters of the document
    script: pa.StringArray  # string[n], ISO 15924: of most letters; Hans or Hant for Chinese, ``Zyyy`` for none
    lines: Lines


def names(label: np.ndarray) -> pa.StringArray:
    """Codes of positions in `labels.LABELS` int[n], ``und`` for -1: string[n]."""
    return _CODES.take(pa.array(np.where(label < 0, len(_CODES) - 1, label)))


class Identifier:
    """The general model, the specialists and their working memory: one for each worker."""

    def __init__(self, path: str | None = None) -> None:
        """``path`` of a fastText model with labels as lid.176 writes them; that one by default.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the model has none of the labels in question.
        """
        self._model = Classifier(path or default_model())
        self._specialists = [
            (specialist, np.array([labels.NUMBER[code] for code in specialist.labels], np.int16))
            for specialist in specialists.shipped()
        ]
        choices = {script: labels.in_model(self._model.labels, script) for script in range(1, len(scripts.SCRIPTS))}
        self._choices = {script: choice for script, choice in choices.items() if script not in _ONE_LANGUAGE}
        if not any(len(ids) for ids, _ in self._choices.values()):
            raise ValueError(f"the language model {path} has none of the labels in question, such as __label__en")

    def identify(self, text: pa.Array, scan: Scan) -> Identified:
        """Languages of string[n] without nulls and of the lines of its scan."""
        lines = self.spans(text, scan.line_bounds, scan.line("start"), scan.line("stop"), scan.line_hash)
        self._ask_specialists(lines, scan)
        label, score = documents(lines, scan.line_bounds)
        label[~told_apart(lines, scan.line_bounds, label)] = _UNKNOWN
        return Identified(names(label), score, document_scripts(text, lines, scan.line_bounds), lines)

    def spans(
        self, text: pa.Array, bounds: np.ndarray, start: np.ndarray, stop: np.ndarray, hashes: np.ndarray | None = None
    ) -> Lines:
        """Labels of spans of documents by the general model alone; see `Classifier.spans`.

        ``hashes``: uint64[spans], the same for equal spans; of these the model reads one.
        """
        start, stop = start.astype(np.int64), stop.astype(np.int64)
        letters, code = scripts.count(text, bounds, start, stop)
        script = main_script(letters, code)
        label = np.full((len(start), TOP), _UNKNOWN, np.int16)
        probability = np.zeros((len(start), TOP), np.float32)
        for one in _ONE_LANGUAGE:
            chosen = script == one
            label[chosen, 0], probability[chosen, 0] = labels.NUMBER[labels.of_script(one)[0]], 1
        document = np.repeat(np.arange(len(text)), np.diff(bounds))
        for one, (ids, numbers) in self._choices.items():
            chosen = np.flatnonzero(script == one)
            if len(ids) == 0 or len(chosen) == 0:
                continue
            read, again = chosen, np.arange(len(chosen))
            if hashes is not None:
                _, first, again = np.unique(hashes[chosen], return_index=True, return_inverse=True)
                order = np.argsort(first)
                read, again = chosen[first[order]], np.argsort(order)[again]
            inner = np.searchsorted(document[read], np.arange(len(text) + 1))
            found = self._model.spans(text, inner, start[read], stop[read], TOP, ids)
            translated = np.full(len(self._model.labels) + 1, _UNKNOWN, np.int16)
            translated[ids] = numbers
            label[chosen] = translated[found.labels][again]
            probability[chosen] = found.probabilities[again]
        return Lines(label, probability, script.astype(np.int8), letters, code)

    def _ask_specialists(self, lines: Lines, scan: Scan) -> None:
        """Replace the labels of lines whose most probable label is one of a specialist's."""
        bounds = np.concatenate([[0], np.cumsum(scan.line("units"), dtype=np.int64)])
        for specialist, numbers in self._specialists:
            its_own = np.isin(np.arange(len(labels.LABELS) + 1), numbers)  # the last is also label -1
            asked = np.flatnonzero(its_own[lines.label[:, 0]])
            found = specialist.probabilities(scan.unit_hash, bounds, asked)
            told = found.sum(axis=1) > 0
            asked, found = asked[told], found[told]
            shared = (lines.probability[asked] * its_own[lines.label[asked]]).sum(axis=1, keepdims=True)
            order = np.argsort(-found, axis=1, kind="stable")[:, :TOP]
            lines.label[asked] = numbers[order]
            lines.probability[asked] = np.take_along_axis(found, order, axis=1) * shared


def _ends(document: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last chosen line of each document that has any: int64[...] each."""
    rows = np.flatnonzero(chosen)
    turns = np.flatnonzero(document[rows][1:] != document[rows][:-1])
    return rows[np.append(0, turns + 1)[: len(rows)]], rows[np.append(turns, len(rows) - 1)[: len(rows)]]


def told_apart(lines: Lines, bounds: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Whether the lines that are most probably in the language of their document are so with enough probability on
    average (`labels.LEAST_PROBABILITY`), however many others there are: bool[n], of labels int16[n] of documents."""
    document = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    own = (lines.label[:, 0] == label[document]) & (label[document] >= 0)
    weight = (lines.letters @ scripts.WEIGHTS) * own
    total = np.bincount(document, weight, len(label))
    mean = np.bincount(document, weight * lines.probability[:, 0], len(label)) / np.maximum(total, 1)
    told: np.ndarray = (total > 0) & (mean >= _LEAST[label])
    return told


def certain(lines: Lines) -> np.ndarray:
    """The label of each line, -1 where it is not probable enough (`labels.LEAST_PROBABILITY`): int16[lines]."""
    label, probability = lines.label[:, 0], lines.probability[:, 0]
    found: np.ndarray = np.where(probability >= _LEAST[label], label, np.int16(_UNKNOWN))
    return found


@njit
def sum_rows(values, bounds):  # type: ignore[no-untyped-def]
    """Sums of the rows of each document: int64[n, k] of int32[rows, k], bounds int64[n+1]."""
    out = np.zeros((len(bounds) - 1, values.shape[1]), np.int64)
    for d in range(len(out)):
        for row in range(bounds[d], bounds[d + 1]):
            for column in range(values.shape[1]):
                out[d, column] += values[row, column]
    return out


def document_scripts(text: pa.Array, lines: Lines, bounds: np.ndarray) -> pa.StringArray:
    """See `Identified.script`. Han characters with kana are Jpan, with hangul Kore."""
    letters = sum_rows(lines.letters, bounds)
    script = main_script(letters)
    script[letters[:, 1:].sum(axis=1) == 0] = scripts.NONE
    variants = scripts.simplified_and_traditional(text)
    names = _SCRIPTS[script]
    names[script == scripts.HAN] = "Hani"
    for variant, more, less in (("Hans", 0, 1), ("Hant", 1, 0)):
        names[(script == scripts.HAN) & (variants[:, more] > variants[:, less])] = variant
    return pa.array(names, pa.string())


def main_script(letters: np.ndarray, code: np.ndarray | None = None) -> np.ndarray:
    """The script that weighs most in spans with letters int32[spans, scripts]: int64[spans], NONE where they are few.

    Han characters with kana count as Japanese. ``code``: bool[spans]; such spans in Latin script are in none.
    """
    shown, weighted = letters[:, scripts.NONE], letters * scripts.WEIGHTS
    han, kana = letters[:, scripts.HAN], letters[:, scripts.KANA]
    japanese = kana > KANA_SHARE * (han + kana)
    weighted[japanese, scripts.KANA] += weighted[japanese, scripts.HAN]
    weighted[japanese, scripts.HAN] = 0
    script = weighted.argmax(axis=1)
    technical = letters[:, scripts.LATIN] < PROSE_SHARE * shown
    if code is not None:
        technical |= code
    script[(weighted.sum(axis=1) < LEAST_LETTERS) | (script == scripts.LATIN) & technical] = scripts.NONE
    return script


def documents(lines: Lines, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label of each document and its probability, means over the letters of its lines, weighted by what they say
    (`labels.DENSITY`). Between two languages nearly as strong that of the first line wins, and of the first and last.

    Returns:
        int16[n] positions in LABELS, -1 where no line has a label; float32[n].
    """
    weight = lines.letters[:, 1:].sum(axis=1).astype(np.float64)
    document = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    width = len(labels.LABELS)
    known = lines.label >= 0
    says = weight * np.where(known[:, 0], _DENSITY[lines.label[:, 0]], 1)
    place = (document[:, None] * width + lines.label)[known]
    mass = np.bincount(place, (lines.probability * says[:, None])[known], (len(bounds) - 1) * width)
    mass = mass.reshape(-1, width).astype(np.float64)
    total = np.bincount(document, says * known[:, 0], len(bounds) - 1)
    first, last = _ends(document, known[:, 0] & (says >= FRAME_LETTERS))
    framed = np.where(lines.label[first, 0] == lines.label[last, 0], FRAME, FIRST)
    mass[document[first], lines.label[first, 0]] *= framed
    best = mass.argmax(axis=1)
    mass[document[first], lines.label[first, 0]] /= framed
    score = mass[np.arange(len(best)), best] / np.maximum(total, 1)
    return np.where(total > 0, best, _UNKNOWN).astype(np.int16), np.minimum(score, 1).astype(np.float32)
