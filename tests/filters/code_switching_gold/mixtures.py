"""The mixtures of the gold set: each function makes the lines of one kind of mixture in one of several shapes.

All take the split's ingredients, a seeded generator, the main and the other language, and return lines whose
segments in the other language are labelled with it.
"""

from __future__ import annotations

from random import Random

from .ingredients import Ingredients, Line
from .prose import NAMES, UNSPACED, articles, draw, everyday, furnishing, joined, plain, prose, quoted, story


def parallel(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """Translations side by side."""
    shape = rng.choice(("paragraphs", "blocks", "one line", "numbered", "phrases"))
    phrases = list(zip(pantry.section(main, "phrases"), pantry.section(other, "phrases"), strict=False))
    if shape == "phrases" and phrases:
        pairs = rng.sample(phrases, rng.randint(4, len(phrases)))
    else:
        pairs = _translated_lines(pantry, rng, main, other)
    if shape == "blocks":
        between = plain([furnishing(rng)]) if rng.random() < 0.5 else []
        return [*plain([own for own, _ in pairs]), *between, *plain([foreign for _, foreign in pairs], other)]
    if shape in ("one line", "phrases"):
        mark = rng.choice((" / ", " | ", " – ", "\t", " // "))
        return [[(own, None), (mark, None), (foreign, other)] for own, foreign in pairs]
    lines: list[Line] = []
    for number, (own, foreign) in enumerate(pairs, 1):
        label = f"{number}. " if shape == "numbered" else ""
        lines += [[(label + own, None)], [(" " * len(label), None), (foreign, other)]]
    return lines


def _translated_lines(pantry: Ingredients, rng: Random, main: str, other: str) -> list[tuple[str, str]]:
    """Lines of four to nine consecutive articles; the preamble, whose lines differ in number, is left out."""
    own, foreign = pantry.articles[main], pantry.articles[other]
    numbers = sorted(set(own) - {0})
    start = rng.randrange(len(numbers) - 4)
    return [
        pair
        for number in numbers[start : start + rng.randint(4, 9)]
        for pair in zip(own.pop(number), foreign.pop(number), strict=True)
    ]


def code_switched(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """Running text that changes language inside sentences, or from sentence to sentence, without translating."""
    written = pantry.switched.get((main, other), [])
    if not written or (len(written) > 8 and rng.random() < 0.15):
        return _alternating(pantry, rng, main, other)
    said = rng.sample(written, rng.randint(min(5, len(written)), len(written)))
    shape = rng.choice(("chat", "paragraphs", "comments", "among plain sentences"))
    if shape == "chat":
        hour, names = rng.randint(6, 21), draw(rng, list(NAMES), 3)
        chat = enumerate(said, rng.randint(0, 30))
        return [[(f"[{hour}:{minute:02}] {rng.choice(names)}: ", None), *line] for minute, line in chat]
    if shape == "comments":
        return [line for comment in said for line in (_signed(rng), comment)]
    own: list[Line] = plain(draw(rng, pantry.section(main, "sentence"), 5)) if shape == "among plain sentences" else []
    return _paragraphs(rng, main, rng.sample(said + own, len(said + own)))


def _signed(rng: Random) -> Line:
    return [(f"{rng.choice(NAMES)}, {rng.randint(1, 28)}.{rng.randint(1, 12)}.{rng.randint(2010, 2024)}", None)]


def _alternating(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """Sentences by turns in one language and the other; of two that translate each other, one is used."""
    own: list[Line] = []
    foreign: list[Line] = []
    for name in ("sentence", "phrases"):
        pairs = list(zip(pantry.section(main, name), pantry.section(other, name), strict=False))
        for place, (in_own, in_foreign) in enumerate(rng.sample(pairs, len(pairs))):
            (foreign if place % 2 else own).append([(in_foreign, other) if place % 2 else (in_own, None)])
    sentences = [line for pair in zip(own, foreign, strict=False) for line in pair]
    return _paragraphs(rng, main, sentences[: 2 * rng.randint(3, len(foreign))])


def _paragraphs(rng: Random, main: str, sentences: list[Line]) -> list[Line]:
    """Sentences joined into paragraphs of one to four."""
    paragraphs: list[Line] = []
    while sentences:
        size = rng.randint(1, 4)
        paragraph: Line = []
        for sentence in sentences[:size]:
            paragraph += ([(joined(main, ["", ""]), None)] if paragraph else []) + sentence
        paragraphs.append(paragraph)
        sentences = sentences[size:]
    return paragraphs


def foreign_boilerplate(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """A page inside another language's page furniture: above, below, or after every paragraph."""
    items = draw(rng, pantry.section(other, "furniture"), rng.randint(3, 10))
    short = [item for item in items if len(item) < 28]
    text = prose(pantry, rng, main, rng.randint(4, 12))
    shape = rng.choice(("above", "below", "around", "after every paragraph"))
    if shape == "after every paragraph" and short:
        repeated = short[: rng.randint(1, 2)]
        return [line for row in plain(text) for line in (row, *plain([rng.choice(repeated)], other))]
    menu = _furniture_lines(rng, items, short, other)
    middle = {"above": len(menu), "below": 0}.get(shape, len(menu) // 2)
    return [*menu[:middle], *plain(text), *menu[middle:]]


def _furniture_lines(rng: Random, items: list[str], short: list[str], other: str) -> list[Line]:
    """One item a line; or the short ones as a menu on one line."""
    if len(short) < 2 or rng.random() < 0.5:
        return plain(items, other)
    between = rng.choice((" | ", " · ", " » ", "  "))
    menu: Line = [(short[0], other)]
    for item in short[1:]:
        menu += [(between, None), (item, other)]
    return [menu, *plain([item for item in items if item not in short], other)]


def quotation(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """A page that quotes one to three passages: within a paragraph, after an introduction, or as a block."""
    lines: list[Line] = plain(prose(pantry, rng, main, rng.randint(5, 14)))
    passages = draw(rng, _quotable(pantry, rng, other), rng.randint(1, 3))
    introductions = draw(rng, pantry.section(main, "introduce"), len(passages))
    for passage, introduction in zip(passages, introductions, strict=True):
        place = rng.randrange(1, len(lines) + 1)
        lines[place:place] = _quoted_lines(pantry, rng, main, introduction, (passage, other))
    return lines


def _quotable(pantry: Ingredients, rng: Random, other: str) -> list[str]:
    lines = [*pantry.section(other, "sentence"), *articles(pantry, rng, other, 3)]
    stories = pantry.stories.get(other)
    return lines + (rng.choice(stories)[:1] if stories else [])


def _quoted_lines(
    pantry: Ingredients, rng: Random, main: str, introduction: str, passage: tuple[str, str | None]
) -> list[Line]:
    space = "" if main in UNSPACED else " "
    quote = quoted(rng, main, [passage])
    shape = rng.choice(("on the line", "next line", "block", "within"))
    if shape == "on the line":
        return [[(introduction + space, None), *quote]]
    if shape == "next line":
        return [[(introduction, None)], quote]
    if shape == "block":
        return [[(introduction, None)], [(rng.choice(("> ", "    ", "| ")), None), passage]]
    before, after = (draw(rng, pantry.section(main, "sentence"), 1) for _ in range(2))
    return [[(space.join([*before, introduction, ""]), None), *quote, (space.join(["", *after]), None)]]


def learning_material(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """A vocabulary list, dictionary, phrase book, grammar lesson or set of exercises."""
    words = list(zip(pantry.section(main, "words"), pantry.section(other, "words"), strict=True))
    phrases = list(zip(pantry.section(main, "phrases"), pantry.section(other, "phrases"), strict=False))
    words, phrases = rng.sample(words, rng.randint(6, 12)), rng.sample(phrases, len(phrases))
    makers = [_vocabulary, _dictionary, _phrase_book, _lesson, _exercise]
    lines = plain([item for item in pantry.section(main, "lesson") if "{" not in item][: rng.randint(0, 2)])
    for make in rng.sample(makers, rng.randint(1, 2)):
        lines += make(pantry, rng, main, other, words if make in (_vocabulary, _dictionary) else phrases)
    return lines


Translations = list[tuple[str, str]]


def _vocabulary(pantry: Ingredients, rng: Random, main: str, other: str, words: Translations) -> list[Line]:
    between = rng.choice((" – ", " = ", ": ", "\t", " | ", " → "))
    if rng.random() < 0.5:
        return [[(foreign, other), (between, None), (own, None)] for own, foreign in words]
    return [[(own, None), (between, None), (foreign, other)] for own, foreign in words]


def _dictionary(pantry: Ingredients, rng: Random, main: str, other: str, words: Translations) -> list[Line]:
    examples = draw(rng, pantry.section(other, "sentence"), len(words))
    lines: list[Line] = []
    for number, (own, foreign) in enumerate(words):
        example: Line = [("; ", None), (examples[number], other)] if number % 2 and number < len(examples) else []
        lines.append([(foreign, other), (f" ({rng.randint(1, 3)}) {own}", None), *example])
    return lines


def _phrase_book(pantry: Ingredients, rng: Random, main: str, other: str, phrases: Translations) -> list[Line]:
    lines: list[Line] = []
    for own, foreign in phrases:
        lines += [[(own, None)], [("   ", None), (foreign, other)]]
    return lines


def _lesson(pantry: Ingredients, rng: Random, main: str, other: str, phrases: Translations) -> list[Line]:
    """Explanations in the main language around what is taught."""
    patterns = [item for item in pantry.section(main, "lesson") if "{" in item]
    lines: list[Line] = []
    for own, foreign in phrases:
        before, after = rng.choice(patterns).replace("{own}", own.rstrip(" .。।?？؟")).split("{foreign}")
        lines.append([(before, None), (foreign, other), (after, None)])
    return [*lines, *plain(everyday(pantry, rng, main, 2))]


def _exercise(pantry: Ingredients, rng: Random, main: str, other: str, phrases: Translations) -> list[Line]:
    """Questions with three answers to choose from."""
    lines: list[Line] = []
    for number, (own, foreign) in enumerate(phrases[:6], 1):
        wrong = rng.sample([text for _, text in phrases if text != foreign], 2)
        lines.append([(f"{number}. {own}", None)])
        answers = rng.sample([foreign, *wrong], 3)
        lines += [[(f"   {letter}) ", None), (text, other)] for letter, text in zip("abc", answers, strict=True)]
    return lines


def miscellaneous(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """Unrelated blocks, a list of languages, or a forum where posts are in several languages."""
    shape = rng.choice(("blocks", "blocks", "languages", "forum"))
    if shape == "languages" and other in pantry.endonyms:
        return _language_list(pantry, rng, main, other)
    if shape == "forum":
        return _forum(pantry, rng, main, other)
    own = prose(pantry, rng, main, rng.randint(3, 8))
    foreign = _passage(pantry, rng, other, rng.randint(3, 8))
    while len(foreign) > 1 and sum(map(len, foreign)) > sum(map(len, own)):
        foreign.pop()
    blocks = [plain(own[: len(own) // 2 + 1]), plain(foreign, other), plain(own[len(own) // 2 + 1 :])]
    return [line for block in blocks for line in block]


def _passage(pantry: Ingredients, rng: Random, language: str, count: int) -> list[str]:
    """Whole lines of the ingredients: sentences, a story, or articles."""
    chosen = rng.choice(("sentences", "story", "articles"))
    if chosen == "sentences":
        return draw(rng, pantry.section(language, "sentence"), count)
    if chosen == "story" and pantry.stories.get(language):
        return story(pantry, rng, language, count)
    return articles(pantry, rng, language, count)


def _language_list(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """A page with a list of languages in themselves, the other language among them, above or below."""
    further = sorted(set(pantry.endonyms) - {other})
    codes = [other, *rng.sample(further, rng.randint(5, len(further)))]
    rng.shuffle(codes)
    names = [(pantry.endonyms[code], None if code == main else code) for code in codes]
    text = plain(prose(pantry, rng, main, rng.randint(6, 12)))
    if rng.random() < 0.5:
        listed: list[Line] = [[name] for name in names]
    else:
        between = rng.choice((" | ", " · ", ", ", " "))
        listed = [[segment for name in names for segment in (name, (between, None))][:-1]]
    place = rng.choice((0, len(text)))
    return text[:place] + listed + text[place:]


def _forum(pantry: Ingredients, rng: Random, main: str, other: str) -> list[Line]:
    """Half the posts in the main language, the rest in the other and in up to two more."""
    more = rng.sample(sorted(set(pantry.stories) - {main, other}), rng.randint(0, 2))
    lines: list[Line] = []
    for language in rng.sample([main] * 4 + [other] * 2 + more, 6 + len(more)):
        left = pantry.section(language, "sentence") or pantry.section(language, "phrases")
        post = draw(rng, left, rng.randint(1, 3))
        lines += [_signed(rng)] * bool(post)
        lines += plain(post, None if language == main else language)
    return lines
