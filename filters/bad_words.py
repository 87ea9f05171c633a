"""Share of bad words: words and phrases of files that the recipe names, found on unit hashes.

A file has one word or phrase a line; blank lines and lines that begin with '#' are left out. As with all sequences of
units, upper case, hyphens and other punctuation between the units do not matter, and in scripts without spaces a word
is found wherever its units stand (as C4 does for Chinese, Japanese and Thai). The project ships no list: such lists
are disputed, and each has its licence. Counting follows RedPajama-v2's ``rps_doc_ldnoobw_words``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from curation import storage
from curation.recipe import RecipeError
from curation.text.scan import Scan
from filters.unit_sequences import SequenceTable, find, sequence_table


def read_list(path: str) -> list[str]:
    """The words and phrases of a file.

    Raises:
        RecipeError: the file is not UTF-8 or names no word.
    """
    try:
        lines = storage.read_text(path).splitlines()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}; save the list as UTF-8"
        raise RecipeError(f"annotate.bad_words: {path}: {problem}") from error
    words = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not words:
        raise RecipeError(f"annotate.bad_words: {path}: no word in it; one word or phrase a line is expected")
    return words


def list_fingerprints(files: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of each language's file."""
    return {language: hashlib.sha256(storage.read_text(path).encode()).hexdigest() for language, path in files.items()}


def table(files: Mapping[str, str]) -> SequenceTable:
    """The table of the words of each language's file (language code or ``any`` -> path)."""
    return sequence_table((language, read_list(path), 1) for language, path in sorted(files.items()))


def count(words: SequenceTable, scan: Scan, language: np.ndarray) -> np.ndarray:
    """Occurrences in each document, int64[n]; a unit that begins several counts once.

    ``language``: int64[n], index into `curation.languages.CODES`, or -1.
    """
    return find(words, scan, language, scan.line("units"), scan.line_bounds)[1]
