"""The gold set's ingredients: files beside this module and the demo corpus, divided between splits that share no text.

Items of a section go to the splits in turn by their position, articles of the declaration and stories likewise; so
items at one position of two languages' `words` and `phrases` are in the same split and translate each other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[2] / "recipes" / "demo"
SPLITS = ("dev", "test")

Segment = tuple[str, str | None]
"""A piece of a line and its language; None for the main language of the page and for what has no language."""
Line = list[Segment]

MARKED = re.compile(r"\[\[(.+?)\]\]")


@dataclass(frozen=True)
class Ingredients:
    """What one split may be built of. Every list keeps the order of its file."""

    split: str
    sections: dict[tuple[str, str], list[str]]
    """Items by language and section of `languages/<language>.txt`."""
    articles: dict[str, dict[int, list[str]]]
    """Lines of the declaration by language and article (0: the preamble)."""
    stories: dict[str, list[list[str]]]
    """Lines of the demo corpus's own texts by language; 16 languages have some."""
    switched: dict[tuple[str, str], list[Line]]
    """Hand-written lines that switch language, by main and other language."""
    endonyms: dict[str, str]
    """Names of languages in themselves."""

    def section(self, language: str, name: str) -> list[str]:
        return self.sections.get((language, name), [])

    def for_one_page(self) -> Ingredients:
        """A copy to draw from until nothing is left, so that no page says the same thing twice."""
        return replace(
            self,
            sections={key: list(items) for key, items in self.sections.items()},
            articles={language: dict(articles) for language, articles in self.articles.items()},
            stories={language: list(stories) for language, stories in self.stories.items()},
        )

    def texts(self, language: str) -> set[str]:
        """Everything of this split that is in a language: what a span of that language can be."""
        texts = {item for (code, _), items in self.sections.items() if code == language for item in items}
        texts.update(line for lines in self.articles[language].values() for line in lines)
        texts.update(line for story in self.stories.get(language, []) for line in story)
        texts.update(
            text for lines in self.switched.values() for line in lines for text, code in line if code == language
        )
        if language in self.endonyms:
            texts.add(self.endonyms[language])
        return texts


@cache
def ingredients(split: str) -> Ingredients:
    """Raises ValueError for a split that is not "dev" or "test"."""
    if split not in SPLITS:
        raise ValueError(f"split {split!r} of the gold set: there are only {', '.join(SPLITS)}")
    which = SPLITS.index(split)
    endonyms = [row.split(" ", 1) for row in (HERE / "endonyms.txt").read_text("utf-8").splitlines()]
    return Ingredients(
        split=split,
        sections={key: items[which::2] for key, items in _sections().items()},
        articles=_articles(which),
        stories={language: stories[which::2] for language, stories in _stories().items()},
        switched=_switched(split),
        endonyms=dict(endonyms[which::2]),
    )


@cache
def _sections() -> dict[tuple[str, str], list[str]]:
    sections: dict[tuple[str, str], list[str]] = {}
    for path in sorted((HERE / "languages").glob("*.txt")):
        name = ""
        for row in path.read_text("utf-8").splitlines():
            if row.startswith("## "):
                name = row.removeprefix("## ")
            else:
                sections.setdefault((path.stem, name), []).extend(row.split("|") if name == "words" else [row])
    return sections


def _articles(which: int) -> dict[str, dict[int, list[str]]]:
    articles: dict[str, dict[int, list[str]]] = {}
    for row in _rows("udhr_parallel.jsonl"):
        if row["article"] % 2 == which:
            articles.setdefault(row["language"], {})[row["article"]] = row["text"].split("\n")
    return articles


@cache
def _stories() -> dict[str, list[list[str]]]:
    stories: dict[str, list[list[str]]] = {}
    for row in _rows("original.jsonl"):
        stories.setdefault(row["language"], []).append(row["text"].split("\n"))
    return stories


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (DEMO / name).read_text("utf-8").splitlines()]


def _switched(split: str) -> dict[tuple[str, str], list[Line]]:
    lines: dict[tuple[str, str], list[Line]] = {}
    for pair, row, owner in _owners():
        if owner == split:
            lines.setdefault(pair, []).append(segments(row, pair[1]))
    return lines


def segments(row: str, other: str) -> Line:
    """A row with the other language's text in double brackets, as segments."""
    parts = MARKED.split(row)
    return [(part, other if place % 2 else None) for place, part in enumerate(parts) if part]


@cache
def _owners() -> list[tuple[tuple[str, str], str, str]]:
    """(main, other), row and split of every hand-written row.

    Rows of different files share phrases ("by the way"): a row goes where its phrases already are, else where its
    file has fewer rows; one whose phrases are in both splits is left out.
    """
    owner: dict[str, str] = {}
    rows: list[tuple[tuple[str, str], str, str]] = []
    for path in sorted((HERE / "code_switched").glob("*.txt")):
        main, other = path.stem.split("-")
        count = dict.fromkeys(SPLITS, 0)
        for row in path.read_text("utf-8").splitlines():
            phrases = MARKED.findall(row)
            claimed = {owner[phrase] for phrase in phrases if phrase in owner}
            if len(claimed) == 2:
                continue
            split = claimed.pop() if claimed else min(SPLITS, key=count.__getitem__)
            owner.update(dict.fromkeys(phrases, split))
            count[split] += 1
            rows.append(((main, other), row, split))
    return rows
