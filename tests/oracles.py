"""Slow, obvious answers in plain Python that the compiled kernels must give too, and text to compare them on."""

from __future__ import annotations

import re
import unicodedata
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
        }


def sentences(text: str) -> int:
    """Runs of sentence-ending marks, closing quotes and brackets among them aside, with one that ends a sentence.

    A mark beyond ASCII ends one, but for the ellipsis; another mark does so before white space, a Han character, a
    closing quote or bracket, or the end of the text, unless it is a full stop inside a line that follows a single
    letter or the last unit of an abbreviation.
    """
    ends, closers = re.escape(SENTENCE_ENDS), re.escape(CLOSERS)
    stops_after_abbreviation = {
        end
        for unit, end in units_with_ends(text)
        if text[end : end + 1] == "."
        and text[end + 1 : end + 2] not in ("", "\n")
        and (lower(unit) in abbreviations() or (len(unit) == 1 and letter_class(unit) == "L"))
    }
    found = 0
    for run in re.finditer(f"[{ends}{closers}]+", text):
        for at in range(run.start(), run.end()):
            following = text[at + 1 : at + 2]
            open_end = not following or following in CLOSERS or letter_class(following) in "sH"
            if at in stops_after_abbreviation:
                open_end = False
            if text[at] in SENTENCE_ENDS and (open_end or (text[at] > "\x7f" and text[at] != "…")):
                found += 1
                break
    return found


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
