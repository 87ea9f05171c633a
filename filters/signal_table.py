"""The table of signals: every number stored about a document, with its definition, source and a worked example.

`docs/signals.md` and the command `glotmill signals` print this table. Ratios with a zero denominator are 0. *Units*
stand for words (`curation.text.scan`); for *words* the units of scripts without spaces are divided by the language's
`units_per_word`, so that a number of words means about as much text in every language. A signal's version is raised
whenever its value changes for a text.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from filters import phrases
from filters.repetition import DUPLICATE_SIZES, TOP_SIZES


class Signal(NamedTuple):
    name: str
    dtype: str  # Arrow type it is stored in
    unit: str
    definition: str
    source: str
    example: str  # an English text
    value: float  # of the signal for the example
    version: int = 1

    @property
    def versioned_name(self) -> str:
        """Name that stays with this definition for good."""
        return f"{self.name}@{self.version}"


GOPHER = "Gopher (Rae et al. 2021, arXiv:2112.11446), section A.1.1 and table A1"
FINEWEB = "FineWeb (Penedo et al. 2024, arXiv:2406.17557), section 3.6"
C4 = "C4 (Raffel et al. 2020, arXiv:1910.10683), section 2.2"
REDPAJAMA = "RedPajama-v2 (Weber et al. 2024, arXiv:2411.12372), quality signals"
MADLAD = "MADLAD-400 (Kudugunta et al. 2023, arXiv:2309.04662), section 2.3"
HPLT = "HPLT v2 (Burchell et al. 2025, arXiv:2503.10267), web-docs-scorer"
STACK = "The Stack (Kocetkov et al. 2022, arXiv:2211.15533)"
NEMO = "NeMo Curator, heuristic filters"
MC4 = "mC4 (Xue et al. 2021, arXiv:2010.11934), section 3.1"
OURS = "Glotmill"
_RATIO, _COUNT = "float32", "uint32"

_CATS = "Cats sleep. Dogs run!"
_LIST = "• milk\n• eggs\nAnd so on..."
_TWICE = "Home\nNews today\nHome"
_TWO = "one two\n\none two\n\nthree"
_WEB = "<b>See</b> https://a.org now"
_GRAMS = "a b c d e x a b c d e"
_LONG = "word " * 60

SIGNALS: tuple[Signal, ...] = (
    Signal("characters", _COUNT, "code points", "length of the text", OURS, _CATS, 21),
    Signal("units", _COUNT, "units", "words, characters or clusters, by script", OURS, _CATS, 4),
    Signal("words", _RATIO, "words", "units; in scripts without spaces / units per word", GOPHER, _CATS, 4, version=2),
    Signal("mean_unit_length", _RATIO, "code points", "characters inside units / units", GOPHER, _CATS, 16 / 4),
    Signal("hash_ratio", _RATIO, "ratio", "'#' characters / words", GOPHER, "#one # two", 2 / 2, version=2),
    Signal("ellipsis_ratio", _RATIO, "ratio", "'...' and '…' / words", GOPHER, "so... on… then", 2 / 3, version=2),
    Signal("letter_token_ratio", _RATIO, "ratio", "white-space tokens with a letter / tokens", GOPHER, "a1 2 - b",
           2 / 4),
    Signal("stop_words", _COUNT, "words", "occurrences of the language's stop words", GOPHER, "the end of the day", 3),
    Signal("distinct_stop_words", "uint8", "words", "different stop words of the language that occur", GOPHER,
           "the end of the day", 2),
    Signal("bullet_line_ratio", _RATIO, "ratio", "lines that start with a bullet / lines", GOPHER, _LIST, 2 / 3),
    Signal("ellipsis_line_ratio", _RATIO, "ratio", "lines that end in an ellipsis / lines", GOPHER, _LIST, 1 / 3),
    Signal("lines", _COUNT, "lines", "lines that are not blank", OURS, _TWO, 3),
    Signal("paragraphs", _COUNT, "paragraphs", "blocks of lines between blank lines", OURS, _TWO, 3),
    Signal("sentences", _COUNT, "sentences", "runs of sentence-ending marks of any of the scripts; in Thai and Lao "
           "also spaces and line ends after ten units", OURS, _CATS, 2, 2),
    Signal("duplicate_line_ratio", _RATIO, "ratio", "lines seen before in the document / lines", GOPHER, _TWICE, 1 / 3),
    Signal("duplicate_line_characters", _RATIO, "ratio", "characters of such lines / characters of lines", GOPHER,
           _TWICE, 4 / 18),
    Signal("duplicate_paragraph_ratio", _RATIO, "ratio", "paragraphs seen before / paragraphs", GOPHER, _TWO, 1 / 3),
    Signal("duplicate_paragraph_characters", _RATIO, "ratio", "their characters / characters of lines", GOPHER,
           _TWO, 7 / 19),
    *(
        Signal(f"top_{k}_gram", _RATIO, "ratio", f"unit characters in the most frequent {k}-gram, if it occurs twice",
               GOPHER, _GRAMS, 2 * k / 11)
        for k in TOP_SIZES
    ),
    *(
        Signal(f"duplicate_{k}_gram", _RATIO, "ratio", f"unit characters inside {k}-grams that occur more than once, "
               "none counted twice", GOPHER, _GRAMS, 10 / 11 if k == 5 else 0, 2)
        for k in DUPLICATE_SIZES
    ),
    *(
        Signal(f"duplicate_{k}_gram_later", _RATIO, "ratio", f"unit characters in {k}-grams met before, walking "
               "through the text and jumping over each", "datatrove's variant of Gopher's (FineWeb and FineWeb-2)",
               _GRAMS, 5 / 11 if k == 5 else 0)
        for k in DUPLICATE_SIZES
    ),
    Signal("terminal_line_ratio", _RATIO, "ratio", "lines that end in a sentence-ending mark / lines", FINEWEB,
           "Title\nIt ends here.”", 1 / 2),
    Signal("short_line_ratio", _RATIO, "ratio", "lines of at most 30 characters / lines", FINEWEB, _LIST, 1),
    Signal("newline_word_ratio", _RATIO, "ratio", "line ends / words", FINEWEB, _TWO, 4 / 5, version=2),
    Signal("digit_ratio", _RATIO, "ratio", "digits / characters", OURS, "in 1999", 4 / 7),
    Signal("punctuation_ratio", _RATIO, "ratio", "punctuation and symbols / characters", OURS, _CATS, 2 / 21),
    Signal("upper_ratio", _RATIO, "ratio", "upper-case letters / letters", OURS, _CATS, 2 / 16),
    Signal("space_ratio", _RATIO, "ratio", "white space / characters", OURS, _CATS, 3 / 21),
    Signal("letter_ratio", _RATIO, "ratio", "letters / characters", OURS, _CATS, 16 / 21),
    Signal("line_length_mean", _RATIO, "code points", "characters of lines / lines", STACK, _TWICE, 18 / 3),
    Signal("line_length_max", _COUNT, "code points", "longest line", STACK, _TWICE, 10),
    Signal("long_lines", _COUNT, "lines", "lines of at least 200 characters", MC4, _LONG + "\nshort", 1),
    Signal("curly_brackets", _COUNT, "characters", "'{' and '}'", C4, "if (x) { y; }", 2),
    Signal("longest_unit", _COUNT, "code points", "longest unit", C4, _CATS, 5),
    Signal("c4_sentences", _COUNT, "sentences", "sentences in the lines C4 keeps, of at least 5 words", C4,
           "Too short.\nThis line has five words. Good.", 2, version=2),
    Signal("c4_sentences_short_lines", _COUNT, "sentences", "the same with lines of at least 3 words", "datatrove's C4",
           "It is short.\nThis line has five words. Good.", 3, version=2),
    Signal("c4_line_characters", _RATIO, "ratio", "characters of the lines C4 keeps / of all lines", C4,
           "Too short.\nThis line has five words. Good.", 31 / 41, version=2),
    Signal("line_words_mean", _RATIO, "words", "words of a line, mean over lines", REDPAJAMA, _TWICE, 4 / 3, version=2),
    Signal("line_digit_ratio_mean", _RATIO, "ratio", "digits / characters of a line, mean over lines", REDPAJAMA,
           "12\nab", 1 / 2),
    Signal("line_upper_ratio_mean", _RATIO, "ratio", "upper case / characters of a line, mean over lines", REDPAJAMA,
           "AB\nab", 1 / 2),
    Signal("all_capital_unit_ratio", _RATIO, "ratio", "units all of whose letters are capitals / units", REDPAJAMA,
           "NATO met in Rome", 1 / 4),
    Signal("capital_unit_ratio", _RATIO, "ratio", "units that begin with a capital / units",
           "datatrove, word statistics", "NATO met in Rome", 2 / 4),
    Signal("stop_word_ratio", _RATIO, "ratio", "stop words / units", REDPAJAMA, "the end of the day", 3 / 5),
    Signal("unique_unit_ratio", _RATIO, "ratio", "different units / units", REDPAJAMA, _GRAMS, 6 / 11),
    Signal("unit_entropy", _RATIO, "nats", "entropy of the distribution of units", REDPAJAMA, "x y", 0.693147),
    Signal("character_entropy", _RATIO, "bits", "entropy of the distribution of code points", OURS, "abab", 1),
    Signal("compression_ratio", _RATIO, "ratio", "bytes after zstd level -1 / bytes", OURS, "a" * 1000, 0.018),
    Signal("url_ratio", _RATIO, "ratio", "characters of URLs / characters", NEMO, _WEB, 13 / 28),
    Signal("markup_ratio", _RATIO, "ratio", "characters of tags and entities / characters", OURS, _WEB, 7 / 28),
    Signal("table_line_ratio", _RATIO, "ratio", "lines with two or more inner bars or tabs / lines", OURS,
           "| a | b |\n| 1 | 2 |\nTwo rows.", 2 / 3),
    Signal("list_line_ratio", _RATIO, "ratio", "lines that start with a bullet or a number / lines", OURS,
           "1. milk\n2. eggs\n• bread\nDone.", 3 / 4),
    Signal("bad_words", _COUNT, "words", "words and phrases of the recipe's lists; 0 without one", REDPAJAMA, _CATS, 0),
    Signal("bad_word_ratio", _RATIO, "ratio", "such words / units", REDPAJAMA, _CATS, 0),
    Signal("madlad_sentences", _COUNT, "sentences", "sentences, unfinished lines among them", MADLAD, _TWICE, 3),
    Signal("madlad_list_case", _RATIO, "ratio", "sentences of 12 words and more, half of them with a capital", MADLAD,
           "Red Blue Green Pink Grey Gold Black White Brown and some more", 1),
    Signal("madlad_length", _RATIO, "ratio", "sentences of fewer than 20 or more than 500 characters", MADLAD, _CATS,
           1),
    Signal("madlad_technical", _RATIO, "ratio", "sentences with over 20 % of [0-9{}+/()>]", MADLAD, "1/2 (3) {x}", 1),
    Signal("madlad_phrase", _RATIO, "ratio", "sentences with a phrase of their list", MADLAD,
           "Download it here. Cats sleep all day long.", 1 / 2),
    Signal("madlad_questionable", _RATIO, "ratio", "sentences that break one of these four rules", MADLAD,
           "Download it here. Cats sleep all day long.", 1 / 2),
    *(
        Signal(f"hplt_{name}", _RATIO, "score", definition, HPLT, example, value)
        for name, definition, example, value in (
            ("numbers", "1 to 0 for more digits to word characters than usual", "in 1999 and 2001", 0),
            ("punctuation", "1 to 0 for more or less punctuation than usual", _CATS, 0.632759),
            ("singular", "1 to 0 for more symbols than usual", "a = b + c", 0),
            ("urls", "1 to 0 for more URLs to segments that are not short", _WEB, 0),
            ("repeated", "share of segments that are not repeated, short ones aside", "\n".join([_LONG] * 4), 1 / 4),
            ("penalty", "weighted product of the five scores above, the lowest weighing most", _LONG, 0),
            ("long_segments", "segments of 250 word characters and more (in Spanish), of ten", _LONG, 1 / 10),
            ("great_segments", "length of segments of 625 to 1000 word characters (in Spanish)", _LONG * 3, 0.653333),
        )
    ),
    *(
        Signal(f"{category}_line_ratio", _RATIO, "ratio", f"lines with a {category.replace('_', ' ')} phrase / lines",
               OURS, example, 1 / 2)
        for category, example in (
            (category, f"Hello.\n{phrases.example(category)}") for category in phrases.categories()
        )
    ),
)  # fmt: skip

NAMES = tuple(signal.name for signal in SIGNALS)
SCHEMA = pa.schema(
    pa.field(s.name, pa.type_for_alias(s.dtype), nullable=False, metadata={"version": str(s.version)}) for s in SIGNALS
)
