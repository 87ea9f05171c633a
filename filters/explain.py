"""One document explained: each rule that could speak of it, with the bounds that apply to its language."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from filters.policy import COLUMNS, Bounds, Policy

PASS, FAIL, OFF = "pass", "fail", "off"
NUMBERS = tuple(name for name in COLUMNS if name not in ("language", "source", "domain"))


class Check(NamedTuple):
    """One rule applied to one document."""

    rule: str
    columns: tuple[str, ...]  # that the rule reads
    condition: str  # what the rule asks: "0.1 or more", "rejects where ..."
    verdict: str  # PASS, FAIL or OFF


class Measured(NamedTuple):
    """One number about a document and the rules that read it alone."""

    name: str
    value: str
    checks: list[Check]


def checks(policy: Policy, document: pl.DataFrame) -> list[Check]:
    """All rules of the document's domain in the order of the policy; [] for a domain without rules.

    Args:
        policy: the policy to apply.
        document: one row of ``signals/`` in the types stored there (bounds are compared in them): language, domain
            and the columns `Policy.columns` names.
    """
    language, name = document["language"][0], document["domain"][0]
    domain = policy.domains.get(name)
    if domain is None:
        return []
    failing = reasons(policy, document)
    found = []
    for name, rule in domain.rules.items():
        bounds = domain.bounds(name, language)
        if rule.signal is None:
            columns = sorted(set(pl.sql_expr(str(rule.reject_when)).meta.root_names()))
            condition = f"rejects where {rule.reject_when}"
        else:
            columns = [rule.signal]
            condition = f"off for {language}" if bounds is None else in_words(bounds)
        verdict = OFF if bounds is None else FAIL if name in failing else PASS
        found.append(Check(name, tuple(columns), condition, verdict))
    return found


def reasons(policy: Policy, document: pl.DataFrame) -> list[str]:
    """Names of the rules that the document, one row, fails."""
    found: list[str] = document.with_columns(reasons=policy.reasons())["reasons"][0].to_list()
    return found


def in_words(bounds: Bounds) -> str:
    """What the bounds allow."""
    if bounds.min is not None and bounds.max is not None:
        return f"{bounds.min:,g} to {bounds.max:,g}"
    return f"{bounds.max:,g} or less" if bounds.min is None else f"{bounds.min:,g} or more"


def measured(document: pl.DataFrame, found: list[Check]) -> list[Measured]:
    """Every number stored about the document, with the rules that read it alone."""
    return [
        Measured(name, number(document[name][0]), [check for check in found if check.columns == (name,)])
        for name in NUMBERS
        if name in document.columns
    ]


def combined(found: list[Check]) -> list[Check]:
    """The rules that `measured` has no row for: they read several columns at once, or text."""
    return [check for check in found if len(check.columns) != 1 or check.columns[0] not in NUMBERS]


def values(check: Check, document: pl.DataFrame) -> str:
    """What a rule read: "letter_ratio 0.21, digit_ratio 0.02"."""
    return ", ".join(f"{name} {number(document[name][0])}" for name in check.columns)


def number(value: Any) -> str:
    """A value with five significant digits, whole numbers in full."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
