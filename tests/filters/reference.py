"""Gopher's, C4's and FineWeb's values, and the plain counts, straight from their published definitions.

Plain Python over strings, one document at a time: what the signals must equal. Words and sentences are those of
`tests.oracles`.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import yaml

from curation.languages import LANGUAGES
from filters import phrases
from tests.oracles import Document, ends_sentence, letter_class, line_key, lower, sentences, strip, units

BOILERPLATE = yaml.safe_load(phrases.FILE.read_text(encoding="utf-8"))


def ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def repeated(keys: list[str], lengths: list[int]) -> tuple[int, int]:
    """Number and characters of the items that an earlier item equals."""
    seen: Counter[str] = Counter()
    count = characters = 0
    for key, length in zip(keys, lengths, strict=True):
        if seen[key]:
            count, characters = count + 1, characters + length
        seen[key] += 1
    return count, characters


def words_in(found: list[str], language: str) -> float:
    """Words that units stand for: each of a script with spaces is one, others are divided by the language's number."""
    unspaced = sum(letter_class(unit[0]) not in "LD" for unit in found)
    per_word = LANGUAGES[language].units_per_word if language in LANGUAGES else 1.0
    return len(found) - unspaced + unspaced / per_word


def counted(text: str, language: str) -> dict[str, float]:
    """The counted signals by their definitions in `SIGNALS`."""
    document = Document(text)
    counts = document.counts()
    words = words_in(document.units, language)
    lines = repeated([line_key(line) for line in document.lines], [len(line) for line in document.lines])
    paragraphs = repeated(
        ["\n".join(map(line_key, paragraph)) for paragraph in document.paragraphs],
        [sum(map(len, paragraph)) for paragraph in document.paragraphs],
    )
    return {
        "characters": counts["characters"],
        "units": counts["units"],
        "words": words,
        "mean_unit_length": ratio(counts["unit_characters"], counts["units"]),
        "hash_ratio": ratio(counts["hashes"], words),
        "ellipsis_ratio": ratio(counts["ellipses"], words),
        "letter_token_ratio": ratio(counts["letter_tokens"], counts["tokens"]),
        "bullet_line_ratio": ratio(counts["bullet_lines"], counts["lines"]),
        "ellipsis_line_ratio": ratio(counts["ellipsis_lines"], counts["lines"]),
        "lines": counts["lines"],
        "paragraphs": counts["paragraphs"],
        "duplicate_line_ratio": ratio(lines[0], counts["lines"]),
        "duplicate_line_characters": ratio(lines[1], counts["line_characters"]),
        "duplicate_paragraph_ratio": ratio(paragraphs[0], counts["paragraphs"]),
        "duplicate_paragraph_characters": ratio(paragraphs[1], counts["line_characters"]),
        "terminal_line_ratio": ratio(counts["terminal_lines"], counts["lines"]),
        "short_line_ratio": ratio(counts["short_lines"], counts["lines"]),
        "newline_word_ratio": ratio(counts["newlines"], words),
        "digit_ratio": ratio(counts["digits"], counts["characters"]),
        "punctuation_ratio": ratio(counts["punctuation"] + counts["symbols"], counts["characters"]),
        "upper_ratio": ratio(counts["upper"], counts["letters"]),
        "space_ratio": ratio(counts["spaces"], counts["characters"]),
        "letter_ratio": ratio(counts["letters"], counts["characters"]),
        "line_length_mean": ratio(counts["line_characters"], counts["lines"]),
        "line_length_max": max(map(len, document.lines), default=0),
        "curly_brackets": text.count("{") + text.count("}"),
        "longest_unit": max(map(len, document.units), default=0),
        "sentences": counts["sentences"],
        "long_lines": sum(len(line) >= 200 for line in document.lines),
        "all_capital_unit_ratio": ratio(counts["all_capital_units"], counts["units"]),
        "capital_unit_ratio": ratio(counts["capital_units"], counts["units"]),
        "url_ratio": ratio(counts["url_characters"], counts["characters"]),
        "markup_ratio": ratio(counts["markup_characters"], counts["characters"]),
        "table_line_ratio": ratio(counts["table_lines"], counts["lines"]),
        "list_line_ratio": ratio(counts["list_lines"], counts["lines"]),
    }


def top(units: list[str], size: int) -> float:
    """Characters of the most frequent n-gram (the longest such) that occurs twice, over those of all units."""
    grams = Counter(tuple(map(lower, units[i : i + size])) for i in range(len(units) - size + 1))
    most = max(grams.values(), default=0)
    if most < 2:
        return 0.0
    total = sum(map(len, units))
    return min(total, max(sum(map(len, gram)) * most for gram, n in grams.items() if n == most)) / total


def duplicate(units: list[str], size: int) -> float:
    """Characters of all n-grams that occur more than once, none counted twice, over the characters of all units."""
    grams = [tuple(map(lower, units[i : i + size])) for i in range(len(units) - size + 1)]
    often = {gram for gram, count in Counter(grams).items() if count > 1}
    inside = {j for i, gram in enumerate(grams) if gram in often for j in range(i, i + size)}
    return sum(len(units[j]) for j in inside) / max(1, sum(map(len, units)))


def duplicate_later(units: list[str], size: int) -> float:
    """Characters of n-grams seen before, jumping over each, over the characters of all units."""
    seen: set[tuple[str, ...]] = set()
    repeated = i = 0
    while i <= len(units) - size:
        gram = tuple(map(lower, units[i : i + size]))
        if gram in seen:
            repeated += sum(map(len, units[i : i + size]))
            i += size
        else:
            seen.add(gram)
            i += 1
    return repeated / max(1, sum(map(len, units)))


def contains(words: list[str], phrase: list[str]) -> bool:
    return any(words[i : i + len(phrase)] == phrase for i in range(len(words) - len(phrase) + 1))


@cache
def unwanted_phrases(language: str) -> list[list[str]]:
    """The units of the phrases about JavaScript, cookies and terms, in a language and in every one."""
    return [
        list(map(lower, units(phrase)))
        for category in ("javascript", "policy", "cookie")
        for code in (language, "any")
        for phrase in BOILERPLATE[category].get(code, [])
    ]


def c4(text: str, language: str) -> dict[str, float]:
    """C4's line rules, then what its page rules ask for."""
    unwanted = unwanted_phrases(language)
    found = {"c4_sentences": 0, "c4_sentences_short_lines": 0}
    kept = 0
    lines = [(raw, strip(raw)) for raw in text.split("\n") if strip(raw)]
    for raw, line in lines:
        words = list(map(lower, units(line)))
        count = words_in(units(line), language)
        if not ends_sentence(line) or line.endswith(("...", "…")) or any(contains(words, p) for p in unwanted):
            continue
        for name, least in (("c4_sentences", 5), ("c4_sentences_short_lines", 3)):
            if count >= least:
                found[name] += sentences(raw)
        kept += len(line) * (count >= 5)
    return found | {"c4_line_characters": ratio(kept, sum(len(line) for _, line in lines))}


def gopher_repetition(text: str) -> dict[str, float]:
    """Shares of the most frequent and of duplicate n-grams, in both definitions of the latter."""
    words = Document(text).units
    found = {f"top_{k}_gram": top(words, k) for k in (2, 3, 4)}
    for k in range(5, 11):
        found |= {f"duplicate_{k}_gram": duplicate(words, k), f"duplicate_{k}_gram_later": duplicate_later(words, k)}
    return found


def stop_words(text: str, language: str) -> dict[str, float]:
    """Gopher's stop words, of one unit each in a language that writes spaces."""
    counted = Counter(map(lower, units(text)))
    listed = [lower(word) for word in LANGUAGES[language].stop_words]
    return {
        "stop_words": sum(counted[word] for word in listed),
        "distinct_stop_words": sum(counted[word] > 0 for word in listed),
    }
