"""How much of a document is in other languages, how it alternates, and what kind of mixture it is.

Measures are those of the literature on code-switching, over units whose language is known (technical words and numbers
aside): the code-mixing index (Das and Gambäck 2014, W14-5152, equation 1), the M-index (Barnett et al. 2000), and the
integration index, burstiness and span entropy of Guzmán et al. (2017, doi:10.21437/Interspeech.2017-1429).

Kinds follow what is known of bilingual web pages (Briakou et al. 2023, arXiv:2305.10266: of the bilingual pages about a
seventh holds translations, which carry most of what a model learns to translate from; most others switch or mix).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curation.langid import labels
from curation.langid.identifier import Identified, certain, names, sum_rows
from curation.languages import CODES, LANGUAGES, numbers
from curation.text import scripts
from curation.text.scan import Scan
from curation.text.scan_columns import LINE_BULLET, LINE_LIST, LINE_TERMINAL
from filters import hplt, mixture_kinds, phrases
from filters.language_spans import OWN_SCRIPTS, SpanFinder, Spans
from filters.span_marks import QUOTED, SEPARATED

KINDS = ("monolingual", *mixture_kinds.MIXTURES)
MONOLINGUAL = 0

SCHEMA = pa.schema(
    [
        pa.field("mixture_kind", pa.string(), nullable=False),  # one of KINDS
        pa.field("second_language", pa.string()),  # of the units in other languages most are in it
        pa.field("main_language_share", pa.float32(), nullable=False),  # of units
        pa.field("code_mixing_index", pa.float32(), nullable=False),  # 0 to 100
        pa.field("m_index", pa.float32(), nullable=False),  # 0: one language, 1: two or more in equal parts
        pa.field("i_index", pa.float32(), nullable=False),  # switches a unit
        pa.field("burstiness", pa.float32(), nullable=False),  # -1: spans of one length, 1: of the most different
        pa.field("span_entropy", pa.float32(), nullable=False),  # bits
        pa.field("switch_points", pa.uint32(), nullable=False),
        pa.field("script_conflict", pa.float32(), nullable=False),  # letters in no script of the language / letters
        pa.field("hplt_language", pa.float32(), nullable=False),  # of lines that are not short: its own / all
        pa.field("madlad_language", pa.float32(), nullable=False),  # sentences in lines in another language / sentences
        pa.field("language_terms", pa.float32(), nullable=False),  # units of terms and names in Latin script / units
    ]
)
TEXTS = ("mixture_kind", "second_language")
NUMBERS = tuple(name for name in SCHEMA.names if name not in TEXTS)

LEAST_UNITS = 4
"""Units in other languages from which a document is no longer monolingual."""
LEAST_SHARE = 0.02
"""The same as a share, for documents without a whole line in another language."""
WHOLE = 0.8
"""Share of a line's units from which the line as a whole is foreign."""
_WORDS = np.array([LANGUAGES[code].units_per_word if code in LANGUAGES else 1.0 for code in labels.LABELS])


class Mixture(NamedTuple):
    """Columns of `SCHEMA`, and the foreign spans they come from."""

    columns: dict[str, pa.Array]
    kind: np.ndarray  # int64[n], positions in KINDS
    spans: Spans
    main: np.ndarray  # int16[n], labels of the documents, -1 outside the 29


class MixtureFinder:
    """Holds the tables: one for each worker."""

    def __init__(self) -> None:
        self._finder = SpanFinder()

    def find(self, text: pa.Array, scan: Scan, found: Identified, languages: list[str]) -> Mixture:
        """The mixture of n documents.

        Args:
            text: string[n].
            scan: its scan.
            found: languages of its lines.
            languages: of the documents; outside the 29 nothing counts as foreign.
        """
        main = numbers(languages).astype(np.int16)  # labels begin with the 29
        spans = self._finder.find(text, scan, found.lines, main)
        units = np.bincount(line_documents(scan), spans.line_units, len(text)).astype(np.int64)
        measures = _measures(spans, units, len(text))
        kind = _kinds(spans, scan, units, main)
        measures["script_conflict"] = _script_conflict(found, scan, main)
        measures |= _published(spans, scan)
        measures["language_terms"] = spans.terms / np.maximum(units, 1)
        second = second_language(spans, len(text))
        columns = {
            "mixture_kind": pa.array(np.array(KINDS, object)[kind], pa.string()),
            "second_language": pa.array(names(second).to_pylist(), pa.string(), mask=second < 0),
        }
        columns |= {name: pa.array(measures[name]).cast(SCHEMA.field(name).type) for name in NUMBERS}
        return Mixture(columns, kind, spans, main)


def line_documents(scan: Scan) -> np.ndarray:
    """The document of each line: int64[lines]."""
    return np.repeat(np.arange(len(scan.line_bounds) - 1), np.diff(scan.line_bounds))


def _by_label(document: np.ndarray, label: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    """Sums of weights by document and label: float64[n, labels]."""
    width = len(labels.LABELS)
    return np.bincount(document.astype(np.int64) * width + label, weight, n * width).reshape(n, width)


def second_language(spans: Spans, n: int) -> np.ndarray:
    """The label of most units in other languages, -1 without any: int64[n]."""
    mass = _by_label(spans.document, spans.label, spans.units, n)
    return np.where(mass.sum(axis=1) > 0, mass.argmax(axis=1), -1)


def _script_conflict(found: Identified, scan: Scan, main: np.ndarray) -> np.ndarray:
    letters = sum_rows(found.lines.letters, scan.line_bounds)
    letters[:, scripts.NONE] = 0
    own = (letters * OWN_SCRIPTS[np.maximum(main, 0)]).sum(axis=1)
    total = letters.sum(axis=1)
    share: np.ndarray = np.where((main >= 0) & (total > 0), 1 - own / np.maximum(total, 1), 0)
    return share


def _published(spans: Spans, scan: Scan) -> dict[str, np.ndarray]:
    """HPLT's language score, over lines that are not short (Burchell et al. 2025, arXiv:2503.10267; web-docs-scorer),
    and the share of sentences that break MADLAD-400's rule on languages (Kudugunta et al. 2023, arXiv:2309.04662,
    section 2.3), the language of a sentence taken from its line. 1 and 0 for documents without any."""
    whole, document, n = whole_lines(spans), line_documents(scan), len(scan.line_bounds) - 1
    size = scan.line("word_characters").astype(np.float64)
    size *= size > hplt.SHORT_SEGMENT
    sentences = scan.line("sentences").astype(np.float64)
    total, said = np.bincount(document, size, n), np.bincount(document, sentences, n)
    own, other = np.bincount(document, size * ~whole, n), np.bincount(document, sentences * whole, n)
    return {
        "hplt_language": np.divide(own, total, out=np.ones(n), where=total > 0),
        "madlad_language": np.divide(other, said, out=np.zeros(n), where=said > 0),
    }


class Runs(NamedTuple):
    """Texts of one language in the order of their documents, those of the document's own included."""

    document: np.ndarray  # int64[runs]
    label: np.ndarray  # int64[runs], -1: the document's own
    units: np.ndarray  # int64[runs]


def runs(spans: Spans, units: np.ndarray) -> Runs:
    """Own text and foreign spans in turn, neighbours of one language joined; ``units``: int64[n] of documents."""
    n = len(units)
    used = np.bincount(spans.document, spans.units + spans.own_before, n).astype(np.int64)
    document = np.concatenate([np.repeat(spans.document, 2), np.arange(n)])
    label = np.full(2 * len(spans.document) + n, -1)
    label[1 : 2 * len(spans.document) : 2] = spans.label
    length = np.empty(len(document), np.int64)
    length[0 : 2 * len(spans.document) : 2], length[1 : 2 * len(spans.document) : 2] = spans.own_before, spans.units
    length[2 * len(spans.document) :] = units - used
    order = np.argsort(document, kind="stable")  # what follows the last span of a document comes after its spans
    order = order[length[order] > 0]
    document, label, length = document[order], label[order], length[order]
    if len(order) == 0:
        return Runs(document, label, length)
    opens = np.append(True, (document[1:] != document[:-1]) | (label[1:] != label[:-1]))
    return Runs(document[opens], label[opens], np.add.reduceat(length, np.flatnonzero(opens)))


def _measures(spans: Spans, units: np.ndarray, n: int) -> dict[str, np.ndarray]:
    found = runs(spans, units)
    total = np.maximum(units, 1)
    own = np.bincount(found.document, found.units * (found.label < 0), n)
    foreign = found.label >= 0
    by_language = _by_label(found.document[foreign], found.label[foreign], found.units[foreign], n)
    by_language = np.hstack([by_language, own[:, None]])
    share = by_language / total[:, None]
    squares = (share**2).sum(axis=1)
    languages = (by_language > 0).sum(axis=1)
    count = np.bincount(found.document, minlength=n)
    switches = np.maximum(count - 1, 0)
    mean = np.bincount(found.document, found.units, n) / np.maximum(count, 1)
    variance = np.bincount(found.document, (found.units - mean[found.document]) ** 2, n) / np.maximum(count, 1)
    deviation = np.sqrt(variance)
    several = languages > 1
    return {
        "main_language_share": np.where(units > 0, share[:, -1], 1),
        "code_mixing_index": np.where(units > 0, 100 * (1 - share.max(axis=1)), 0),
        "m_index": np.divide(1 - squares, (languages - 1) * squares, out=np.zeros(n), where=several),
        "i_index": switches / np.maximum(units - 1, 1),
        "burstiness": np.divide(deviation - mean, deviation + mean, out=np.zeros(n), where=several),
        "span_entropy": _entropy(found.document, found.units, n),
        "switch_points": switches,
    }


def _entropy(document: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """Entropy in bits of the distribution of values of each document: float64[n]."""
    frame = pl.DataFrame({"document": document, "value": value}).group_by("document", "value").len()
    share = pl.col("len") / pl.col("len").sum().over("document")
    out = np.zeros(n)
    entropy = frame.with_columns(part=-share * share.log(2)).group_by("document").agg(pl.col("part").sum())
    out[entropy["document"].to_numpy()] = entropy["part"].to_numpy()
    return np.abs(out)


def _kinds(spans: Spans, scan: Scan, units: np.ndarray, main: np.ndarray) -> np.ndarray:
    """Positions in `KINDS`: int64[n]; mixtures by the linear model of `filters.mixture_kinds`."""
    found = facts(spans, scan, units, main)
    foreign, share = found.foreign, found.foreign / np.maximum(units, 1)
    mixed = (foreign >= LEAST_UNITS) & ((share >= LEAST_SHARE) | (found.whole > 0))
    kind = np.full(len(units), MONOLINGUAL)
    if mixed.any():
        kind[mixed] = mixture_kinds.classify(found.features[mixed])
    return kind


class Facts(NamedTuple):
    """What kinds are told by, of n documents."""

    foreign: np.ndarray  # float64[n]: units in other languages
    whole: np.ndarray  # int64[n]: whole lines in another language
    features: np.ndarray  # float64[n, len(mixture_kinds.FEATURES)]


def facts(spans: Spans, scan: Scan, units: np.ndarray, main: np.ndarray) -> Facts:
    """Features of `filters.mixture_kinds` of n documents; ``units``: int64[n] of them, ``main``: int16[n] labels."""
    n, line_count = len(units), len(spans.line_units)
    document = line_documents(scan)
    in_line = np.bincount(spans.line, spans.units, line_count)
    whole = whole_lines(spans)
    of_whole = whole[spans.line]
    separated, quoted = spans.marks & SEPARATED > 0, spans.marks & QUOTED > 0
    own = spans.line_units - in_line
    mixed_line = (in_line > 0) & ~whole & (own > 0)
    beside = np.bincount(spans.line, separated, line_count) > 0
    # Both sides of a slash, bar, tab or dash of about the same length: words with their meanings, or sentences.
    sides = mixed_line & beside & (own <= 3 * in_line) & (in_line <= 3 * own)
    furniture, notice, edge = _furniture(scan, document, second_language(spans, n))
    marks = scan.line("marks")
    listed = (marks & (LINE_LIST | LINE_BULLET)) > 0
    terminal = (marks & LINE_TERMINAL) > 0
    worded = spans.line_units > 0
    starts_block = whole & ~np.append(False, whole[:-1] & (document[1:] == document[:-1]))

    def lines(chosen: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(document[chosen], None if weight is None else weight[chosen], n).astype(np.float64)

    def total(chosen: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(spans.document[chosen], None if weight is None else weight[chosen], n).astype(np.float64)

    def ratio(part: np.ndarray, of: np.ndarray) -> np.ndarray:
        return np.divide(part, of, out=np.zeros(n), where=of > 0)

    every = np.ones(len(spans.document), bool)
    foreign, spans_count, count = total(every, spans.units), total(every), lines(worded)
    whole_count, whole_units = lines(whole), lines(whole, in_line)
    own_lines = worded & (in_line == 0)
    inside = total(~of_whole)
    short, long = whole & (spans.line_units <= 4), whole & (spans.line_units >= 15)
    share, languages = ratio(foreign, units.astype(np.float64)), _languages(spans, n)
    columns = {
        "share": share,
        "balance": np.minimum(share, 1 - share),
        "whole": ratio(whole_units, foreign),
        "span_units": np.log1p(ratio(foreign, spans_count)),
        "line_units": np.log1p(ratio(whole_units, whole_count)),
        "own_line_units": np.log1p(ratio(lines(own_lines, spans.line_units), lines(own_lines))),
        "quoted": ratio(total(quoted, spans.units), foreign),
        "separated": ratio(total(separated & ~of_whole, spans.units), foreign),
        "glosses": ratio(total((separated | quoted) & ~of_whole & (spans.units <= 4)), inside),
        "loose": ratio(total(~(separated | quoted) & ~of_whole, spans.units), foreign),
        "inside": np.log1p(inside),
        "aligned": _alignment(runs(spans, units), main, n),
        "line_pairs": _line_pairs(spans, document, in_line, whole, main),
        "sides": ratio(lines(sides), count),
        "short_sides": ratio(lines(sides & (spans.line_units <= 6)), count),
        "furniture": ratio(lines(whole & furniture), whole_count),
        "notices": ratio(lines(whole & notice), whole_count),
        "edges": ratio(lines(whole & edge, in_line), foreign),
        "short": ratio(lines(short), whole_count),
        "long": ratio(lines(long), whole_count),
        "terminal": ratio(lines(whole & terminal), whole_count),
        "blocks": np.log1p(lines(starts_block)),
        "block_lines": np.log1p(ratio(whole_count, lines(starts_block))),
        "whole_lines": ratio(whole_count, count),
        "listed": ratio(lines(worded & listed), count),
        "short_own": ratio(lines(own_lines & (spans.line_units <= 4)), count),
        "lines": np.log1p(count),
        "languages": np.minimum(languages, 4).astype(np.float64),
        "single": (languages == 1).astype(np.float64),
        "numbers": _shared_numbers(spans, whole, document, n),
    }
    features = np.stack([columns[name] for name in mixture_kinds.FEATURES], axis=1)
    return Facts(foreign, whole_count.astype(np.int64), features)


def _line_pairs(
    spans: Spans, document: np.ndarray, in_line: np.ndarray, whole: np.ndarray, main: np.ndarray
) -> np.ndarray:
    """How alike in length own and foreign lines one after the other are: mean over such pairs of shorter / longer, in
    words, times the share of foreign lines that have such a neighbour before: float64[n]."""
    n = len(main)
    label = np.full(len(document), -1)
    label[spans.line] = spans.label
    words = spans.line_units / _WORDS[np.where(whole & (label >= 0), label, np.maximum(main[document], 0))]
    own = (in_line == 0) & (spans.line_units > 0)
    pair = own[:-1] & whole[1:] & (document[1:] == document[:-1])
    alike = np.minimum(words[:-1], words[1:]) / np.maximum(np.maximum(words[:-1], words[1:]), 1e-9)
    found = np.bincount(document[1:][pair], alike[pair], n)
    count = np.bincount(document[whole], minlength=n)
    return np.divide(found, count, out=np.zeros(n), where=count > 0)


def _shared_numbers(spans: Spans, whole: np.ndarray, document: np.ndarray, n: int) -> np.ndarray:
    """Share of the different numbers in foreign lines that own lines have too, 0 without any: float64[n]."""
    line = spans.number_line
    frame = pl.DataFrame({"document": document[line], "number": spans.number_hash, "foreign": whole[line]})
    by_number = frame.group_by("document", "number").agg(
        here=pl.col("foreign").any(), both=pl.col("foreign").any() & ~pl.col("foreign").all()
    )
    by_document = by_number.group_by("document").agg(pl.col("here").sum(), pl.col("both").sum())
    out = np.zeros(n)
    rows = by_document.filter(pl.col("here") > 0)
    out[rows["document"].to_numpy()] = (rows["both"] / rows["here"]).to_numpy()
    return out


def _languages(spans: Spans, n: int) -> np.ndarray:
    """Other languages that hold at least a tenth of the units in other languages: int64[n]."""
    mass = _by_label(spans.document, spans.label, spans.units, n)
    count: np.ndarray = (mass >= np.maximum(0.1 * mass.sum(axis=1, keepdims=True), 1)).sum(axis=1)
    return count


def _alignment(found: Runs, main: np.ndarray, n: int) -> np.ndarray:
    """Sum of the shorter over the sum of the longer of neighbouring own and foreign texts in words, own first or
    foreign first, whichever fits better: float64[n]."""
    words = found.units / _WORDS[np.where(found.label < 0, np.maximum(main[found.document], 0), found.label)]
    here, there = words[:-1], words[1:]
    neighbours = (found.document[1:] == found.document[:-1]) & ((found.label[1:] < 0) != (found.label[:-1] < 0))
    best = np.zeros(n)
    for own_first in (True, False):
        pairs = neighbours & ((found.label[:-1] < 0) == own_first)
        place = found.document[:-1][pairs]
        shorter = np.bincount(place, np.minimum(here, there)[pairs], n)
        longer = np.bincount(place, np.maximum(here, there)[pairs], n)
        best = np.maximum(best, np.divide(shorter, longer, out=np.zeros(n), where=longer > 0))
    return best


def _furniture(scan: Scan, document: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether a line looks like page furniture, has a notice in the second language int64[n] of its document, and is
    one of the first or last four: bool[lines] each."""
    bounds = scan.line_bounds
    here = np.arange(len(document))
    from_start, to_end = here - bounds[:-1][document], bounds[1:][document] - 1 - here
    notice = phrases.find(scan, np.where(second < len(CODES), second, -1)) != 0
    units = scan.line("units") - scan.line("unspaced_units") / 2
    edge = np.minimum(from_start, to_end) <= 3
    return notice | (units <= 6) | edge & (units <= 40), notice, edge


def whole_lines(spans: Spans) -> np.ndarray:
    """Whether each line as a whole is in another language than its document: bool[lines]."""
    in_line = np.bincount(spans.line, spans.units, len(spans.line_units))
    found: np.ndarray = (in_line >= WHOLE * spans.line_units) & (in_line > 0)
    return found


def line_languages(spans: Spans, found: Identified, main: np.ndarray, scan: Scan) -> np.ndarray:
    """Label of each line: the foreign one of whole lines, else its document's own; -1 for lines without words and for
    documents outside the 29 where it is not certain: int16[lines]."""
    document = line_documents(scan)
    label = np.where(main[document] >= 0, main[document], certain(found.lines))
    label[found.lines.script == scripts.NONE] = -1
    whole = whole_lines(spans)[spans.line]
    label[spans.line[whole]] = spans.label[whole]
    return label.astype(np.int16)
