"""Slow, obvious answers in plain Python that the compiled kernels must give too, and text to compare them on."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import yaml
from hypothesis import strategies as st

from curation.languages import SENTENCE_ENDS
from curation.text.scan import ABBREVIATIONS

BULLETS = "•‣◦▪●⁃∙·-*–"
CLOSERS = "\"'”’»」』）)]】〉》"

PIECES = (
    *"abcXYZäÉßİıǅ019²½Ⅳ",
    *"的语言，。！？人人生而自由「」〇々豈",
    *"のひらがなーカタカナンヽ々ﾊﾟ",
    *"한국어",
    *"กเแไใาำะๆฯุ่้์๑฿",
    *"ກເໄາຳໆຽ່",
    *"ကခငဏနမ့်္ျြွှောိ၊။၍ဿ",
    *"កខគង្ច្ញាិុំះ។ៗ៕",
    *"कखर्िाे।॥বকরে",
    *"אבגָּשׁ״",
    *"ابتهيَّّمیﻼۃ؟۔،",
    *"абвЁё",
    *"đấyợ",
    "e\u0301", "a\u0323\u0302", "\u1100\u1161\u11a8", "\u0cc6\u0cc2", "\u0301", "\ufe0f", "\u20e3",
    *"😀❤☀👨‍👩",
    *"\u200b\u200c\u200d\u2060\u00ad\ufeff",
    *" \u00a0\u3000\u2003\t\n",
    "\n\n", "\r\n", "\r", "\u2028", "\u0085", "\x0b", "\x00", "\x1b", "\uffff", "\U0001fffe", "\ufdd0",
    *".!?…", "...", "....", ". . .", "#", "3.14", "example.org", "don't", "l’eau", "'", "’", '."', ".)”", "etc.) ",
    "z. B. ", "Dr. ", "usw.\n", "J. ",
    *BULLETS, *CLOSERS, *"$€+=^~`_/\\%&@(«“",
    "می\u200cخواهم", "ประเทศไทย", "ລາວ", "မြန်မာ", "ភាសាខ្មែរ", "ひらがな", "カタカナ", "word", "WORD", "naïve",
)  # fmt: skip
"""Characters and short runs of every script, mark, line end and sentence mark that a definition speaks of."""

raw_text = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.text(max_size=40),
    st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cs"])), max_size=40).map("".join),
)
"""Any text, not normalised."""


def normalized(text: str) -> str:
    """Normalised text by the definition: LF line ends, then no control or noncharacters, then NFC."""
    text = re.sub("\r\n|[\r\x0b\x0c\x85\u2028\u2029]", "\n", text)
    kept = (
        character for character in text
        if not (unicodedata.category(character) == "Cc" and character not in "\t\n")
        and not (ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF or character == "\ufeff")
    )  # fmt: skip
    return unicodedata.normalize("NFC", "".join(kept))


clean_text = raw_text.map(normalized)
"""Text as the scan sees it: normalised."""


_RANGES = (
    ("H", ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B), (0x3400, 0x4DBF),
           (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))),
    ("h", ((0x3041, 0x3096), (0x309D, 0x309F), (0x1B001, 0x1B11F))),
    ("k", ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))),
    ("C", ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F))),
)  # fmt: skip


@cache
def letter_class(character: str) -> str:
    """One letter for what a character is to the unit grammar of `units`."""
    code, category = ord(character), unicodedata.category(character)
    if character in "เแโใไເແໂໃໄ":
        return "P"  # vowel written before its consonant
    if character in "ฯะาำๅๆຯະາຳໆៗ":
        return "X"  # letter that only ever continues a cluster
    if character in "\u1039\u17d2":
        return "S"  # stacker
    if character in "\u200c\u200d\u2060":
        return "J"  # joiner
    if character in "'’":
        return "A"  # apostrophe
    if category[0] == "M":
        return "M"
    if category[0] == "L" or category == "Nl":
        for name, ranges in _RANGES:
            if any(first <= code <= last for first, last in ranges):
                return name
    if category[0] == "L":
        return "L"
    if category[0] == "N":
        return "D"
    return "s" if character in " \t\n" or category[0] == "Z" else "."


_UNIT = re.compile(
    r"[LD](?:[LDMJS]|A(?=L))*"  # scripts that write spaces: letters, digits, marks, apostrophes before letters
    r"|H[MJS]*"  # one Han character
    r"|h[hRMJS]*"  # a run of hiragana
    r"|[kR][kRMJS]*"  # a run of katakana
    r"|(?:PM*[CcX]|PM*(?=[SJ])|[CcX])(?:[MJXc]|SJ*[Cc]?)*"  # a cluster
    r"|PM*"  # a vowel without its consonant
)


def units(text: str) -> list[str]:
    """The units of a text: a grammar over one class letter a character, as a regular expression."""
    classes = [letter_class(character) for character in text]
    for i, character in enumerate(text):
        if character == "ー":
            classes[i] = "R"  # the long vowel mark, which goes on in hiragana as well
        if classes[i] == "C" and "\u1000" <= character <= "\u103f" and text[i + 1 : i + 2] in ("\u103a", "\u1037"):
            classes[i] = "c"  # killed: asat follows, or the dot below that is written before it
    return [text[found.start() : found.end()] for found in _UNIT.finditer("".join(classes))]


def lower(text: str) -> str:
    """Simple lower case, code point by code point."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def is_space(character: str) -> bool:
    return letter_class(character) == "s"


def strip(line: str) -> str:
    spaces = "".join({character for character in line if is_space(character)})
    return line.strip(spaces) if spaces else line


def line_key(line: str) -> str:
    """What a line's hash stands for: its characters, all white space being equal."""
    return "".join(" " if is_space(character) else character for character in strip(line))


@dataclass
class Document:
    """Everything the scan finds in one normalised document."""

    text: str
    units: list[str] = field(init=False)
    lines: list[str] = field(init=False)  # without outer white space, none blank
    paragraphs: list[list[str]] = field(init=False)
    tokens: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.units = units(self.text)
        stripped = [strip(line) for line in self.text.split("\n")]
        self.lines = [line for line in stripped if line]
        self.paragraphs, block = [], []
        for line in [*stripped, ""]:
            if line:
                block.append(line)
            elif block:
                self.paragraphs.append(block)
                block = []
        self.tokens = "".join(" " if is_space(c) else c for c in self.text).split(" ")
        self.tokens = [token for token in self.tokens if token]

    def counts(self) -> dict[str, int]:
        """Every column of `Scan.counts`."""
        text, classes = self.text, [letter_class(c) for c in self.text]
        categories = [unicodedata.category(c) for c in self.text]
        letters = [c for c, kind in zip(text, classes, strict=True) if kind in "LHhkCPX"]
        return {
            "characters": len(text),
            "letters": len(letters),
            "digits": classes.count("D"),
            "punctuation": sum(category[0] == "P" for category in categories),
            "symbols": sum(category[0] == "S" for category in categories),
            "spaces": classes.count("s"),
            "upper": sum(c.lower() != c for c in letters),
            "newlines": text.count("\n"),
            "units": len(self.units),
            "unit_characters": sum(map(len, self.units)),
            "tokens": len(self.tokens),
            "letter_tokens": sum(any(letter_class(c) in "LHhkCPX" for c in token) for token in self.tokens),
            "hashes": text.count("#"),
            "ellipses": len(re.findall(r"\.{3,}|…", text)),
            "sentences": sentences(text),
            "lines": len(self.lines),
            "bullet_lines": sum(line[0] in BULLETS for line in self.lines),
            "ellipsis_lines": sum(line.endswith(("...", "…")) for line in self.lines),
            "terminal_lines": sum(ends_sentence(line) for line in self.lines),
            "short_lines": sum(len(line) <= 30 for line in self.lines),
            "line_characters": sum(map(len, self.lines)),
            "paragraphs": len(self.paragraphs),
            "curly_brackets": self.text.count("{") + self.text.count("}"),
            "capital_units": sum(is_upper(unit[0]) for unit in self.units),
            "all_capital_units": sum(
                all(map(is_upper, letters)) for unit in self.units if (letters := letters_of(unit))
            ),
            "singular": sum(
                category[0] == "S" or c in "#%&*/@\\" for c, category in zip(text, categories, strict=True)
            ),
            "urls": len(urls(text)),
            "url_characters": sum(map(len, urls(text))),
            "markup_characters": sum(map(len, markup(text))),
            "table_lines": sum(line.count("|") + line.count("\t") >= 2 for line in self.lines),
            "list_lines": sum(is_list_item(line) for line in self.lines),
            "unspaced_units": sum(letter_class(unit[0]) not in "LD" for unit in self.units),
        }

    def sentence_facts(self) -> list[tuple[int, ...]]:
        """Every row of `Scan.sentence_facts`."""
        unit_starts = [(end - len(unit), unit) for unit, end in units_with_ends(self.text)]
        rows: list[tuple[int, ...]] = []
        for start, stop, _ in sentence_spans(self.text):
            inside = [unit for at, unit in unit_starts if start <= at < stop]
            piece = self.text[start:stop]
            rows.append((
                len(self.text[:start].encode()), len(self.text[:stop].encode()), len(piece), len(inside),
                sum(is_upper(unit[0]) for unit in inside), sum(c in "0123456789{}+/()>" for c in piece),
            ))  # fmt: skip
        return rows


def is_upper(character: str) -> bool:
    return character.lower() != character


def letters_of(unit: str) -> list[str]:
    return [character for character in unit if letter_class(character) in "LHhkCPX"]


def urls(text: str) -> list[str]:
    body = "[!-~]"
    allowed = r"(?:(?![\"<>\\^`{|})\]])" + body + ")*"
    return re.findall(r"(?:(?:[A-Za-z]+://)|(?:(?<![A-Za-z])www\.))" + allowed, text)


def markup(text: str) -> list[str]:
    """Tags of at most 512 bytes after their '<' and entities."""
    found, at = [], 0
    pattern = re.compile(r"<[A-Za-z/!][^<>\n]*>|&#?[A-Za-z0-9]+;")
    for match in pattern.finditer(text):
        assert match.start() >= at
        if len(match[0].encode()) <= 513:
            found.append(match[0])
            at = match.end()
    return found


def is_list_item(line: str) -> bool:
    return line[0] in BULLETS or re.match(r"[0-9]{1,3}[.)] ", line) is not None


def sentences(text: str) -> int:
    """Runs of sentence-ending marks, closing quotes and brackets among them aside, with one that ends a sentence, and
    the sentences of Thai and Lao that a space or line end ends."""
    return len(marked_ends(text)) + sum(unmarked for *_, unmarked in sentence_spans(text))


def marked_ends(text: str) -> list[int]:
    """Positions of the first mark of each run that ends a sentence.

    A mark beyond ASCII ends one, but for the ellipsis; another mark does so before white space, a Han character, a
    closing quote or bracket, or the end of the text. A full stop inside a line does not after a single letter, and one
    of ASCII not after a number of one or two digits or the last unit of an abbreviation.
    """
    ends, closers = re.escape(SENTENCE_ENDS), re.escape(CLOSERS)
    not_after = {
        end
        for unit, end in units_with_ends(text)
        if text[end : end + 1] in (".", "۔")
        and text[end + 1 : end + 2] not in ("", "\n")
        and (
            (len(unit) == 1 and letter_class(unit) in "LC")
            or (text[end] == "." and (lower(unit) in abbreviations() or is_ordinal(unit)))
        )
    }
    found = []
    for run in re.finditer(f"[{ends}{closers}]+", text):
        for at in range(run.start(), run.end()):
            following = text[at + 1 : at + 2]
            open_end = not following or following in CLOSERS or letter_class(following) in "sH"
            wide = text[at] > "\x7f" and text[at] != "…"
            if text[at] in SENTENCE_ENDS and at not in not_after and (open_end or wide):
                found.append(at)
                break
    return found


def is_ordinal(unit: str) -> bool:
    return len(unit) <= 2 and letter_class(unit[-1]) == "D"


def is_thai_or_lao(character: str) -> bool:
    return "\u0e00" < character < "\u0f00" and letter_class(character) in "CPXM"


def sentence_spans(text: str) -> list[tuple[int, int, bool]]:
    """Where each sentence begins and ends: after the closing quotes, brackets and marks that follow its end directly,
    and at every line end; outer white space aside. In Thai and Lao also at a space between two letters, and then the
    third value is true, if the sentence has at least ten units, as it is when a line end ends such a one."""
    marked, starts = set(), [end - len(unit) for unit, end in units_with_ends(text)]
    for at in marked_ends(text):
        while at < len(text) and (text[at] in SENTENCE_ENDS or text[at] in CLOSERS):
            at += 1
        marked.add(at)
    spans, start = [], 0
    for at in range(len(text) + 1):
        before = text[start:at]
        words = strip(before.replace("\n", " "))
        bare = words
        while bare and (bare[-1] in CLOSERS or is_space(bare[-1])):
            bare = bare[:-1]
        long_enough = bare and is_thai_or_lao(bare[-1]) and sum(start <= unit < at for unit in starts) >= 10
        at_end = at == len(text) or text[at] == "\n"
        at_space = before[-1:] and is_space(before[-1]) and not at_end and is_thai_or_lao(text[at])
        if at in marked or at_end or (at_space and long_enough):
            if words:
                first = start + next(i for i, c in enumerate(before) if not is_space(c))
                spans.append((first, first + len(words), bool(long_enough and at not in marked)))
            start = at
    return spans


def units_with_ends(text: str) -> list[tuple[str, int]]:
    """The units of a text and the positions behind them."""
    out, at = [], 0
    for unit in units(text):
        at = text.index(unit, at) + len(unit)
        out.append((unit, at))
    return out


@cache
def abbreviations() -> set[str]:
    """The last units, in lower case, of the abbreviations of all languages."""
    listed = yaml.safe_load(ABBREVIATIONS.read_text("utf-8"))
    return {lower(units(text)[-1]) for texts in listed.values() for text in texts if len(units(text)[-1]) > 1}


def ends_sentence(line: str) -> bool:
    """Whether a line ends in a sentence-ending mark, closing quotes, brackets and white space after it aside."""
    while line and (line[-1] in CLOSERS or is_space(line[-1])):
        line = line[:-1]
    return line[-1:] in SENTENCE_ENDS if line else False


def entropy(items: Sequence[str], base: float) -> float:
    """Of the distribution of the items, in units of the base."""
    counts = Counter(items)
    return -sum(n / len(items) * math.log(n / len(items), base) for n in counts.values()) if items else 0.0
