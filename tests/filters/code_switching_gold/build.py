"""The gold set for mixtures of languages: `documents()` builds it from the ingredients beside this file.

A pure function of the ingredients: every document has its own generator, seeded by its id.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .ingredients import HERE, SPLITS, Ingredients, Line, ingredients
from .mixtures import code_switched, foreign_boilerplate, learning_material, miscellaneous, parallel, quotation
from .prose import draw, furnishing, monolingual, own_lines, plain, prose

LANGUAGES = tuple(sorted(path.stem for path in (HERE / "languages").glob("*.txt")))

DIFFERENT_SCRIPTS = "zh-en ja-en ko-en ru-en ar-en hi-en th-en bn-en ar-fr ru-de zh-ja"
SAME_SCRIPT = "de-en fr-en es-en id-en tl-en ms-en vi-en it-en pt-en pt-es cs-de cs-pl fa-ar nl-de tr-de"
FURTHER = "he-en ur-en fa-en lo-en my-en km-en ceb-en pl-en nl-en"


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((main, other) for main, other in (pair.split("-") for pair in text.split()))


PAIRS = _pairs(f"{DIFFERENT_SCRIPTS} {SAME_SCRIPT}")
"""(main, other) in code-switching; the other kinds have documents in both directions."""

FURTHER_PAIRS = _pairs(FURTHER)
"""Pairs with some kinds only: English around or beside languages that have fewer ingredients."""

MIXTURES: tuple[Callable[[Ingredients, Random, str, str], list[Line]], ...] = (
    parallel,
    code_switched,
    foreign_boilerplate,
    quotation,
    learning_material,
    miscellaneous,
)
FURTHER_MIXTURES = (parallel, foreign_boilerplate, quotation, miscellaneous)

EACH = 3
"""Documents of a pair, kind and split (two for the further pairs)."""
CLEAN_EACH = 6
"""Monolingual documents of a language and split."""

SMALLEST, LARGEST = 8, 60
"""Lines of a document."""


def documents() -> list[dict[str, Any]]:
    """All documents: `id`, `language`, `other` (None: monolingual), `kind`, `split`, `text`, and `spans`, a list of
    [start, stop, language] in bytes of the text in UTF-8, in order and without overlap."""
    return [document for split in SPLITS for document in [*_clean(ingredients(split)), *_mixed(ingredients(split))]]


def _clean(pantry: Ingredients) -> list[dict[str, Any]]:
    made = []
    for language in LANGUAGES:
        for number in range(CLEAN_EACH):
            name = f"{pantry.split}-monolingual-{language}-{number}"
            lines = monolingual(pantry.for_one_page(), Random(name), language)
            made.append(_document(name, pantry.split, "monolingual", language, None, lines))
    return made


def _mixed(pantry: Ingredients) -> list[dict[str, Any]]:
    plans = [(pair, kind, EACH) for pair in PAIRS for kind in MIXTURES]
    plans += [(pair, kind, EACH - 1) for pair in FURTHER_PAIRS for kind in FURTHER_MIXTURES]
    plans += [(pair, code_switched, EACH - 1) for pair in FURTHER_PAIRS if pair in pantry.switched]
    made = []
    for (main, other), kind, each in plans:
        for number in range(each):
            name = f"{pantry.split}-{kind.__name__}-{main}-{other}-{number}"
            turned = number % 2 == 1 and _turns(pantry, kind.__name__, main, other)
            made.append(_mixture(pantry, name, kind, *((other, main) if turned else (main, other))))
    return made


def _turns(pantry: Ingredients, kind: str, main: str, other: str) -> bool:
    """Whether the kind can be made with the languages exchanged: hand-written lines and furniture may be missing."""
    if kind == "code_switched":
        return (main, other) not in pantry.switched
    return kind != "foreign_boilerplate" or bool(pantry.section(main, "furniture"))


def _mixture(
    pantry: Ingredients, name: str, kind: Callable[[Ingredients, Random, str, str], list[Line]], main: str, other: str
) -> dict[str, Any]:
    rng, page = Random(name), pantry.for_one_page()
    lines = _page(page, rng, main, kind(page, rng, main, other))
    return _document(name, pantry.split, kind.__name__, main, other, lines)


def _page(pantry: Ingredients, rng: Random, main: str, lines: list[Line]) -> list[Line]:
    """The mixture as part of a page: a heading, running text before or after it, and lines that only look mixed."""
    lines = lines[: LARGEST - 14]
    before = plain(prose(pantry, rng, main, rng.randint(1, 6))) if rng.random() < 0.5 else []
    after = plain(prose(pantry, rng, main, rng.randint(1, 5))) if rng.random() < 0.4 else []
    looks_mixed = plain(own_lines(pantry, rng, main)[:2]) if rng.random() < 0.4 else []
    title = plain(draw(rng, pantry.section(main, "title"), 1)) if rng.random() < 0.7 else []
    dated = plain([furnishing(rng)]) if rng.random() < 0.3 else []
    page = [*title, *dated, *before, *lines, *looks_mixed, *after]
    while len(page) < SMALLEST and pantry.articles[main]:
        page += plain(prose(pantry, rng, main, SMALLEST - len(page)))
    return page


def _document(name: str, split: str, kind: str, main: str, other: str | None, lines: list[Line]) -> dict[str, Any]:
    text, spans, at = "", [], 0
    for number, line in enumerate(lines):
        for piece, language in ([("\n", None)] if number else []) + line:
            size = len(piece.encode("utf-8"))
            if language is not None:
                spans.append([at, at + size, language])
            text, at = text + piece, at + size
    return {"id": name, "language": main, "other": other, "kind": kind, "split": split, "text": text, "spans": spans}
