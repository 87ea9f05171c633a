"""The compiled loop of the scan. One function on purpose: its state lives in registers for the whole pass.

Most characters are letters inside a word; they take the short inner loop, which does only what a letter needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.text import utf8
from curation.text.ascii_patterns import ASCII_KINDS, SINGULAR, TECHNICAL, find_markup, find_url, is_numbered
from curation.text.hash_table import look_up
from curation.text.scan_columns import (
    LINE_BULLET,
    LINE_CURLY,
    LINE_ELLIPSIS,
    LINE_LIST,
    LINE_TABLE,
    LINE_TERMINAL,
    SHORT_LINE,
    TABLE_SEPARATORS,
)
from curation.text.unicode_tables import (
    APOSTROPHE,
    CLASS_MASK,
    CLUSTER,
    CLUSTER_PREFIX,
    CLUSTER_SUFFIX,
    DIGIT,
    HAN,
    HIRAGANA,
    JOINER,
    KATAKANA,
    LETTER,
    MARK,
    PUNCTUATION,
    SENTENCE_END,
    SPACE,
    STACKER,
    SYMBOL,
    UPPER,
)

SPACED_SENTENCE = 10
"""Fewest units, about three words, after which a space or line end ends a sentence in Thai and Lao, where spaces part
clauses and phrases as well."""

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ASAT, _DOT_BELOW = 0x103A, 0x1037  # Burmese vowel killer and tone mark
_HASH, _STOP, _URDU_STOP, _ELLIPSIS, _NEWLINE = ord("#"), ord("."), 0x06D4, 0x2026, 10
_CURLY_OPEN, _CURLY_CLOSE = ord("{"), ord("}")
_COLON, _LESS, _AMPERSAND, _BAR, _TAB = map(ord, ":<&|\t")
_ASCII, _BLANK = 0x80, ord(" ")
_ONE_SPACE = np.uint64(0x110001)
"""What the hash of a line takes for one space: 0x110000 and their number."""
_STATE_NONE, _STATE_PREFIX = 0, 100
"""States of the unit machine besides the class of the unit under way: none, a vowel waiting for its consonant."""


@utf8.inline
def mix(hash_: Any) -> Any:  # pragma: no cover - compiled
    """Finish a 64-bit hash so that every bit depends on every bit."""
    hash_ ^= hash_ >> np.uint64(32)
    hash_ *= _MIX
    return hash_ ^ (hash_ >> np.uint64(29))


@utf8.inline
def _continues(state: Any, kind: Any, stacked: Any, code: Any, following: Any, following_kind: Any) -> Any:
    """Whether a character of class ``kind`` belongs to the unit under way (``state``)."""
    if state == _STATE_NONE:
        return False
    if kind in (MARK, JOINER, STACKER):
        return True
    if kind in (LETTER, DIGIT):
        return state == LETTER
    if kind in (HIRAGANA, KATAKANA):
        return state == kind or (code == 0x30FC and state == HIRAGANA)
    if kind == CLUSTER:
        killed = 0x1000 <= code < 0x1040 and (following in (_ASAT, _DOT_BELOW))
        return state == _STATE_PREFIX or (state == CLUSTER and (stacked or killed))
    if kind == CLUSTER_SUFFIX:
        return state in (CLUSTER, _STATE_PREFIX)
    if kind == APOSTROPHE:
        return state == LETTER and following_kind == LETTER
    return False


@utf8.inline
def _opens(kind: Any) -> Any:
    """State of a unit that a character of class ``kind`` opens; none for characters outside units."""
    if kind in (LETTER, DIGIT):
        return LETTER
    if kind in (HAN, HIRAGANA, KATAKANA, CLUSTER):
        return kind
    if kind == CLUSTER_SUFFIX:
        return CLUSTER
    if kind == CLUSTER_PREFIX:
        return _STATE_PREFIX
    return _STATE_NONE


@utf8.inline
def _width(code: Any) -> Any:
    """Bytes of a code point in UTF-8."""
    return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)


@utf8.inline
def _is_small(table: Any, code: Any) -> Any:
    return code < 0x10000 and table[code] == 1


@utf8.inline
def _is_thai_or_lao(code: Any, kind: Any) -> Any:
    """Whether a letter or mark is of the scripts that write no sentence-ending mark but a space."""
    return 0x0E00 < code < 0x0F00 and (kind == MARK or CLUSTER <= kind <= CLUSTER_SUFFIX)


@utf8.njit
def scan(offsets, data, properties, lower, bullets, closers, abbreviations, counts, bounds,  # type: ignore[no-untyped-def]
         unit_hash, unit_length, line_hash, line_length, paragraph_hash, paragraph_length, line_facts,
         sentence_facts):  # fmt: skip
    """Fill counts int64[n, len(COUNTS)], bounds int64[4, n+1] (units, lines, paragraphs, sentences) and the rest."""
    units = lines = paragraphs = segments = np.int64(0)
    for d in range(len(offsets) - 1):
        characters = letters = digits = punctuation = symbols = spaces = upper = newlines = np.int64(0)
        unit_characters = tokens = letter_tokens = hashes = ellipses = sentences = np.int64(0)
        bullet_lines = ellipsis_lines = terminal_lines = short_lines = line_characters = np.int64(0)
        curly_brackets = capital_units = all_capital_units = singular = urls = url_characters = np.int64(0)
        markup_characters = table_lines = list_lines = unspaced_units = np.int64(0)
        technical = separators = pending_tabs = np.int64(0)
        unit_letters = unit_upper = np.int64(0)  # letters and upper so far where the unit under way began
        url_stop = markup_stop = np.int64(0)  # bytes after the last URL and the last markup
        first_unit, first_line, first_paragraph = units, lines, paragraphs
        line_unit = units  # where the line under way began: units and letters, digits, upper, sentences, curly so far
        line_letters = line_digits = line_upper = line_sentences = line_curly = np.int64(0)
        line_separators = line_words = line_unspaced = np.int64(0)
        # Where the sentence under way began, and its units, capital units and technical characters so far.
        in_sentence = sentence_over = False
        sentence_start = sentence_characters = sentence_units = sentence_capitals = sentence_technical = np.int64(0)

        at, end = offsets[d], offsets[d + 1]  # `at` is the byte after the character in hand
        unit, length, state, stacked = _FNV_OFFSET, 0, _STATE_NONE, False
        line, trimmed, pending, indent = _FNV_OFFSET, 0, 0, True  # hash, characters, inner spaces not yet hashed
        first = last = np.int64(0)  # outermost characters of the line that are not spaces
        unclosed = np.int64(0)  # the last of them that is no closing quote or bracket
        end_dots = 0  # full stops in a row that end the line
        start = stop = at  # bytes of the line, outer white space aside
        paragraph, paragraph_characters, in_paragraph = _FNV_OFFSET, 0, False
        in_token = letter_token = False
        dots = 0  # full stops in a row
        previous_kind = np.int64(SPACE)
        ended = False  # inside a run of sentence-ending marks
        if at == end:
            bounds[0, d + 1], bounds[1, d + 1], bounds[2, d + 1], bounds[3, d + 1] = units, lines, paragraphs, segments
            continue
        code, at = utf8.decode(data, at)
        while True:
            bits = np.int64(properties[code])

            # Letters and marks inside words, and single spaces between words, with another character after them.
            while state == LETTER and bits & ~UPPER == LETTER and at < end:
                while LETTER <= bits & ~UPPER <= MARK and at < end:
                    unit = (unit ^ np.uint64(lower[code])) * _FNV_PRIME
                    line = (line ^ np.uint64(code)) * _FNV_PRIME
                    length += 1
                    letters += bits & CLASS_MASK == LETTER
                    upper += bits == LETTER | UPPER
                    last, previous_kind = code, bits & CLASS_MASK
                    code, at = utf8.decode(data, at)
                    bits = np.int64(properties[code])
                    trimmed += 1
                    characters += 1
                unclosed, stop = last, at - _width(code)
                letter_token, stacked, ended = True, False, False
                dots = end_dots = 0
                if code != _BLANK or at == end:
                    break
                following, following_at = utf8.decode(data, at)
                following_bits = np.int64(properties[following])
                if following_bits & ~UPPER != LETTER or following_at == end:
                    break
                # The space ends a unit and a token; the letter after it begins the next.
                unit_hash[units], unit_length[units] = mix(unit), length
                unit_characters += length
                units += 1
                all_capital_units += letters - unit_letters == upper - unit_upper and upper > unit_upper
                unit, length = _FNV_OFFSET, 0
                capital_units += following_bits & UPPER != 0
                unit_letters, unit_upper = letters, upper
                tokens += 1
                letter_tokens += 1
                line = (line ^ _ONE_SPACE) * _FNV_PRIME
                characters += 1
                spaces += 1
                trimmed += 1
                code, at, bits = following, following_at, following_bits

            kind = bits & CLASS_MASK
            following, following_at = np.int64(_NEWLINE), at
            if at < end:
                following, following_at = utf8.decode(data, at)
            following_kind = np.int64(properties[following]) & CLASS_MASK

            closes = _is_small(closers, code)

            # Sentences. `pending` counts the spaces since the last other character of the line.
            if kind != SPACE:
                attached = pending == 0 and (bits & SENTENCE_END != 0 or closes)
                if (
                    pending > 0 and in_sentence and not sentence_over and units - sentence_units >= SPACED_SENTENCE
                    and _is_thai_or_lao(code, kind)
                    and _is_thai_or_lao(unclosed, np.int64(properties[unclosed]) & CLASS_MASK)
                ):  # fmt: skip
                    sentences += 1
                    sentence_over = True
                if in_sentence and sentence_over and not attached:
                    facts = sentence_facts[segments]
                    facts[0], facts[1] = sentence_start - offsets[d], stop - offsets[d]
                    facts[2], facts[3] = characters - pending - sentence_characters, units - sentence_units
                    facts[4], facts[5] = capital_units - sentence_capitals, technical - sentence_technical
                    segments += 1
                    in_sentence = False
                if not in_sentence:
                    in_sentence, sentence_over = True, False
                    sentence_start, sentence_characters, sentence_units = at - _width(code), characters, units
                    sentence_capitals, sentence_technical = capital_units, technical

            # Units.
            before, before_length = np.uint64(0), 0  # the unit that ends right before this character
            if _continues(state, kind, stacked, code, following, following_kind):
                unit = (unit ^ np.uint64(lower[code])) * _FNV_PRIME
                length += 1
                if state == _STATE_PREFIX and kind != MARK:
                    state = CLUSTER
                stacked = kind == STACKER or (stacked and kind == JOINER)
            else:
                if length > 0:
                    before, before_length = mix(unit), length
                    unit_hash[units], unit_length[units] = before, length
                    unit_characters += length
                    units += 1
                    all_capital_units += letters - unit_letters == upper - unit_upper and upper > unit_upper
                state, length, stacked = _opens(kind), 0, False
                if state != _STATE_NONE:
                    unit, length = (_FNV_OFFSET ^ np.uint64(lower[code])) * _FNV_PRIME, 1
                    capital_units += bits & UPPER != 0
                    unspaced_units += state != LETTER
                    unit_letters, unit_upper = letters, upper

            # Characters.
            characters += 1
            is_letter = kind == LETTER or (HAN <= kind <= CLUSTER_SUFFIX)
            letters += is_letter
            upper += is_letter and bits & UPPER != 0
            digits += kind == DIGIT
            punctuation += kind in (PUNCTUATION, APOSTROPHE)
            symbols += kind == SYMBOL
            hashes += code == _HASH
            newlines += code == _NEWLINE
            curly_brackets += code in (_CURLY_OPEN, _CURLY_CLOSE)
            singular += kind == SYMBOL
            if code < _ASCII and kind != LETTER and kind != SPACE:
                technical += ASCII_KINDS[code] & TECHNICAL != 0
                singular += kind != SYMBOL and ASCII_KINDS[code] & SINGULAR != 0
                separators += code == _BAR
                if code in (_COLON, _STOP) and at > url_stop:
                    url_start, found_stop = find_url(data, offsets[d], at, end)
                    if found_stop > url_start >= url_stop:
                        urls += 1
                        url_characters += found_stop - url_start  # ASCII: a byte is a character
                        url_stop = found_stop
                elif code in (_LESS, _AMPERSAND) and at > markup_stop:
                    found_stop = find_markup(data, at, end)
                    if found_stop > 0:
                        markup_stop = found_stop
                        for i in range(at - 1, found_stop):
                            markup_characters += data[i] & 0xC0 != 0x80

            # Ellipses and sentence ends.
            dots = dots + 1 if code == _STOP else 0
            ellipses += code == _ELLIPSIS or dots == 3
            if bits & SENTENCE_END:
                # A mark of ASCII ends a sentence only before a space, a closing quote or bracket, or another script;
                # so '3.14' and 'example.org' do not end one. Inside a line a full stop does not end one after a single
                # letter, a number of one or two digits (an ordinal in many languages) or a known abbreviation. A run
                # of marks ends one sentence.
                wide = code > 0x7F and code != _ELLIPSIS
                open_end = following_kind in (SPACE, HAN) or _is_small(closers, following)
                if code in (_STOP, _URDU_STOP) and before_length > 0 and following != _NEWLINE:
                    initial = before_length == 1 and previous_kind in (LETTER, CLUSTER)
                    ordinal = before_length <= 2 and previous_kind == DIGIT
                    if initial or (code == _STOP and (
                        ordinal or abbreviations[look_up(abbreviations, before)] == before
                    )):  # fmt: skip
                        wide = open_end = False
                if not ended and (wide or open_end):
                    sentences += 1
                    ended = sentence_over = True
            elif not closes:
                ended = False

            # Tokens and lines.
            if kind == SPACE:
                spaces += 1
                tokens += in_token
                letter_tokens += letter_token
                in_token = letter_token = False
                pending += 1
                pending_tabs += code == _TAB
            else:
                in_token = True
                letter_token = letter_token or is_letter
                if indent:
                    indent, pending, first, start = False, 0, code, at - _width(code)
                    pending_tabs = 0
                if pending > 0:
                    line = (line ^ np.uint64(0x110000 + pending)) * _FNV_PRIME
                    trimmed += pending
                    separators += pending_tabs
                    pending = pending_tabs = 0
                line = (line ^ np.uint64(code)) * _FNV_PRIME
                trimmed += 1
                last, end_dots, stop = code, dots, at
                if not closes:
                    unclosed = code
            if code == _NEWLINE or at == end:
                if (
                    in_sentence and not sentence_over and units + (length > 0) - sentence_units >= SPACED_SENTENCE
                    and _is_thai_or_lao(unclosed, np.int64(properties[unclosed]) & CLASS_MASK)
                ):  # fmt: skip
                    sentences += 1
                if trimmed > 0:
                    line = mix(line)
                    line_hash[lines], line_length[lines] = line, trimmed
                    is_bullet = _is_small(bullets, first)
                    is_ellipsis = last == _ELLIPSIS or end_dots >= 3
                    is_terminal = (properties[unclosed] & SENTENCE_END) != 0
                    is_table = separators - line_separators >= TABLE_SEPARATORS
                    is_list = is_bullet or is_numbered(data, start, stop)
                    words = characters - digits - punctuation - symbols - spaces
                    facts = line_facts[lines]
                    facts[0], facts[1] = start - offsets[d], stop - offsets[d]
                    facts[2] = units + (length > 0) - line_unit
                    facts[3], facts[4], facts[5] = letters - line_letters, digits - line_digits, upper - line_upper
                    facts[6] = sentences - line_sentences
                    facts[7] = (
                        LINE_BULLET * is_bullet
                        + LINE_ELLIPSIS * is_ellipsis
                        + LINE_TERMINAL * is_terminal
                        + LINE_CURLY * (curly_brackets > line_curly)
                        + LINE_TABLE * is_table
                        + LINE_LIST * is_list
                    )
                    facts[8], facts[9] = words - line_words, unspaced_units - line_unspaced
                    lines += 1
                    table_lines += is_table
                    list_lines += is_list
                    line_characters += trimmed
                    bullet_lines += is_bullet
                    short_lines += trimmed <= SHORT_LINE
                    ellipsis_lines += is_ellipsis
                    terminal_lines += is_terminal
                    paragraph = (paragraph ^ line) * _FNV_PRIME
                    paragraph_characters += trimmed
                    in_paragraph = True
                if in_paragraph and (trimmed == 0 or at == end):
                    paragraph_hash[paragraphs], paragraph_length[paragraphs] = mix(paragraph), paragraph_characters
                    paragraphs += 1
                    paragraph, paragraph_characters, in_paragraph = _FNV_OFFSET, 0, False
                if in_sentence:
                    facts = sentence_facts[segments]
                    facts[0], facts[1] = sentence_start - offsets[d], stop - offsets[d]
                    # `pending` spaces end the line, its line end among them.
                    facts[2] = characters - pending - sentence_characters
                    facts[3] = units + (length > 0) - sentence_units
                    facts[4], facts[5] = capital_units - sentence_capitals, technical - sentence_technical
                    segments += 1
                    in_sentence = False
                line, trimmed, pending, indent = _FNV_OFFSET, 0, 0, True
                pending_tabs = np.int64(0)
                first = last = unclosed = np.int64(0)
                end_dots = 0
                line_unit, line_letters, line_digits, line_upper = units, letters, digits, upper
                line_sentences, line_curly, line_separators = sentences, curly_brackets, separators
                line_words = characters - digits - punctuation - symbols - spaces
                line_unspaced = unspaced_units
            if at == end:
                break
            previous_kind = kind
            code, at = following, following_at

        if length > 0:
            unit_hash[units], unit_length[units] = mix(unit), length
            unit_characters += length
            units += 1
            all_capital_units += letters - unit_letters == upper - unit_upper and upper > unit_upper
        tokens += in_token
        letter_tokens += letter_token
        bounds[0, d + 1], bounds[1, d + 1], bounds[2, d + 1], bounds[3, d + 1] = units, lines, paragraphs, segments
        row = counts[d]
        row[0], row[1], row[2], row[3], row[4], row[5] = characters, letters, digits, punctuation, symbols, spaces
        row[6], row[7], row[8], row[9], row[10] = upper, newlines, units - first_unit, unit_characters, tokens
        row[11], row[12], row[13], row[14], row[15] = letter_tokens, hashes, ellipses, sentences, lines - first_line
        row[16], row[17], row[18], row[19] = bullet_lines, ellipsis_lines, terminal_lines, short_lines
        row[20], row[21], row[22] = line_characters, paragraphs - first_paragraph, curly_brackets
        row[23], row[24], row[25], row[26], row[27] = capital_units, all_capital_units, singular, urls, url_characters
        row[28], row[29], row[30], row[31] = markup_characters, table_lines, list_lines, unspaced_units
