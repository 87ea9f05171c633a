"""Line rules: policies say them strictly, and the spans they remove leave what plain Python leaves."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.languages import CODES
from curation.recipe import RECIPES_FOLDER
from curation.schema import REMOVED
from curation.text.cut import cut
from curation.text.scan import Scanner
from filters.line_rules import LineCleaner, spans
from filters.line_table import line_table
from filters.policy import Policy, load_policy, parse_policy
from filters.signals import SignalCounter
from tests.filters.refusals import assert_refused
from tests.oracles import PIECES, normalized, strip

SHIPPED = sorted(path.stem for path in (RECIPES_FOLDER / "policies").glob("*.yaml"))
SCANNER = Scanner()
NUMBER_OF_LINES = {"l.number": {"reject_when": "REGEXP_LIKE(text, '^[0-9]+$')"}}


def policy_of(lines: dict[str, Any], most: float | None = None, languages: dict[str, Any] | None = None) -> Policy:
    web: dict[str, Any] = {"rules": {}, "lines": lines, "languages": languages or {}}
    return parse_policy({"name": "t", "domains": {"web": web | {"max_removed": most}, "code": {"rules": {}}}}, "test")


def cleaned(policy: Policy, texts: list[str], languages: list[str] | None = None, domain: str = "web"):
    """Texts without their removed lines, the rules of each span, and which documents are rejected."""
    array = pa.array(texts, pa.large_string())
    found = LineCleaner(policy).clean(array, languages or ["en"] * len(texts), [domain] * len(texts))
    assert found.removed.type == REMOVED
    rules = [[span["rules"] for span in row] for row in found.removed.to_pylist()]
    return cut(array, found.removed).to_pylist(), rules, found.rejected.tolist()


def plain_removal(text: str, gone: set[int]) -> str:
    """The text without the lines ``gone``, numbered without blank lines; of two gaps that meet the larger stays."""
    lines = text.split("\n")
    content = [number for number, line in enumerate(lines) if strip(line)]
    kept = [number for place, number in enumerate(content) if place not in gone]
    if not gone:
        return text
    if not kept:
        return ""
    out = lines[: kept[0] + 1] if kept[0] == content[0] else [lines[kept[0]]]
    for a, b in pairwise(kept):
        between = [number for number in content if a < number < b]
        before, after = lines[a + 1 : (between or [b])[0]], lines[(between or [a])[-1] + 1 : b]
        out += [*(before if len(before) >= len(after) else after), lines[b]]
    return "\n".join([*out, *lines[content[-1] + 1 :]])


broken_text = st.lists(st.sampled_from(["\n", "\n\n", " \n", "x", "line", *PIECES]), max_size=30).map(
    lambda pieces: normalized("".join(pieces))
)


@settings(deadline=None, max_examples=400)
@given(st.lists(broken_text, max_size=4), st.data())
def test_what_is_left_is_what_plain_python_leaves(texts: list[str], data) -> None:
    """And every span is one run of lines removed by the same rules, in order and apart."""
    array = pa.array(texts, pa.large_string())
    scan = SCANNER.scan(array)
    table, bounds = line_table(array, scan, ["en"] * len(texts), []), scan.line_bounds.copy()
    drawn = data.draw(st.lists(st.sampled_from(["", "", "a", "b", "a\nb"]), min_size=len(table), max_size=len(table)))
    removed = spans(array, table, bounds, pl.Series(drawn, dtype=pl.String))
    left = cut(array, removed).to_pylist()
    for row, text in enumerate(texts):
        mine = drawn[bounds[row] : bounds[row + 1]]
        assert left[row] == plain_removal(text, {number for number, names in enumerate(mine) if names})
        found = removed[row].as_py()
        runs = [names for before, names in pairwise(["", *mine]) if names and names != before]
        assert ["\n".join(span["rules"]) for span in found] == runs
        assert all(a["stop"] <= b["start"] for a, b in pairwise(found))
        for number, names in enumerate(mine):
            start, stop = (table[name][int(bounds[row]) + number] for name in ("start", "stop"))
            inside = [span for span in found if span["start"] <= start and stop <= span["stop"]]
            assert ["\n".join(span["rules"]) for span in inside] == [names] * bool(names)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("1\nA\nB", "A\nB"),
        ("A\n1\nB", "A\nB"),
        ("A\nB\n1", "A\nB"),
        ("A\nB\n1\n", "A\nB\n"),
        ("A\n\n1\n\nB", "A\n\nB"),
        ("A\n1\n\nB", "A\n\nB"),
        ("A\n\n1\nB", "A\n\nB"),
        ("A\n\n\n1\n2\n\nB", "A\n\n\nB"),
        ("\n\n1\n\nA\n", "A\n"),
        ("A\n  1 \t\nB", "A\nB"),
        ("A\n\n1", "A"),
        ("1\n\n2\n", ""),
        ("", ""),
    ],
)
def test_no_rests_and_no_gaps_stay(text: str, left: str) -> None:
    assert cleaned(policy_of(NUMBER_OF_LINES), [text])[0] == [left]


def test_every_rule_that_rejects_a_line_is_named_and_equal_neighbours_are_one_span() -> None:
    rules = {"l.number": NUMBER_OF_LINES["l.number"], "l.words": {"signal": "words", "min": 3}}
    texts = ["one two three\n12\n34\ntwo words\nfour words are here", "1\nno line stays"]
    left, found, rejected = cleaned(policy_of(rules), texts)
    assert left == ["one two three\nfour words are here", "no line stays"]
    assert found == [[["l.number", "l.words"], ["l.words"]], [["l.number", "l.words"]]]
    assert rejected == [False, False]


def test_flags_phrases_and_repetitions_can_be_rules() -> None:
    rules = {
        "again": {"reject_when": "seen_before"}, "cookies": {"reject_when": "cookie AND words <= 10"},
        "end": {"reject_when": "ellipsis OR curly OR bullet"}, "shout": {"signal": "upper_ratio", "max": 0.5},
    }  # fmt: skip
    text = "Once said.\nWe use cookies to count.\nOnce said.\nAnd so on…\nif {\n- item\nNO WAY"
    left, found, _ = cleaned(policy_of(rules), [text])
    assert left == ["Once said."]
    assert found == [[["cookies"], ["again"], ["end"], ["shout"]]]


def test_languages_have_bounds_of_their_own_and_can_turn_any_line_rule_off() -> None:
    rules = {"words": {"signal": "words", "min": 3}, **NUMBER_OF_LINES}
    policy = policy_of(rules, languages={"de": {"words": {"min": 2}}, "fr": {"words": None, "l.number": None}})
    text = "one two three four\none two\none\n1"
    left = cleaned(policy, [text] * 3, ["en", "de", "fr"])[0]
    assert left == ["one two three four", "one two three four\none two", text]


def test_only_domains_with_line_rules_lose_lines() -> None:
    assert cleaned(policy_of(NUMBER_OF_LINES), ["A\n1"], domain="code") == (["A\n1"], [[]], [False])
    assert cleaned(policy_of(NUMBER_OF_LINES), ["A\n1"], domain="poems") == (["A\n1"], [[]], [False])


@pytest.mark.parametrize(("most", "rejected"), [(None, False), (1, False), (0.2, False), (0.19, True), (0, True)])
def test_a_document_may_lose_no_more_than_its_share_of_words(most: float | None, rejected: bool) -> None:
    """One of five words goes; a document that loses none passes every bound."""
    policy = policy_of(NUMBER_OF_LINES, most)
    assert cleaned(policy, ["four words are here\n1", "nothing goes", "", "!"])[2] == [rejected, False, False, False]


def test_a_document_without_a_line_left_is_always_rejected() -> None:
    assert cleaned(policy_of({"marks": {"signal": "units", "min": 1}}), ["***\n!!", "1\n2"])[2] == [True, False]
    assert cleaned(policy_of(NUMBER_OF_LINES, 1), ["1\n2"])[2] == [True]


@settings(deadline=None, max_examples=100)
@given(st.lists(broken_text, min_size=1, max_size=4))
def test_c4_keeps_the_sentences_that_its_signal_counts(texts: list[str]) -> None:
    """The signal is what the page rule reads before any line is removed; none of the texts speaks of JavaScript."""
    signals = SignalCounter().compute(
        array := pa.array(texts, pa.large_string()), SCANNER.scan(array), ["en"] * len(texts)
    )
    table = line_table(array, SCANNER.scan(array), ["en"] * len(texts))
    policy = load_policy("c4")
    stays = table.with_columns(domain=pl.lit("web")).with_columns(reasons=policy.line_reasons()).filter(reasons="")
    counted = np.zeros(len(texts))
    np.add.at(counted, stays["document"].to_numpy(), stays["sentences"].to_numpy())
    assert counted.tolist() == signals["c4_sentences"].to_pylist()


PAGE = """Sign-in
The mill stands by the river and grinds the grain of the whole valley every autumn.
3 likes
1.2K views
READ THIS AND NOTHING ELSE
12500
Then the farmers come with their carts, and the mill does not stop until the first snow.
Privacy policy
© The mill. All rights reserved.
He had read the terms of use.
This website uses cookies.
items in cart"""


def test_what_the_shipped_policies_remove() -> None:
    lines = PAGE.split("\n")
    left = {
        name: cleaned(load_policy(name), [PAGE])[0][0].split("\n") for name in ("glotmill-29", "refinedweb-like", "c4")
    }
    assert left["glotmill-29"] == [line for n, line in enumerate(lines) if n not in (2, 3, 7, 8, 10)]
    assert left["refinedweb-like"] == [line for n, line in enumerate(lines) if n not in (0, 2, 3, 4, 5, 11)]
    assert left["c4"] == [lines[1], lines[6]]


COUNTERS = ["3 likes", "1.2K views", "12 Kommentare", "3 commentaires", "5 комментариев", "12 条评论", "3 件のコメント",
            "3 تعليقات", "4 تבגובות"[:1] + " צפיות", "2 टिप्पणियाँ", "10 bình luận", "3 ความคิดเห็น"]  # fmt: skip


@pytest.mark.parametrize("language", CODES)
def test_the_default_policy_removes_counters_in_every_language_and_no_sentence(language: str) -> None:
    sentence = "The 3 likes of the miller: grain, wind and 12 comments."
    left = cleaned(load_policy("glotmill-29"), ["\n".join([sentence, *COUNTERS])], [language])[0]
    assert left == [sentence]


LINES = "name: x\ndomains:\n  web:\n    rules: {d: {signal: words, min: 5}}\n    lines: {a: {signal: words, min: 5}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINES.replace("signal: words, min: 5}}\n", "signal: wrds, min: 5}}\n", 2), ["mean 'words'"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {signal: termnal, min: 1}}}}", ["lines.a", "mean 'terminal'"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {signal: lines, min: 1}}}}", ["lines.a", "unknown signal"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {signal: terminal, min: 1}}}}", ["no number", "reject_when"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {signal: text, min: 1}}}}", ["no number"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {signal: words}}}}", ["needs min, max or both"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {reject_when: 'wrds > 3'}}}}", ["web.a", "wrds", "words"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {reject_when: 'words'}}}}", ["web.a", "true or false"]),
        ("name: x\ndomains: {web: {rules: {a: {reject_when: 'terminal'}}}}", ["web.a", "terminal", "columns:"]),
        ("name: x\ndomains: {web: {rules: {}, line: {}}}", ["unknown key", "mean 'lines'"]),
        (LINES + "    languages: {en: {aa: {min: 1}}}", ["no rule 'aa'", "did you mean 'a'"]),
        (LINES + "    languages: {en: {a: {max: 1}}}", ["nothing could pass"]),
        ("name: x\ndomains: {web: {rules: {}, lines: {a: {reject_when: terminal}}, languages: {en: {a: {min: 1}}}}}",
         ["'a' has no bounds", "null turns it off"]),
        (LINES.replace("{a:", "{d:"), ["'d' is in rules and in lines"]),
        (LINES + "    max_removed: 5", ["max_removed", "less than or equal to 1"]),
        ("name: x\ndomains: {web: {rules: {}, max_removed: 0.1}}", ["no rules under 'lines'"]),
    ],
)  # fmt: skip
def test_a_wrong_line_rule_is_refused_with_file_rule_and_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    assert_refused(tmp_path, text, words)


@pytest.mark.parametrize("name", SHIPPED)
def test_policies_read_back_from_what_they_record(name: str) -> None:
    policy = load_policy(name)
    assert parse_policy(policy.model_dump(mode="json"), "again") == policy
