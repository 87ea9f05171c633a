"""Policies: data that turn signals into decisions, with every failing reason, and say which lines are left out.

A policy is a YAML file of rules per domain. A rule compares one signal with a minimum and a maximum, which a language
may override, or rejects where a Polars SQL expression over the signal columns is true. Rules under ``lines`` are about
the columns of `filters.line_table`: a line that one of them rejects is removed, and the document is kept:

    name: example
    domains:
      web:
        rules:
          gopher.words: {signal: words, min: 50, max: 100000}
          ours.numbers: {reject_when: "digit_ratio > 0.3 AND lines > 5"}
          ours.urls: {reject_when: "url_category = 'adult'"}  # of the recipe's annotate.url_lists
          ours.quality: {signal: score_quality, min: 0.2}   # the recipe's score named quality; unscored ones pass
        lines:
          ours.cookies: {reject_when: "cookie AND words <= 10"}
          ours.one_word: {signal: words, min: 2}
        max_removed: 0.05   # of the document's words; where lines with more would go, the document is rejected
        languages:
          th: {gopher.words: {min: 40}, gopher.stop_words: null, ours.one_word: null}   # null: off for this language
    kind_domains: {parallel: parallel}   # pages with translations side by side are a domain of their own
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from curation.languages import CODES
from curation.recipe import RECIPES_FOLDER
from curation.scores import SCORE_PREFIX
from filters import code_switching, line_table
from filters.rules import SEPARATOR, Bounds, Rule, RuleName, Strict, did_you_mean, fails, joined, merged, on_signal
from filters.signals import NAMES

_IDENTITY = {"language": pl.String, "language_score": pl.Float32, "script": pl.String, "utf8_bytes": pl.UInt64,
             "invalid_utf8": pl.UInt32, "removed_characters": pl.UInt32, "source": pl.String, "domain": pl.String,
             "url_category": pl.String, **{field.name: pl.String if field.name in code_switching.TEXTS else pl.Float32
                                           for field in code_switching.SCHEMA}}  # fmt: skip
COLUMNS: tuple[str, ...] = (*_IDENTITY, *NAMES)
"""Columns a rule may use."""
KIND_NAMES = code_switching.KINDS
DomainName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
_TEXTS = [name for name, kind in _IDENTITY.items() if kind == pl.String]
NUMBERS: tuple[str, ...] = tuple(name for name in COLUMNS if name not in _TEXTS)
"""Those that a rule may bound."""
DocumentRule = Annotated[Rule, AfterValidator(on_signal(NUMBERS, _TEXTS, prefix=SCORE_PREFIX))]
_CONDITIONS_ONLY = [name for name in line_table.COLUMNS if name not in line_table.NUMBERS]
LineRule = Annotated[Rule, AfterValidator(on_signal(line_table.NUMBERS, _CONDITIONS_ONLY))]


class PolicyError(ValueError):
    """A policy that cannot be applied; the message says which rule and why."""


class Domain(Strict):
    rules: dict[RuleName, DocumentRule]
    lines: dict[RuleName, LineRule] = {}
    max_removed: float | None = Field(None, ge=0, le=1)  # None: a document is rejected only when no line is left
    languages: dict[str, dict[str, Bounds | None]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Domain:
        both = sorted(set(self.rules) & set(self.lines))
        if both:
            raise ValueError(f"'{both[0]}' is in rules and in lines; a name must tell them apart")
        if self.max_removed is not None and not self.lines:
            raise ValueError("max_removed is about lines, and there are no rules under 'lines'")
        for language, overrides in self.languages.items():
            if language not in CODES:
                raise ValueError(f"languages: '{language}' is none of the 29{did_you_mean(language, CODES)}")
            for name, bounds in overrides.items():
                self._check_override(language, name, bounds)
        return self

    def _check_override(self, language: str, name: str, bounds: Bounds | None) -> None:
        known = {**self.rules, **self.lines}
        if name not in known:
            raise ValueError(f"languages.{language}: no rule '{name}' to override{did_you_mean(name, known)}")
        if bounds is not None and known[name].signal is None:
            raise ValueError(f"languages.{language}: '{name}' has no bounds to override; null turns it off")
        if bounds is not None:
            merged(known[name], bounds)  # raises where nothing could pass

    def rule(self, name: str) -> Rule:
        """The rule of documents or of lines with this name."""
        return self.rules[name] if name in self.rules else self.lines[name]

    def bounds(self, name: str, language: str) -> Bounds | None:
        """The bounds of the rule ``name`` in ``language``; None where the rule is off for it."""
        overrides = self.languages.get(language, {})
        if name not in overrides:
            return self.rule(name)
        override = overrides[name]
        return None if override is None else merged(self.rule(name), override)

    def fails(self, name: str) -> pl.Expr:
        """Whether a row (a document, or a line for a rule under ``lines``) fails the rule."""
        overrides = {language: rules[name] for language, rules in self.languages.items() if name in rules}
        return fails(self.rule(name), overrides)


class Policy(Strict):
    name: str
    description: str = ""
    domains: dict[str, Domain]
    kind_domains: dict[Literal[KIND_NAMES], DomainName] = {}  # type: ignore[valid-type]
    """Domain of kept web documents by kind of mixture, so that the recipe can give these a share of their own."""

    def reasons(self) -> pl.Expr:
        """List of the names of all failing rules of a row; documents of domains without rules pass."""
        names = joined(self._failing("rules"))
        return names.str.split(SEPARATOR).list.eval(pl.element().filter(pl.element() != ""))

    def columns(self) -> list[str]:
        """Names of the columns that `reasons` reads, sorted."""
        return sorted(set(self.reasons().meta.root_names()))

    def scores(self) -> list[str]:
        """Names of the scores (`curation.scores`) that `reasons` reads, sorted."""
        return [name.removeprefix(SCORE_PREFIX) for name in self.columns() if name.startswith(SCORE_PREFIX)]

    def line_reasons(self) -> pl.Expr:
        """Names of the rules that reject a line, `SEPARATOR` between them; '' for lines that stay.

        A row is a line: the columns of `filters.line_table` and ``domain``.
        """
        return joined(self._failing("lines"))

    def line_columns(self) -> list[str]:
        """Names of the columns that `line_reasons` reads, sorted; empty for a policy without rules for lines."""
        return sorted(set(self.line_reasons().meta.root_names()))

    def cleaned_domains(self) -> list[str]:
        """Domains with rules for lines."""
        return [name for name, domain in self.domains.items() if domain.lines]

    def _failing(self, kind: Literal["rules", "lines"]) -> list[tuple[str, pl.Expr]]:
        return [
            (name, ((pl.col("domain") == domain) & rules.fails(name)).fill_null(False))
            for domain, rules in self.domains.items()
            for name in getattr(rules, kind)
        ]


def policy_path(name: str) -> Path:
    """Path of a policy named in a recipe: a name in recipes/policies/, or a path of its own."""
    own = RECIPES_FOLDER / "policies" / f"{name}.yaml"
    path = own if own.is_file() else Path(name)
    if not path.is_file():
        known = sorted(p.stem for p in own.parent.glob("*.yaml"))
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known)}"
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
        message = "unknown key" + did_you_mean(str(error["loc"][-1]), known)
    return f"{'.'.join(map(str, error['loc'])) or 'policy'}: {message}"


def _try(policy: Policy, where: str) -> None:
    """Evaluate every rule on an empty table, so that a misspelt column fails now and not after an hour."""
    documents = pl.DataFrame(schema={**_IDENTITY, **dict.fromkeys(NAMES, pl.Float32)})
    lines = pl.DataFrame(schema=line_table.COLUMNS)
    for domain, rules in policy.domains.items():
        for name in (*rules.rules, *rules.lines):
            empty = documents if name in rules.rules else lines
            try:
                failing = rules.fails(name)
                scores = [column for column in failing.meta.root_names() if column.startswith(SCORE_PREFIX)]
                unknown = [pl.lit(None, pl.Float32).alias(column) for column in scores]  # a run says which there are
                found = empty.with_columns(unknown).select(failing).dtypes[0]
            except pl.exceptions.PolarsError as error:
                known = ", ".join(empty.columns)
                raise PolicyError(
                    f"{where}: {domain}.{name}: {str(error).splitlines()[0]}; columns: {known}"
                ) from error
            if found != pl.Boolean:
                raise PolicyError(f"{where}: {domain}.{name}: reject_when gives {found}; it must be true or false")
