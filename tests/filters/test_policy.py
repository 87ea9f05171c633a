"""Policies: every rule decides as written, in every language, and a wrong one is refused with a remedy."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.languages import CODES
from curation.recipe import RECIPES_FOLDER
from filters.policy import COLUMNS, NUMBERS, Policy, PolicyError, load_policy
from tests.filters.refusals import assert_refused

SHIPPED = sorted(path.stem for path in (RECIPES_FOLDER / "policies").glob("*.yaml"))


def policy_of(rules: dict, languages: dict | None = None) -> Policy:
    return Policy.model_validate({"name": "t", "domains": {"web": {"rules": rules, "languages": languages or {}}}})


def reasons(policy: Policy, rows: list[dict]) -> list[list[str]]:
    filled = [{"domain": "web", "language": "en"} | row for row in rows]
    return pl.DataFrame(filled).select(reasons=policy.reasons())["reasons"].to_list()


def test_bounds_are_inclusive() -> None:
    policy = policy_of({"low": {"signal": "words", "min": 3}, "high": {"signal": "words", "max": 5},
                        "both": {"signal": "words", "min": 4, "max": 4}})  # fmt: skip
    expected = [["low", "both"], ["both"], [], ["both"], ["high", "both"]]
    assert reasons(policy, [{"words": float(n)} for n in (2, 3, 4, 5, 6)]) == expected


def test_every_failing_rule_is_named_in_the_order_of_the_file() -> None:
    policy = policy_of({f"r{n}": {"signal": "words", "max": n} for n in (3, 1, 2)})
    assert reasons(policy, [{"words": 9.0}, {"words": 2.0}]) == [["r3", "r1", "r2"], ["r1"]]


def test_languages_override_bounds_one_by_one() -> None:
    rule = {"a": {"signal": "words", "min": 10, "max": 20}, "b": {"signal": "lines", "max": 1}}
    policy = policy_of(rule, {"de": {"a": {"min": 5}}, "zh": {"a": None}, "th": {"a": {"min": 1, "max": 99}}})
    rows = [{"language": language, "words": words, "lines": 9} for language in ("en", "de", "zh", "th", "fr")
            for words in (7.0, 30.0)]  # fmt: skip
    found = reasons(policy, rows)
    assert found == [["a", "b"], ["a", "b"], ["b"], ["a", "b"], ["b"], ["b"], ["b"], ["b"], ["a", "b"], ["a", "b"]]


def test_expressions_reject_where_they_are_true() -> None:
    policy = policy_of({"x": {"reject_when": "digit_ratio > 0.3 AND language IN ('en', 'de')"}})
    rows = [{"digit_ratio": 0.5}, {"digit_ratio": 0.5, "language": "fr"}, {"digit_ratio": 0.1}]
    assert reasons(policy, rows) == [["x"], [], []]


def test_domains_have_their_own_rules_and_others_pass() -> None:
    policy = Policy.model_validate({"name": "t", "domains": {
        "web": {"rules": {"w": {"signal": "words", "min": 5}}}, "code": {"rules": {"c": {"signal": "words", "min": 3}}},
    }})  # fmt: skip
    rows = [{"domain": domain, "words": 1.0} for domain in ("web", "code", "math")]
    assert reasons(policy, rows) == [["w"], ["c"], []]
    assert reasons(Policy.model_validate({"name": "t", "domains": {}}), rows)[:1] == [[]]


bound = st.one_of(st.none(), st.integers(0, 10))


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(bound, bound), st.one_of(st.none(), st.tuples(bound, bound)), st.booleans(),
    st.lists(st.tuples(st.sampled_from(["en", "th"]), st.integers(-1, 11)), min_size=1, max_size=10),
)  # fmt: skip
def test_decisions_equal_plain_comparisons(rule, override, has_override: bool, rows) -> None:
    low, high = rule
    merged = (None, None) if override is None else tuple(o if o is not None else r
                                                         for o, r in zip(override, rule, strict=True))  # fmt: skip
    for a, b in (rule, merged):
        if a is not None and b is not None and a > b:
            return
    if low is None and high is None:
        return
    given = None if override is None else {"min": override[0], "max": override[1]}
    policy = policy_of({"r": {"signal": "words", "min": low, "max": high}},
                       {"th": {"r": given}} if has_override else {})  # fmt: skip
    for found, (language, value) in zip(
        reasons(policy, [{"language": x, "words": float(v)} for x, v in rows]), rows, strict=True
    ):
        a, b = merged if has_override and language == "th" else rule
        fails = (a is not None and value < a) or (b is not None and value > b)
        assert found == (["r"] if fails else [])


RULE = "name: x\ndomains:\n  web:\n    rules:\n      a: {signal: words, min: 5}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\ndomains: {web: {rules: {a: {signal: wrds, min: 5}}}}", ["domains.web.rules.a", "mean 'words'"]),
        ("name: x\ndomains: {web: {rules: {a: {signal: words}}}}", ["needs min, max or both"]),
        ("name: x\ndomains: {web: {rules: {a: {min: 5}}}}", ["either 'signal'"]),
        ("name: x\ndomains: {web: {rules: {a: {signal: words, reject_when: 'words > 3', min: 1}}}}", ["either"]),
        ("name: x\ndomains: {web: {rules: {a: {reject_when: 'words > 3', min: 1}}}}", ["reject_when"]),
        ("name: x\ndomains: {web: {rules: {a: {signal: words, min: 5, max: 3}}}}", ["nothing could pass"]),
        ("name: x\ndomains: {web: {rules: {a: {signal: words, mn: 5}}}}", ["unknown key", "mean 'min'"]),
        ("name: x\ndomains: {web: {rulez: {}}}", ["unknown key", "mean 'rules'"]),
        ("name: x\ndomains: {web: {rules: {a: {reject_when: 'wrds > 3'}}}}", ["web.a", "wrds", "words"]),
        ("name: x\ndomains: {web: {rules: {a: {reject_when: 'words >> ('}}}}", ["web.a", "columns:"]),
        ("name: x\ndomains: {web: {rules: {a: {reject_when: 'words'}}}}", ["web.a", "true or false"]),
        (RULE + "    languages: {xx: {a: {min: 1}}}", ["'xx' is none of the 29"]),
        (RULE + "    languages: {en: {aa: {min: 1}}}", ["no rule 'aa'", "did you mean 'a'"]),
        (RULE + "    languages: {en: {a: {max: 1}}}", ["nothing could pass"]),
        ("name: x", ["domains", "required"]),
        ("- a", ["dictionary"]),
        ("a: [", ["not readable as YAML"]),
    ],
)
def test_a_wrong_policy_is_refused_with_file_rule_and_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    assert_refused(tmp_path, text, words)


def test_an_unknown_policy_is_suggested() -> None:
    with pytest.raises(PolicyError, match="no policy 'glotmill-92'; did you mean 'glotmill-29'"):
        load_policy("glotmill-92")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policies_load_and_decide(name: str) -> None:
    """Every rule works on a row of every language; a page of zeros is refused and so is one of large numbers."""
    policy = load_policy(name)
    assert policy.domains["web"].rules
    text = {name: "s" for name in COLUMNS if name not in NUMBERS}
    for value in (0, 1_000_000):
        rows = [{c: value for c in COLUMNS} | text | {"language": code, "domain": domain}
                for code in CODES for domain in policy.domains]  # fmt: skip
        found = reasons(policy, rows)
        assert all(found)
        assert all(set(r) <= set(policy.domains[row["domain"]].rules) for r, row in zip(found, rows, strict=True))
