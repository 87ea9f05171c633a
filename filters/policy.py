"""Policies: data that turn signals into decisions, with every failing reason.

A policy is a YAML file of rules per domain. A rule compares one signal with a minimum and a maximum, which a language
may override, or rejects where a Polars SQL expression over the signal columns is true:

    name: example
    domains:
      web:
        rules:
          gopher.words: {signal: words, min: 50, max: 100000}
          ours.numbers: {reject_when: "digit_ratio > 0.3 AND lines > 5"}
        languages:
          th: {gopher.words: {min: 40}, gopher.stop_words: null}   # null: the rule is off for this language
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from curation.languages import CODES
from curation.recipe import RECIPES_FOLDER
from filters.signals import NAMES

_IDENTITY = {"language": pl.String, "language_score": pl.Float32, "utf8_bytes": pl.UInt64, "invalid_utf8": pl.UInt32,
             "removed_characters": pl.UInt32, "source": pl.String, "domain": pl.String}  # fmt: skip
COLUMNS: tuple[str, ...] = (*_IDENTITY, *NAMES)
"""Columns a rule may use."""
_SEPARATOR = "\n"
RuleName = Annotated[str, StringConstraints(pattern=r"^[^\n]+$")]


class PolicyError(ValueError):
    """A policy that cannot be applied; the message says which rule and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Strict):
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _possible(self) -> Bounds:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is over max {self.max}: nothing could pass")
        return self


class Rule(Bounds):
    signal: str | None = None
    reject_when: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Rule:
        if (self.signal is None) == (self.reject_when is None):
            raise ValueError("a rule has either 'signal' with min or max, or 'reject_when'")
        if self.signal is None and (self.min is not None or self.max is not None):
            raise ValueError("min and max belong to a rule on a signal; put them into 'reject_when'")
        if self.signal is not None and self.min is None and self.max is None:
            raise ValueError("a rule on a signal needs min, max or both")
        if self.signal is not None and self.signal not in COLUMNS:
            close = difflib.get_close_matches(self.signal, COLUMNS, 1)
            raise ValueError(f"unknown signal '{self.signal}'" + (f"; did you mean '{close[0]}'?" if close else ""))
        return self


class Domain(_Strict):
    rules: dict[RuleName, Rule]
    languages: dict[str, dict[str, Bounds | None]] = {}

    @model_validator(mode="after")
    def _overrides_exist(self) -> Domain:
        for language, overrides in self.languages.items():
            if language not in CODES:
                raise ValueError(f"languages: '{language}' is none of the 29")
            for name in overrides:
                if name not in self.rules or self.rules[name].signal is None:
                    close = difflib.get_close_matches(name, self.rules, 1)
                    hint = f"; did you mean '{close[0]}'?" if close else ""
                    raise ValueError(f"languages.{language}: no rule '{name}' on a signal to override{hint}")
                bounds = overrides[name]
                if bounds is not None:
                    _merged(self.rules[name], bounds)  # raises where nothing could pass
        return self

    def bounds(self, name: str, language: str) -> Bounds | None:
        """The bounds of the rule ``name`` for documents in ``language``; None where the rule is off for it."""
        overrides = self.languages.get(language, {})
        if name not in overrides:
            return self.rules[name]
        override = overrides[name]
        return None if override is None else _merged(self.rules[name], override)


class Policy(_Strict):
    name: str
    description: str = ""
    domains: dict[str, Domain]

    def reasons(self) -> pl.Expr:
        """List of the names of all failing rules of a row; documents of domains without rules pass."""
        failing = [
            pl.when(fails).then(pl.lit(name)) for domain in self.domains for name, fails in self._failing(domain)
        ]
        if not failing:
            return pl.lit([], pl.List(pl.String))
        # Joined and split again: six times faster than a list of so many columns, nearly all of them null.
        joined = pl.concat_str(failing, separator=_SEPARATOR, ignore_nulls=True)
        return joined.str.split(_SEPARATOR).list.eval(pl.element().filter(pl.element() != ""))

    def columns(self) -> list[str]:
        """Names of the columns that `reasons` reads, sorted."""
        return sorted(set(self.reasons().meta.root_names()))

    def _failing(self, domain: str) -> list[tuple[str, pl.Expr]]:
        here = pl.col("domain") == domain
        rules = self.domains[domain].rules
        return [(name, (here & self._fails(domain, name, rule)).fill_null(False)) for name, rule in rules.items()]

    def _fails(self, domain: str, name: str, rule: Rule) -> pl.Expr:
        if rule.signal is None:
            return pl.sql_expr(str(rule.reject_when))
        value = pl.col(rule.signal)
        by_language: pl.Expr = _outside(value, rule)
        for language, overrides in self.domains[domain].languages.items():
            if name in overrides:
                bounds = self.domains[domain].bounds(name, language)
                fails = pl.lit(False) if bounds is None else _outside(value, bounds)
                by_language = pl.when(pl.col("language") == language).then(fails).otherwise(by_language)
        return by_language


def _merged(rule: Rule, bounds: Bounds) -> Bounds:
    """The language's bounds where it gives them, the rule's elsewhere."""
    return Bounds(
        min=rule.min if bounds.min is None else bounds.min, max=rule.max if bounds.max is None else bounds.max
    )


def _outside(value: pl.Expr, bounds: Bounds) -> pl.Expr:
    below = pl.lit(False) if bounds.min is None else value < bounds.min
    above = pl.lit(False) if bounds.max is None else value > bounds.max
    return below | above


def policy_path(name: str) -> Path:
    """Path of a policy named in a recipe: a name in recipes/policies/, or a path of its own."""
    own = RECIPES_FOLDER / "policies" / f"{name}.yaml"
    path = own if own.is_file() else Path(name)
    if not path.is_file():
        known = sorted(p.stem for p in own.parent.glob("*.yaml"))
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; there are: {', '.join(known)}"
        raise PolicyError(f"select.policy: no policy '{name}'{hint}")
    return path


def load_policy(name: str) -> Policy:
    """Read and check a policy.

    Raises:
        PolicyError: there is no such policy, or a rule of it is wrong; the message names file and rule.
    """
    path = policy_path(name)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise PolicyError(f"{path}: not readable as YAML: {error}") from error
    return parse_policy(data, str(path))


def parse_policy(data: object, where: str) -> Policy:
    """Check a policy given as plain data; ``where`` says in errors where it came from.

    Raises:
        PolicyError: a rule is wrong; the message names it.
    """
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        raise PolicyError("\n".join(f"{where}: {_explain(item)}" for item in error.errors())) from error
    _try(policy, where)
    return policy


def _explain(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = [*Policy.model_fields, *Domain.model_fields, *Rule.model_fields]
        close = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
        message = "unknown key" + (f"; did you mean '{close[0]}'?" if close else "")
    return f"{'.'.join(map(str, error['loc'])) or 'policy'}: {message}"


def _try(policy: Policy, where: str) -> None:
    """Evaluate every rule on an empty table, so that a misspelt column fails now and not after an hour."""
    empty = pl.DataFrame(schema={**_IDENTITY, **dict.fromkeys(NAMES, pl.Float32)})
    for domain in policy.domains:
        for name, rule in policy.domains[domain].rules.items():
            try:
                found = empty.select(policy._fails(domain, name, rule)).dtypes[0]
            except pl.exceptions.PolarsError as error:
                known = ", ".join(COLUMNS)
                raise PolicyError(
                    f"{where}: {domain}.{name}: {str(error).splitlines()[0]}; columns: {known}"
                ) from error
            if found != pl.Boolean:
                raise PolicyError(f"{where}: {domain}.{name}: reject_when gives {found}; it must be true or false")
