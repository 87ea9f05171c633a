"""Names and meanings of the numbers that the scan finds about documents, lines and sentences."""

from __future__ import annotations

COUNTS = (
    "characters",  # code points
    "letters",  # letters of every script; marks not counted
    "digits",
    "punctuation",
    "symbols",
    "spaces",  # white space, line ends included
    "upper",  # upper- or title-case letters
    "newlines",
    "units",
    "unit_characters",  # code points inside units
    "tokens",  # runs of non-space characters
    "letter_tokens",  # tokens with at least one letter
    "hashes",  # '#' characters
    "ellipses",  # '...' and '…'
    "sentences",  # runs of sentence-ending marks that end one
    "lines",  # lines that are not blank
    "bullet_lines",  # starting with a bullet
    "ellipsis_lines",  # ending in an ellipsis
    "terminal_lines",  # ending in a sentence-ending mark, closing quotes and brackets aside
    "short_lines",  # of at most SHORT_LINE characters
    "line_characters",  # characters of all lines, outer white space aside
    "paragraphs",  # blocks of lines between blank lines
    "curly_brackets",  # '{' and '}'
    "capital_units",  # units whose first letter is upper- or title-case
    "all_capital_units",  # units all of whose letters are upper-case, at least one
    "singular",  # symbols and the ASCII punctuation that running text seldom has: # % & * / @ and the backslash
    "urls",  # 'scheme://...' and 'www....'
    "url_characters",
    "markup_characters",  # inside '<tags>' and '&entities;'
    "table_lines",  # lines with at least TABLE_SEPARATORS inner vertical bars or tabs
    "list_lines",  # lines starting with a bullet, or with a number and a full stop or bracket
    "unspaced_units",  # units of scripts that write no spaces: Han characters, runs of kana, clusters
)
"""Names of the columns of the counts, in the order in which the loop stores them."""
SHORT_LINE = 30
"""FineWeb's short line (Penedo et al. 2024)."""
TABLE_SEPARATORS = 2

LINE_FACTS = (
    "start",  # first byte of the line in its document, outer white space aside
    "stop",  # the byte after its last
    "units",
    "letters",
    "digits",
    "upper",
    "sentences",
    "marks",  # LINE_BULLET | LINE_ELLIPSIS | LINE_TERMINAL | LINE_CURLY | LINE_TABLE | LINE_LIST
    "word_characters",  # characters that are no digit, punctuation, symbol or white space
    "unspaced_units",
)
"""Names of the columns of the line facts, in the order in which the loop stores them."""
LINE_BULLET, LINE_ELLIPSIS, LINE_TERMINAL, LINE_CURLY, LINE_TABLE, LINE_LIST = 1, 2, 4, 8, 16, 32

SENTENCE_FACTS = (
    "start",  # first byte of the sentence in its document, outer white space aside
    "stop",  # the byte after its last
    "characters",
    "units",
    "capital_units",
    "technical",  # characters of MADLAD-400's technical set (Kudugunta et al. 2023, arXiv:2309.04662, section 2.3)
)
"""Names of the columns of the sentence facts. Here a sentence ends after the closing quotes and brackets that follow
its mark, and at every line end, so that headings and list items are sentences too."""
