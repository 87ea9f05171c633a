"""Spans of documents in other languages than the document: whole lines, runs of another script, words inside lines.

The language of a line is what `curation.langid.identifier` says, unless the document's own is nearly as likely.
Inside lines a unit of another script is foreign, and so is a run of words in the same script whose frequencies
(`curation.langid.lexicon`) speak for another language: the more probable of two states by Viterbi's algorithm, as in
word-level models of code-switching (King and Abney 2013, N13-1131), with a fixed price of switching.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.langid import labels, lexicon
from curation.langid.identifier import Lines
from curation.languages import CODES, LANGUAGES
from curation.text import scripts, unicode_tables, utf8
from curation.text.hash_table import look_up
from curation.text.scan import Scan
from curation.text.unicode_tables import CLASS_MASK, OPENS
from curation.text.utf8 import frozen, njit
from filters.span_marks import span_marks

SWITCH, LEAST_SWITCH = 6.0, 3.0
"""Nats a run of words must speak for the other language to be taken as one: in documents with few words of it, and in
those with many, such as word lists."""
MANY = 0.6
"""Nats a unit that speak for the other language in these."""
MOST_NATS = 4.0
"""That one word counts for at most, for either language."""
CERTAIN, NEARLY = 0.75, 0.05
"""Probability of a foreign line, and of the document's own language in it, from and up to which it is foreign."""
LINE_LETTERS = 12
"""Letters of a foreign line in the script of the document; shorter ones are foreign beside other foreign lines."""
TERM_UNITS = 4
"""Units of a run of words in Latin script inside a line up to which it is an established term or a name, unless one of
them is a function word; in text of another script any run without a function word or of two units is one."""
EVIDENCE = 3.0
"""Nats that the words of a foreign line must speak for its language over the document's."""
COMMON = 10.5
"""Mean nats of the words of a short foreign line in Latin script, in text of another script, below which they are words
and no names: 1 in 36,000."""
SHORT_LINE = 3
"""Units of such a line."""
_OWN = -1

_SCRIPTS = {
    "Hans": scripts.HAN, "Hant": scripts.HAN, "Jpan": scripts.KANA, "Kore": scripts.HANGUL,
    **{name: number for number, name in enumerate(scripts.SCRIPTS)},
}  # fmt: skip


def _own_scripts() -> np.ndarray:
    own = np.zeros((len(CODES), len(scripts.SCRIPTS)), np.bool_)
    for row, code in enumerate(CODES):
        own[row, [_SCRIPTS[name] for name in LANGUAGES[code].scripts]] = True
        own[row, scripts.NONE] = True
    own[CODES.index("ja"), scripts.HAN] = own[CODES.index("ko"), scripts.HAN] = True
    return own


OWN_SCRIPTS = _own_scripts()
"""Scripts that a language is written in: bool[29, scripts]."""
_OF_SCRIPT = np.array(
    [-1, *(labels.NUMBER[labels.of_script(script)[0]] for script in range(1, len(scripts.SCRIPTS)))], np.int16
)
"""The label of a run in a script where nothing else tells."""
_NEIGHBOURS = [("ms", "id"), ("tl", "ceb")]
_IS_NEIGHBOUR = np.zeros((len(lexicon.LANGUAGES), len(lexicon.LANGUAGES)), np.bool_)
for _pair in _NEIGHBOURS:
    _a, _b = map(lexicon.LANGUAGES.index, _pair)
    _IS_NEIGHBOUR[_a, _b] = _IS_NEIGHBOUR[_b, _a] = True
_LABEL_OF_COLUMN = np.array([labels.NUMBER[code] for code in lexicon.LANGUAGES], np.int16)


class Spans(NamedTuple):
    """Foreign spans of n documents, in order; units of documents."""

    document: np.ndarray  # int32[spans]
    line: np.ndarray  # int32[spans], among the lines of the batch
    start: np.ndarray  # int32[spans], bytes of the document
    stop: np.ndarray  # int32[spans]
    label: np.ndarray  # int16[spans], positions in `labels.LABELS`
    units: np.ndarray  # int32[spans]
    own_before: np.ndarray  # int32[spans]: units in the document's language since the span before, or its start
    marks: np.ndarray  # uint8[spans]: `span_marks.QUOTED` | `span_marks.SEPARATED`
    line_units: np.ndarray  # int32[lines]: units of each line in any language, technical words and numbers aside
    number_line: np.ndarray  # int32[numbers]: lines of numbers in digits
    number_hash: np.ndarray  # uint64[numbers]
    terms: np.ndarray  # int32[n]: units that are terms or names in Latin script, and count as the document's own


def foreign_lines(lines: Lines, bounds: np.ndarray, main: np.ndarray) -> np.ndarray:
    """Labels of lines that are in another language than their document, -1 for its own and where it is not certain.

    ``main``: int16[n], labels of the documents, those outside the 29 and unknown ones -1: without foreign lines.
    """
    document = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    own = main[document]
    label, probability = lines.label[:, 0], lines.probability[:, 0]
    share = (lines.probability * (lines.label == own[:, None])).sum(axis=1)
    weight = lines.letters @ scripts.WEIGHTS
    other_script = ~OWN_SCRIPTS[np.maximum(own, 0), lines.script]
    inside = label < len(CODES)
    differs = (own >= 0) & (label >= 0) & (label != own)
    sure = other_script & inside | (probability >= CERTAIN) & (share <= NEARLY) & inside
    sure &= ~_like_han(own, label, lines.script, probability, weight)
    likely = differs & sure & (other_script | (weight >= LINE_LETTERS))
    beside = differs & inside & (probability >= 0.4) & (share <= 0.2) & _beside(likely, label, document)
    return np.where(likely | beside, label, np.int16(_OWN)).astype(np.int16)


def _like_han(own: np.ndarray, label: np.ndarray, script: np.ndarray, probability: np.ndarray,
              weight: np.ndarray) -> np.ndarray:  # fmt: skip
    """Whether a line of Han characters alone may as well be in the document's language: Japanese has kana, and a short
    Japanese line may have none."""
    chinese, japanese = CODES.index("zh"), CODES.index("ja")
    han = script == scripts.HAN
    short = (weight < 30) | (probability < 0.95)
    found: np.ndarray = han & (
        ((own == chinese) & (label == japanese)) | ((own == japanese) & (label == chinese) & short)
    )
    return found


def _beside(likely: np.ndarray, label: np.ndarray, document: np.ndarray) -> np.ndarray:
    """Whether a line next to each is likely and has the same label."""
    after = np.zeros(len(likely), bool)
    same = (document[1:] == document[:-1]) & (label[1:] == label[:-1])
    after[:-1] |= same & likely[1:]
    after[1:] |= same & likely[:-1]
    return after


class SpanFinder:
    """Holds the tables."""

    def __init__(self) -> None:
        self._lexicon = lexicon.load()

    def find(self, text: pa.Array, scan: Scan, lines: Lines, main: np.ndarray) -> Spans:
        """Foreign spans of documents.

        Args:
            text: string[n].
            scan: its scan.
            lines: their languages.
            main: int16[n], label of each document among the 29, -1 for others, which get no spans.
        """
        n = len(text)
        foreign = foreign_lines(lines, scan.line_bounds, main)
        line_units = np.concatenate([[0], np.cumsum(scan.line("units"), dtype=np.int64)])
        column = np.where(main >= 0, self._lexicon.column[np.maximum(main, 0)], -1)
        tagged = np.zeros(len(scan.unit_hash), np.bool_)
        other = np.full(n, -1, np.int64)
        reverted = np.zeros(len(scan.unit_hash), np.bool_)
        functions = np.zeros(len(scan.unit_hash), np.bool_)
        known = self._lexicon
        _tag(scan.unit_hash, scan.line_bounds, line_units, foreign, column, known.column, known.keys, known.rows,
             known.nats, _IS_NEIGHBOUR, other, tagged, reverted, functions)  # fmt: skip
        offsets, data = utf8.buffers(text)
        room = int(line_units[-1]) + 1
        columns = np.zeros((7, room), np.int32)
        counts = np.zeros((len(foreign)), np.int32)
        terms = np.zeros(n, np.int32)
        number = np.full(len(scan.unit_hash), -1, np.int32)
        found = _spans(offsets, frozen(data), unicode_tables.load().properties, scripts.table(), scan.unit_length,
                       scan.unit_bounds, scan.line_bounds, scan.line("start"), scan.line("stop"), line_units, main,
                       foreign, np.where(other >= 0, _LABEL_OF_COLUMN[np.maximum(other, 0)], 0), tagged, reverted,
                       functions, lines.code, OWN_SCRIPTS, _OF_SCRIPT, scripts.TECHNICAL, columns, counts, terms,
                       number)  # fmt: skip
        document, line, start, stop, label, units, own_before = columns[:, :found]
        marks = span_marks(offsets, frozen(data), document, label, start, stop, own_before)
        numbers = np.flatnonzero(number >= 0)
        return Spans(document, line, start, stop, label.astype(np.int16), units, own_before, marks, counts,
                     number[numbers], scan.unit_hash[numbers], terms)  # fmt: skip


@njit
def _evidence(unit_hash, first, last, own, there, keys, rows, nats):  # type: ignore[no-untyped-def]
    """Nats that words speak for another language than their document's."""
    total = 0.0
    for unit in range(first, last):
        slot = look_up(keys, unit_hash[unit])
        if keys[slot] != 0:
            row = nats[rows[slot]]
            total += min(max(row[own] - row[there], -most_nats), most_nats)
    return total


@njit
def _common_words(unit_hash, first, last, keys, rows, nats, label_of_column):  # type: ignore[no-untyped-def]
    """The label of the language whose common words a few units are; -1 if they are of none."""
    best, lowest = -1, common * (last - first)
    for language in range(nats.shape[1]):
        total = 0.0
        for unit in range(first, last):
            slot = look_up(keys, unit_hash[unit])
            total += absent if keys[slot] == 0 else nats[rows[slot], language]
        if total < lowest:
            best, lowest = np.int64(label_of_column[language]), total
    return best


@njit
def _tag(unit_hash, bounds, line_units, foreign, column, columns, keys, rows, nats, neighbours,  # type: ignore[no-untyped-def]
         other, tagged, reverted, functions):  # fmt: skip
    """Choose the other language of each document and tag the units of runs in it. Lines whose words do not speak for
    the language they were taken for are no longer foreign.

    Documents in other scripts (column -1) get English words told apart by nothing: only functions are marked.
    """
    width = nats.shape[1]
    gain = np.zeros(width)
    for d in range(len(bounds) - 1):
        own = column[d]
        gain[:] = 0
        for line in range(bounds[d], bounds[d + 1]):
            if foreign[line] >= 0 and own >= 0:
                there = columns[foreign[line]]
                first, last = line_units[line], line_units[line + 1]
                if there < 0:
                    continue
                if not neighbours[own, there] and (
                        _evidence(unit_hash, first, last, own, there, keys, rows, nats) >= least_evidence):  # fmt: skip
                    _mark_runs(unit_hash, first, last, there, own, keys, rows, nats, least_switch, reverted, functions)
                else:
                    foreign[line] = -1
            elif foreign[line] >= 0 and columns[foreign[line]] >= 0:
                first, last = line_units[line], line_units[line + 1]
                if last - first <= short_line:
                    foreign[line] = _common_words(unit_hash, first, last, keys, rows, nats, label_of_column)
            for unit in range(line_units[line], line_units[line + 1]):
                slot = look_up(keys, unit_hash[unit])
                if keys[slot] == 0:
                    continue
                row = nats[rows[slot]]
                if own < 0:
                    for language in range(width):
                        gain[language] += max(14.0 - row[language], 0.0)
                        functions[unit] |= row[language] < lexicon_function
                    continue
                for language in range(width):
                    evidence = row[own] - row[language]
                    if evidence > 2:
                        gain[language] += min(evidence, most_nats)
        if own >= 0:
            for language in range(width):
                if neighbours[own, language] or language == own:
                    gain[language] = 0
        best = gain.argmax()
        if gain[best] == 0:
            continue
        other[d] = best
        if own >= 0 and gain[best] >= switch:
            units = line_units[bounds[d + 1]] - line_units[bounds[d]]
            density = min(gain[best] / max(units, 1) / many, 1.0)
            price = switch - (switch - least_switch) * density
            for line in range(bounds[d], bounds[d + 1]):
                if foreign[line] < 0:
                    _mark_runs(unit_hash, line_units[line], line_units[line + 1], own, best, keys, rows, nats, price,
                               tagged, functions)  # fmt: skip


lexicon_function, most_nats, switch = lexicon.FUNCTION, MOST_NATS, SWITCH
least_switch, many = LEAST_SWITCH, MANY
least_evidence, common, short_line, label_of_column = EVIDENCE, COMMON, SHORT_LINE, frozen(_LABEL_OF_COLUMN)
absent = lexicon.ABSENT


@njit
def _mark_runs(unit_hash, first, last, own, best, keys, rows, nats, price,  # type: ignore[no-untyped-def]
               tagged, functions):  # fmt: skip
    """Tag the runs of units whose words speak for language ``best`` over ``own`` by more than the price of a switch:
    the best path through two states."""
    begin, total, highest, end = first, 0.0, 0.0, first
    for unit in range(first, last):
        slot = look_up(keys, unit_hash[unit])
        evidence = 0.0
        if keys[slot] != 0:
            row = nats[rows[slot]]
            evidence = min(max(row[own] - row[best], -most_nats), most_nats)
            functions[unit] = row[best] < lexicon_function and evidence > 1
        if total <= 0:
            begin, total, highest, end = unit, 0.0, 0.0, unit
        total += evidence
        if total > highest:
            highest, end = total, unit + 1
        if highest - total > price or total <= 0:
            if highest > price:
                tagged[begin:end] = True
            total, highest = 0.0, 0.0
    if highest > price:
        tagged[begin:end] = True


@njit
def _spans(offsets, data, properties, table, unit_length, unit_bounds, bounds, line_start, line_stop,  # type: ignore[no-untyped-def]
           line_units, main, foreign, other, tagged, reverted, functions, code_lines, own_scripts, of_script, marks,
           out, counts, terms, number):  # fmt: skip
    """Walk the units of documents and write runs of foreign ones: int32[7, spans]; the number of spans."""
    found = 0
    for d in range(len(offsets) - 1):
        if main[d] < 0:
            continue
        origin, at, own_units = offsets[d], offsets[d], 0
        for line in range(bounds[d], bounds[d + 1]):
            at, stop = origin + line_start[line], origin + line_stop[line]
            unit, last = line_units[line], line_units[line + 1]
            before, url_end = np.uint8(32), at
            run_label, run_start, run_stop, run_units, run_function, run_script = -1, at, at, 0, False, 0
            run_technical = False  # a technical word stands before the run, in it or behind it
            while unit <= last:
                # The next unit, or the end of the line.
                start, end, script, technical = stop, stop, 0, False
                if unit < last:
                    start = at
                    while start < stop:
                        code, after = utf8.decode(data, start)
                        if np.int64(properties[code]) & CLASS_MASK in OPENS:
                            break
                        before = data[start] if data[start] < 0x80 else np.uint8(32)
                        start = after
                    end = start
                    for _ in range(unit_length[unit]):
                        code, end = utf8.decode(data, end)
                        if script == 0:
                            script = np.int64(table[code])
                    behind = data[end] if end < stop else np.uint8(32)
                    following = data[end + 1] if end + 1 < stop else np.uint8(32)
                    if behind == 58 and following == 47:  # a URL goes on to the next space or closing bracket
                        url_end = end
                        while url_end < stop and data[url_end] != 32 and data[url_end] != 41 and data[url_end] != 62:
                            url_end += 1
                    letter = np.uint8((following | 32) - 97) < 26 or following == 47
                    technical = script == 0 or start < url_end or behind == 58 and following == 47 or script == 1 and (
                        marks[before] & 1 > 0 or marks[behind] & 2 > 0 or marks[behind] & 4 > 0 and letter)  # fmt: skip
                    technical |= (
                        script == other_script and unit_length[unit] <= 3 or code_lines[line] and script == 1
                    )  # a Greek letter
                    before = np.uint8(32)
                    at = end
                label = -1
                if unit < last and not technical:
                    counts[line] += 1
                    own = own_scripts[main[d], script]
                    if reverted[unit]:
                        label = -1
                    elif foreign[line] >= 0 and (not own or own_scripts[min(foreign[line], 28), script]):
                        label = np.int64(foreign[line])
                    elif not own:
                        label = np.int64(other[d]) if script == 1 else np.int64(of_script[script])
                    elif tagged[unit]:
                        label = np.int64(other[d])
                if unit < last and technical:
                    run_technical |= script == 1
                    if script == 0:
                        number[unit] = line
                    unit += 1
                    continue
                if label != run_label or unit == last:
                    if run_label >= 0:
                        latin = own_scripts[main[d], 1]
                        term = run_script == 1 and foreign[line] < 0 and (
                            (not run_function and (run_units <= term_units or not latin))
                            or (not latin and run_units <= 2)
                            or (run_technical and run_units <= term_units))  # fmt: skip
                        if term:
                            terms[d] += run_units
                            own_units += run_units
                        else:
                            out[0, found], out[1, found], out[2, found] = d, line, run_start - origin
                            out[3, found], out[4, found], out[5, found] = run_stop - origin, run_label, run_units
                            out[6, found], own_units = own_units, 0
                            found += 1
                    else:
                        own_units += run_units
                    run_label, run_start, run_units, run_function, run_script = label, start, 0, False, script
                    run_technical = False
                if unit < last:
                    run_stop = end
                    run_units += 1
                    run_function |= functions[unit]
                unit += 1
    return found


term_units, other_script = TERM_UNITS, scripts.OTHER
