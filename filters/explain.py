"""One document explained: each rule that could speak of it, with the bounds that apply to its language, and the lines
that are removed from its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from filters.line_rules import REMOVED_REASON, LineCleaner
from filters.policy import NUMBERS, Bounds, Policy

PASS, FAIL, OFF = "pass", "fail", "off"


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


class Piece(NamedTuple):
    """Some lines of a text one after the other."""

    text: str
    rules: tuple[str, ...]  # that remove them; empty for lines that stay


def judge(policy: Policy, text: str, document: pl.DataFrame, others: Sequence[str]) -> tuple[list[str], list[Any]]:
    """What deciding by ``policy`` gives: every reason against the document, and the spans of lines to remove.

    Args:
        policy: the policy to apply.
        text: of the document, normalised.
        document: its signals, one row, as for `checks`.
        others: reasons that no rule gives.

    Returns:
        Reasons, and spans as of `curation.schema.REMOVED`. A document is rejected for its lines where nothing else
        speaks against it; they are told of all the same.
    """
    found = [*reasons(policy, document), *others]
    texts = pa.array([text], pa.large_string())
    kinds = [document["mixture_kind"][0]] if "mixture_kind" in document.columns else None
    cleaned = LineCleaner(policy).clean(texts, [document["language"][0]], [document["domain"][0]], kinds)
    if cleaned.rejected[0] and not found:
        found = [REMOVED_REASON]
    return found, cleaned.removed[0].as_py()


def pieces(text: str, removed: Sequence[dict[str, Any]]) -> list[Piece]:
    """The whole text in pieces that stay or are removed; ``removed``: spans as of `curation.schema.REMOVED`."""
    raw, at, found = text.encode(), 0, []
    for span in removed:
        found += [Piece(raw[at : span["start"]].decode(), ())]
        found += [Piece(raw[span["start"] : span["stop"]].decode(), tuple(span["rules"]))]
        at = span["stop"]
    return [piece for piece in (*found, Piece(raw[at:].decode(), ())) if piece.text]


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
