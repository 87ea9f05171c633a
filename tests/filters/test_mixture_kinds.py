"""Kinds and spans measured on the gold set: its test half shares no text with the half that kinds were fitted on."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curation.langid.identifier import Identifier
from curation.languages import LANGUAGES
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters.code_switching import KINDS, Mixture, MixtureFinder
from filters.mixture_kinds import FEATURES, MIXTURES, possible
from tests.filters.code_switching_gold.build import documents

Gold = list[dict[str, Any]]


@pytest.fixture(scope="module")
def gold() -> Gold:
    return [document for document in documents() if document["split"] == "test"]


def mixtures(gold: Gold, given: bool) -> tuple[Mixture, list[str]]:
    """Mixtures and languages of documents, these as found or as the gold set says."""
    text = normalize(pa.array([document["text"] for document in gold], pa.large_string())).text
    scan = Scanner().scan(text)
    found = Identifier().identify(text, scan)
    languages = [document["language"] for document in gold] if given else found.language.to_pylist()
    return MixtureFinder().find(text, scan, found, languages), languages


def overlap(gold: Gold, mixture: Mixture) -> dict[str, tuple[float, float]]:
    """Precision and recall of the bytes of letters in foreign spans, for pairs in different scripts and in one."""
    counts: dict[str, Counter[str]] = {"different": Counter(), "same": Counter()}
    for row, document in enumerate(gold):
        if document["other"] is None:
            continue
        data = np.frombuffer(document["text"].encode(), np.uint8)
        letters = ((data | 32) >= 97) & ((data | 32) <= 122) | (data >= 128)
        expected, found = np.zeros(len(data), bool), np.zeros(len(data), bool)
        for start, stop, _ in document["spans"]:
            expected[start:stop] = True
        own = mixture.spans.document == row
        for start, stop in zip(mixture.spans.start[own], mixture.spans.stop[own], strict=True):
            found[start:stop] = True
        scripts = [set(LANGUAGES[document[side]].scripts) for side in ("language", "other")]
        into = counts["same" if scripts[0] & scripts[1] else "different"]
        into["both"] += int((expected & found & letters).sum())
        into["found"] += int((found & letters).sum())
        into["expected"] += int((expected & letters).sum())
    return {name: (c["both"] / c["found"], c["both"] / c["expected"]) for name, c in counts.items()}


def test_nine_documents_of_ten_get_their_kind(gold: Gold) -> None:
    kinds = mixtures(gold, given=False)[0].kind
    right = [KINDS[kind] == document["kind"] for kind, document in zip(kinds, gold, strict=True)]
    assert np.mean(right) >= 0.9
    for name in KINDS:
        assert np.mean([one for one, document in zip(right, gold, strict=True) if document["kind"] == name]) >= 0.7, (
            name
        )


def test_spans_of_other_languages(gold: Gold) -> None:
    """Where the language of the page is known; and where it is found, which in pages of two halves may be the other."""
    for given, least in ((True, {"different": 0.95, "same": 0.9}), (False, {"different": 0.9, "same": 0.85})):
        for scripts, (precision, recall) in overlap(gold, mixtures(gold, given)[0]).items():
            assert min(precision, recall) >= least[scripts], (given, scripts, precision, recall)


def test_clean_pages_are_monolingual_and_in_their_language() -> None:
    """Both halves: nothing was fitted on pages in one language."""
    clean = [document for document in documents() if document["kind"] == "monolingual"]
    mixture, languages = mixtures(clean, given=False)
    assert [document["language"] for document in clean] == languages
    flagged = [document["id"] for document, kind in zip(clean, mixture.kind, strict=True) if kind]
    assert len(flagged) <= 0.01 * len(clean), flagged


def test_a_page_with_one_glossed_word_is_no_lesson() -> None:
    """As half-translated documentation has; a lesson has more words beside their meanings."""
    one, several = (
        dict.fromkeys(FEATURES, 0.0) | {"share": 0.3, "whole": 0.9, "glosses": 1.0, "long": 0.5, "inside": np.log1p(n)}
        for n in (1, 6)
    )
    may_be = possible(np.array([list(one.values()), list(several.values())]))[:, MIXTURES.index("learning_material")]
    assert may_be.tolist() == [False, True]
