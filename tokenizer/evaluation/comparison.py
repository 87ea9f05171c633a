"""All figures of one tokenizer, and of several side by side, as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from curation.text.scan import Scanner
from tokenizer.evaluation.behaviour import behaviour
from tokenizer.evaluation.figures import figures
from tokenizer.evaluation.parallel import premium
from tokenizer.evaluation.subject import Subject, subject_of
from tokenizer.evaluation.usage import Text, Usage, count, measured, total
from tokenizer.evaluation.vocabulary import audit

Parallel = Mapping[str, Sequence[str]]


class Group(NamedTuple):
    """What texts are measured together."""

    language: str
    domain: str
    kind: str = ""  # of code: its programming language, where known


def evaluate(
    tokenizer: Tokenizer, samples: Mapping[str, Sequence[str]], parallel: Parallel | None = None
) -> dict[str, Any]:
    """All figures of one tokenizer on ``samples``, the documents of each language; see `record`."""
    scanner = Scanner()
    groups = {Group(language, ""): measured(documents, scanner) for language, documents in samples.items()}
    return record(subject_of(tokenizer), groups, parallel)


def compare(
    subjects: Sequence[Subject],
    groups: Mapping[Group, Text],
    parallel: Parallel | None = None,
    show: Callable[[int, str], None] = lambda done, name: None,
) -> dict[str, Any]:
    """``tokenizers``: the `record` of each subject, its ``name`` and, beside it, ``text``: what they were measured on.

    ``show`` is told the number of subjects done and the name of the next.
    """
    records = []
    for done, subject in enumerate(subjects):
        show(done, subject.name)
        records.append({"name": subject.name} | record(subject, groups, parallel))
    text = [
        {"language": group.language, "domain": group.domain, "kind": group.kind}
        | {"documents": len(text.text), "utf8_bytes": text.utf8_bytes}
        for group, text in groups.items()
    ]
    return {"tokenizers": records, "text": text}


def record(subject: Subject, groups: Mapping[Group, Text], parallel: Parallel | None = None) -> dict[str, Any]:
    """All figures of one subject.

    ``all``, and lists of rows ``languages``, ``domains``, ``groups`` (language and domain) and ``code`` (by programming
    language, where known): see `figures.figures`; rows are in the order of ``groups``. ``vocabulary``: see
    `vocabulary.audit`; ``behaviour``: see `behaviour.behaviour`; ``parallel``: see `parallel.premium`.
    """
    usages = {group: count(subject, text) for group, text in groups.items()}
    everything = total(usages.values())
    found: dict[str, Any] = {
        "all": figures(subject, everything),
        "languages": _rows(subject, usages, ("language",)),
        "domains": _rows(subject, usages, ("domain",)),
        "groups": _rows(subject, usages, ("language", "domain")),
        "code": _rows(subject, {group: usage for group, usage in usages.items() if group.kind}, ("kind",)),
        "vocabulary": audit(subject, everything.tokens),
        "behaviour": behaviour(subject),
    }
    return found | ({"parallel": premium(subject, parallel)} if parallel else {})


def _rows(subject: Subject, usages: Mapping[Group, Usage], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """One row for each combination of ``keys``."""
    gathered: dict[tuple[str, ...], list[Usage]] = {}
    for group, usage in usages.items():
        gathered.setdefault(tuple(getattr(group, key) for key in keys), []).append(usage)
    return [
        dict(zip(keys, values, strict=True)) | figures(subject, total(members)) for values, members in gathered.items()
    ]
