"""Lines in one language: what the pages of the gold set are mostly made of, and must not be flagged."""

from __future__ import annotations

from random import Random

from .ingredients import Ingredients, Line

UNSPACED = {"zh", "ja"}
"""Languages whose sentences follow each other without a space."""

QUOTES = {
    "de": ("„", "“"), "cs": ("„", "“"), "pl": ("„", "”"), "fr": ("« ", " »"), "ja": ("「", "」"),
    "ru": ("«", "»"), "ar": ("«", "»"), "fa": ("«", "»"), "es": ("«", "»"), "it": ("«", "»"),
}  # fmt: skip
"""Opening and closing quotation marks where they are not “ ” or straight ones."""

NAMES = ("anna_k", "Marco", "user42", "Lea", "tomi", "K. Novak", "Sam", "mira.b", "guest", "Ines", "old_timer", "R2")
FILES = ("photo_0412.jpg", "minutes-2023.docx", "setup.exe", "archive.tar.gz", "IMG_20210503.png", "data/table_3.csv")
CODE = (
    "x = [a ** 2 for a in values if a > 0]",
    "if (n == 0) return 1;",
    "SELECT id, name FROM members WHERE year > 1999;",
    '<p class="note">&nbsp;</p>',
    "sudo apt-get install -y python3",
    "a² + b² = c²",
    "f(x) = 3x² − 2x + 1",
)
HOSTS = ("forum.example", "www.stadt.example", "blog.example.org", "cdn.pages.example")


def quoted(rng: Random, language: str, inner: Line) -> Line:
    """A line between quotation marks, the language's own two times of three."""
    opening, closing = QUOTES.get(language, ("“", "”")) if rng.random() < 0.67 else ('"', '"')
    return [(opening, None), *inner, (closing, None)]


def joined(language: str, sentences: list[str]) -> str:
    return ("" if language in UNSPACED else " ").join(sentences)


def draw(rng: Random, items: list[str], count: int) -> list[str]:
    """Takes up to `count` items out of a list, in random order."""
    drawn = rng.sample(items, min(count, len(items)))
    for item in drawn:
        items.remove(item)
    return drawn


def plain(texts: list[str], language: str | None = None) -> list[Line]:
    return [[(text, language)] for text in texts]


def prose(pantry: Ingredients, rng: Random, language: str, count: int) -> list[str]:
    """At most `count` lines of running text: articles in order, a story, or everyday sentences in paragraphs.

    Two or three of these where the first drawn is short, one time of three.
    """
    kinds = [articles, everyday] + [story] * 2 * bool(pantry.stories.get(language))
    lines: list[str] = []
    for _ in range(3 if rng.random() < 0.33 else 1):
        if len(lines) < count:
            lines += rng.choice(kinds)(pantry, rng, language, count - len(lines))
    return lines or articles(pantry, rng, language, count)


def story(pantry: Ingredients, rng: Random, language: str, count: int) -> list[str]:
    """The first lines of one of the demo corpus's own texts."""
    stories = pantry.stories[language]
    return stories.pop(rng.randrange(len(stories)))[:count] if stories else []


def articles(pantry: Ingredients, rng: Random, language: str, count: int) -> list[str]:
    """Consecutive articles of those left, at most `count` lines in all."""
    left = pantry.articles[language]
    start = rng.randrange(max(1, len(left) - 2))
    lines: list[str] = []
    for number in sorted(left)[start:]:
        if len(lines) < count:
            lines += left.pop(number)
    return lines[:count]


def everyday(pantry: Ingredients, rng: Random, language: str, count: int) -> list[str]:
    """Everyday sentences, each once, one to three a paragraph."""
    sentences = draw(rng, pantry.section(language, "sentence"), 2 * count)
    paragraphs = []
    while sentences:
        size = rng.randint(1, 3)
        paragraphs.append(joined(language, sentences[:size]))
        sentences = sentences[size:]
    return paragraphs[:count]


def furnishing(rng: Random) -> str:
    """A line of no language: an address, a file, a date, code, a formula."""
    host = rng.choice(HOSTS)
    return rng.choice([
        f"https://{host}/{rng.randint(2009, 2024)}/{rng.randint(1, 12):02}/p{rng.randint(100, 9999)}.html",
        f"{rng.choice(NAMES).lower().replace(' ', '')}@{host}",
        f"{rng.choice(FILES)} ({rng.randint(12, 980)} kB)",
        f"{rng.randint(2001, 2024)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:15",
        rng.choice(CODE),
        "* * *",
        f"{rng.randint(1, 99)},{rng.randint(10, 99)} + {rng.randint(1, 99)}.00 = {rng.randint(100, 199)} %",
    ])  # fmt: skip


def marked_list(rng: Random, texts: list[str]) -> list[str]:
    """Texts as a list: with dashes, bullets or numbers."""
    style = rng.choice(("- {1}", "• {1}", "* {1}", "{0}. {1}", "{0}) {1}"))
    return [style.format(number, text) for number, text in enumerate(texts, 1)]


def own_lines(pantry: Ingredients, rng: Random, language: str) -> list[str]:
    """A few lines that look mixed and are not: brand names, commands, addresses, own quotations and furniture."""
    clean = draw(rng, pantry.section(language, "clean"), rng.randint(2, 4))
    lines = marked_list(rng, clean) if rng.random() < 0.4 else clean
    for _ in range(rng.randint(0, 2)):
        lines.insert(rng.randrange(len(lines) + 1), furnishing(rng))
    if rng.random() < 0.3:
        said = quoted(rng, language, [(text, None) for text in draw(rng, pantry.section(language, "sentence"), 1)])
        lines += [*draw(rng, pantry.section(language, "introduce"), 1), "".join(text for text, _ in said)]
    if rng.random() < 0.3:
        lines += draw(rng, pantry.section(language, "furniture"), rng.randint(2, 6))
    return lines


def monolingual(pantry: Ingredients, rng: Random, language: str) -> list[Line]:
    """A clean page, or a clean conversation, of 8 lines or more."""
    if rng.random() < 0.2:
        said = draw(rng, pantry.section(language, "sentence") + pantry.section(language, "phrases"), 12)
        lines = [f"{rng.choice(NAMES)}: {text}" for text in said] + draw(rng, pantry.section(language, "clean"), 2)
    else:
        lines = prose(pantry, rng, language, rng.randint(3, 14))
        place = rng.randrange(len(lines) + 1)
        lines[place:place] = own_lines(pantry, rng, language)
    while len(lines) < 8 and pantry.articles[language]:
        lines += articles(pantry, rng, language, 8 - len(lines))
    return plain([*draw(rng, pantry.section(language, "title"), 1), *lines])
