"""Mixtures: the measures are those of the papers, spans are found in lines and inside them, kinds are told apart."""

from collections import Counter
from math import log2

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.langid import labels
from curation.langid.identifier import Identifier
from curation.languages import CODES
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from filters import code_switching
from filters.code_switching import KINDS, Mixture, MixtureFinder, runs
from filters.foreign_boilerplate import LineLanguages
from filters.language_spans import Spans
from filters.mixture_counts import add_counts

IDENTIFIER, SCANNER, FINDER = Identifier(), Scanner(), MixtureFinder()
GERMAN = (
    "Der Ausschuss kommt am Donnerstag wieder zusammen und berät über den Haushalt der Stadt.\n"
    "Viele Bürgerinnen und Bürger haben in den letzten Wochen ihre Vorschläge eingereicht.\n"
    "Über die neue Brücke wird erst im Frühjahr entschieden, weil noch ein Gutachten fehlt."
)


def mixture_of(texts: list[str], languages: list[str] | None = None) -> Mixture:
    text = normalize(pa.array(texts, pa.large_string())).text
    scan = SCANNER.scan(text)
    found = IDENTIFIER.identify(text, scan)
    return FINDER.find(text, scan, found, languages or found.language.to_pylist())


def spans_of(text: str, language: str) -> list[tuple[str, str]]:
    found = mixture_of([text], [language]).spans
    raw = text.encode()
    return [
        (labels.LABELS[label], raw[start:stop].decode())
        for label, start, stop in zip(found.label, found.start, found.stop, strict=True)
    ]


def made_spans(document: list[int], label: list[int], units: list[int], own_before: list[int]) -> Spans:
    n = len(document)
    columns = (
        np.array(column, np.int64) for column in (document, range(n), [0] * n, [0] * n, label, units, own_before)
    )
    return Spans(*columns, np.zeros(n, np.uint8), np.zeros(n, np.int64), np.zeros(0, np.int32),
                 np.zeros(0, np.uint64), np.zeros(3, np.int64))  # fmt: skip


def oracle(own_first: list[tuple[int, int, int]], tail: int) -> dict[str, float]:
    """The measures of one document of (own units before, label, units) and own units at the end, from the formulas."""
    words: list[int] = []
    for before, label, units in own_first:
        words += [-1] * before + [label] * units
    words += [-1] * tail
    lengths = [1]
    for one, other in zip(words, words[1:], strict=False):
        lengths = [*lengths[:-1], lengths[-1] + 1] if one == other else [*lengths, 1]
    n, share = len(words), [count / len(words) for count in Counter(words).values()]
    squares, k = sum(p * p for p in share), len(share)
    mean = sum(lengths) / len(lengths)
    deviation = (sum((length - mean) ** 2 for length in lengths) / len(lengths)) ** 0.5
    return {
        "code_mixing_index": 100 * (1 - max(share)),
        "m_index": (1 - squares) / ((k - 1) * squares) if k > 1 else 0,
        "i_index": (len(lengths) - 1) / max(n - 1, 1),
        "burstiness": (deviation - mean) / (deviation + mean) if k > 1 else 0,
        "span_entropy": -sum(c / len(lengths) * log2(c / len(lengths)) for c in Counter(lengths).values()),
        "switch_points": len(lengths) - 1,
        "main_language_share": words.count(-1) / n,
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 5)), min_size=1, max_size=8),
       st.integers(0, 6))  # fmt: skip
def test_measures_are_those_of_the_formulas(spans: list[tuple[int, int, int]], tail: int) -> None:
    made = made_spans([1] * len(spans), *(list(column) for column in ([s[1] for s in spans], [s[2] for s in spans],
                                                                      [s[0] for s in spans])))  # fmt: skip
    total = sum(before + units for before, _, units in spans) + tail
    found = code_switching._measures(made, np.array([7, total, 0]), 3)
    for name, value in oracle(spans, tail).items():
        assert found[name][1] == pytest.approx(value, abs=1e-9), name
        assert found[name][0] == (1 if name == "main_language_share" else 0)


def test_runs_join_neighbours() -> None:
    found = runs(made_spans([0, 0, 2], [5, 5, 3], [2, 3, 1], [4, 0, 0]), np.array([9, 2, 1]))
    assert list(zip(found.document, found.label, found.units, strict=True)) == [
        (0, -1, 4),
        (0, 5, 5),
        (1, -1, 2),
        (2, 3, 1),
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Wir treffen uns morgen, and then we will talk about the new plan together, wenn alle da sind.",
         [("en", "and then we will talk about the new plan together")]),
        ("tl", "Sabi ng boss ko na we need to finish the report before Friday, kaya uuwi na ako.",
         [("en", "we need to finish the report before Friday")]),
        ("zh", "我们今天开会讨论了方案，然后 the manager said that we should wait until next week 才能决定。",
         [("en", "the manager said that we should wait until next week")]),
        ("en", "The word школа means school and the word дом means house.", [("ru", "школа"), ("ru", "дом")]),
        ("ru", "Комитет собрался в четверг.\nThe committee met on Thursday to talk about the budget.",
         [("en", "The committee met on Thursday to talk about the budget")]),
    ],
)  # fmt: skip
def test_foreign_spans(language: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert spans_of(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "使用 Kubernetes 和 GitHub Actions 部署，见 https://example.org/the-guide 和 readme_a.md。"),
        ("ar", "يمكنك تثبيت Firefox على Windows أو Linux من الموقع example.org."),
        ("de", "Die Firma Microsoft stellt Windows Server vor; Fragen an info@example.org oder `git commit --all`."),
        ("hi", "कंप्यूटर पर Google Chrome खोलें और HTML फ़ाइल देखें।"),
        ("ja", "株式会社サンプルはAPIとSDKを公開した。東京都千代田区。"),
        ("fr", "LA DÉCLARATION UNIVERSELLE DES DROITS DE L'HOMME\nTous les êtres humains naissent libres et égaux."),
    ],
)  # fmt: skip
def test_terms_names_and_technical_words_are_not_foreign(language: str, text: str) -> None:
    assert spans_of(text, language) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("monolingual", GERMAN),
        ("foreign_boilerplate", f"Home\nAbout us\n{GERMAN}\nWe use cookies to improve your experience on this site."),
        ("quotation", GERMAN + "\nAm Ende sagte sie: “The only thing we have to fear is fear itself.”"),
        ("parallel", "Die Stadt baut im Frühjahr eine neue Brücke über den Fluss.\n"
                     "In spring the city will build a new bridge over the river.\n"
                     "Das alte Rathaus wird zu einer Bücherei für alle umgebaut.\n"
                     "The old town hall is being turned into a library for everyone.\n"
                     "Der Markt findet von nun an jeden zweiten Samstag statt.\n"
                     "From now on the market takes place every second Saturday."),
        ("code_switched", "Gestern war ich da und the boss told me we have to work on Saturday, was mich ärgert.\n"
                          "Dann habe ich gesagt, I will think about it and let you know, und bin nach Hause gegangen."),
        ("learning_material", "Lektion 3: Die Familie und das Haus\nLernen Sie diese Wörter bis morgen.\n"
                              + "\n".join(("die Mutter – мать", "der Vater – отец", "das Haus – дом", "die Tür – дверь",
                                           "der Garten – сад", "das Kind – ребёнок", "die Stadt – город"))),
    ],
)  # fmt: skip
def test_kinds(kind: str, text: str) -> None:
    assert KINDS[mixture_of([text], ["de"]).kind[0]] == kind


def test_documents_outside_the_29_have_no_foreign_text() -> None:
    found = mixture_of([GERMAN + "\nThis line is in English, as anyone can see at once."] * 2, ["uk", "code"])
    assert found.columns["mixture_kind"].to_pylist() == ["monolingual"] * 2
    assert found.columns["second_language"].to_pylist() == [None, None]


def test_results_do_not_depend_on_the_batch() -> None:
    texts = [
        GERMAN,
        "",
        "Текст и the word of the day is школа.",
        GERMAN + "\nAccept all cookies and go on to the site.",
    ]
    together = mixture_of(texts)
    for row, text in enumerate(texts):
        alone = mixture_of([text])
        assert {k: v[0].as_py() for k, v in alone.columns.items()} == {
            k: v[row].as_py() for k, v in together.columns.items()
        }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text() | st.sampled_from([GERMAN, "the end of the day 中文 текст", "“x”", "a: b – c"]), max_size=4),
       st.sampled_from([*CODES, "und"]))  # fmt: skip
def test_any_text_gives_spans_between_characters(texts: list[str], language: str) -> None:
    """Spans are in order, apart, not empty, and begin and end between characters."""
    text = normalize(pa.array([t.encode("utf-8", "ignore") for t in texts], pa.large_binary())).text
    scan = SCANNER.scan(text)
    found = FINDER.find(text, scan, IDENTIFIER.identify(text, scan), [language] * len(text)).spans
    for row, value in enumerate(text.to_pylist()):
        raw, own = value.encode(), found.document == row
        edges = np.stack([found.start[own], found.stop[own]], axis=1).ravel()
        assert (np.diff(edges) >= 0).all() and (found.stop[own] > found.start[own]).all()
        for start, stop in zip(found.start[own], found.stop[own], strict=True):
            assert raw[start:stop].decode().strip()


def test_published_shares_of_other_languages() -> None:
    """HPLT counts characters of lines of over 30, of which there are two; MADLAD sentences, of which one of four is in
    English."""
    german, english = (
        "Der Ausschuss berät am Donnerstag. Danach wird gewählt.",
        "The committee will vote on Thursday morning.",
    )
    found = mixture_of([f"{german}\n{english}\nNoch kurz.", "", "???"], ["de"] * 3).columns
    own, other = (sum(c.isalpha() for c in line) for line in (german, english))
    assert found["hplt_language"].to_pylist() == pytest.approx([own / (own + other), 1, 1])
    assert found["madlad_language"].to_pylist() == [0.25, 0, 0]


def test_foreign_lines_are_found_again() -> None:
    """By what cuts them later, among several documents."""
    text = pa.array([GERMAN, GERMAN + "\nWe use cookies to improve your experience on this site."], pa.large_string())
    assert LineLanguages().foreign(text, ["de", "de"]).tolist() == [False] * 6 + [True]


def test_counts_add_up() -> None:
    one = {"line_languages": {"de": {"en": [1, 20]}}, "kinds": {"de": {"monolingual": 3}}}
    other = {
        "line_languages": {"de": {"en": [2, 5], "de": [1, 1]}, "fr": {"fr": [4, 9]}},
        "kinds": {"de": {"parallel": 1}},
    }
    assert add_counts(one, other) == {
        "line_languages": {"de": {"en": [3, 25], "de": [1, 1]}, "fr": {"fr": [4, 9]}},
        "kinds": {"de": {"monolingual": 3, "parallel": 1}},
    }
    assert add_counts({}, one) == one
