"""One document explained: each rule that could speak of it, with the bounds that apply to its language."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from curation.languages import CODES
from filters.policy import Bounds, Policy

Facts = dict[str, Any]
"""The row of a document in ``signals/``: column to value."""


class Check(NamedTuple):
    """One rule applied to one document."""

    rule: str
    columns: tuple[str, ...]  # that the rule reads
    condition: str  # what the rule asks, in words: "0.1 or more", "rejects where ..."
    verdict: str  # PASS, FAIL or OFF


class Measured(NamedTuple):
    """One number about a document and the rules on it alone."""

    name: str
    value: str
    checks: list[Check]


PASS, FAIL, OFF = "pass", "fail", "off"


def checks(policy: Policy, facts: Facts) -> list[Check]:
    """All rules of the document's domain in the order of the policy; [] for a domain without rules.

    Args:
        policy: the policy to apply.
        facts: at least the columns `Policy.columns` names, and language and domain.
    """
    domain = policy.domains.get(facts["domain"])
    if domain is None:
        return []
    failing = set(reasons(policy, facts))
    found = []
    for name, rule in domain.rules.items():
        bounds = domain.bounds(name, facts["language"])
        if rule.signal is None:
            columns = sorted(set(pl.sql_expr(str(rule.reject_when)).meta.root_names()))
            condition = f"rejects where {rule.reject_when}"
        else:
            columns = [rule.signal]
            condition = f"off for {facts['language']}" if bounds is None else in_words(bounds)
        verdict = OFF if bounds is None else FAIL if name in failing else PASS
        found.append(Check(name, tuple(columns), condition, verdict))
    return found


def reasons(policy: Policy, facts: Facts) -> list[str]:
    """Names of the rules that the document fails."""
    columns = sorted({*policy.columns(), "language", "domain"})
    frame = pl.DataFrame({name: [facts[name]] for name in columns})
    found: list[str] = frame.select(reasons=policy.reasons())["reasons"][0].to_list()
    return found


def in_words(bounds: Bounds) -> str:
    """What the bounds allow."""
    if bounds.min is not None and bounds.max is not None:
        return f"{bounds.min:,g} to {bounds.max:,g}"
    return f"{bounds.min:,g} or more" if bounds.max is None else f"{bounds.max:,g} or less"


def measured(names: list[str], facts: Facts, found: list[Check]) -> list[Measured]:
    """Every one of ``names`` that the document has, with its value and the rules that read it alone."""
    return [
        Measured(name, number(facts[name]), [check for check in found if check.columns == (name,)])
        for name in names
        if name in facts
    ]


def combined(found: list[Check]) -> list[Check]:
    """The rules that read several columns at once."""
    return [check for check in found if len(check.columns) != 1]


def values(check: Check, facts: Facts) -> str:
    """The numbers that a rule read: "letter_ratio 0.21, digit_ratio 0.02"."""
    return ", ".join(f"{name} {number(facts[name])}" for name in check.columns)


def number(value: Any) -> str:
    """A value with four significant digits, whole numbers in full."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def is_foreign(language: str, selected: list[str]) -> bool:
    """Whether the document's language is none that the run selects; source code has none and always passes."""
    return language not in selected and language in CODES
