"""Command `explain`: everything a run knows about one document, or a policy says of one text file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table
from rich.text import Text

from curation import schema, storage
from curation.dataset import part_name, read_part
from curation.languages import CODE, CODES, LANGUAGES
from curation.recipe import Annotate, Input, Select
from curation.scores import SCORE_PREFIX, dataset, score_names
from filters import code_switching
from filters.decisions import DOWNSAMPLED, LANGUAGE
from filters.explain import FAIL, OFF, PASS, Check, checks, combined, judge, measured, pieces, values
from filters.line_rules import REMOVED_REASON
from filters.policy import Policy, load_policy
from filters.signals import SIGNALS
from filters.what_if import OUTSIDE_POLICY
from jobs import progress
from jobs.errors import JobError
from jobs.look_up import check_columns, decided_files, final_decisions, recorded_policy, rows_at

BEGINNING = 600
"""Characters of the text to show."""

MEMBERS = 8
"""Other documents of a cluster to name."""

SPANS, LINE = 8, 100
"""Pieces of removed text to list that lie beyond the beginning, and characters of each."""

SUGGESTED_IDS = 3
REMOVED = "strike red"
MIXTURE_UNITS = {name: "ratio" for name in code_switching.NUMBERS} | {
    "code_mixing_index": "0 to 100", "m_index": "0 to 1", "burstiness": "-1 to 1", "span_entropy": "bits",
    "switch_points": "switches",
}  # fmt: skip
STYLES = {PASS: "green", FAIL: "bold red", OFF: "dim"}
UNITS = {signal.name: signal.unit for signal in SIGNALS} | {
    "language_score": "probability", "script": "ISO 15924", "utf8_bytes": "bytes", "invalid_utf8": "sequences",
    "removed_characters": "code points", **MIXTURE_UNITS,
}  # fmt: skip


def print_document(run: str, wanted: str, policy: str | None) -> None:
    """Print what the run knows about the document with an id, or at an address.

    Raises:
        JobError, FileNotFoundError: the run has not decided, or has no such document.
        PolicyError: ``policy`` is wrong.
    """
    decided_by = recorded_policy(run)
    applied = load_policy(policy) if policy else decided_by
    check_columns(run, applied.columns(), applied)
    address = find(run, wanted)
    document = rows_at(run, "documents", [address]).row(0, named=True)
    signals = rows_at(run, "signals", [address]).drop("bands", "sketch")
    for name in score_names(run):
        score = rows_at(run, dataset(name), [address], [name])
        signals = signals.with_columns(score[name].alias(SCORE_PREFIX + name))
    decision = rows_at(run, final_decisions(run), [address]).row(0, named=True)
    failed, removed = decision["reasons"], decision["removed"]
    found = checks(applied, signals)
    _print_identity(document, signals)
    _print_signals(applied, signals, found)
    _print_duplicates(run, rows_at(run, "duplicates", [address]).row(0, named=True))
    _print_decision(decided_by, failed)
    if not failed:
        progress.say(f"  {fate(run, address, signals['language'][0], decision['domain'])}")
    if policy:
        others = [name for name in failed if name in OUTSIDE_POLICY and name != REMOVED_REASON]
        failed, removed = judge(applied, document["text"], signals, others)
        _print_decision(applied, failed)
    _print_text(document["text"], removed)


def print_file(path: str, policy: str | None, language: str | None, domain: str | None) -> None:
    """Annotate one text file on the spot and print what a policy says of it.

    Raises:
        JobError: no such file, or an unknown language or domain.
        PolicyError: the policy is wrong.
    """
    applied = load_policy(policy or Select().policy)
    document, signals = annotate_file(path, applied, language, domain or "web")
    _print_identity(document, signals)
    _print_signals(applied, signals, checks(applied, signals))
    foreign = signals["language"][0] not in (*CODES, CODE)
    failed, removed = judge(applied, document["text"], signals, [LANGUAGE] * foreign)
    _print_decision(applied, failed)
    _print_text(document["text"], removed)


def annotate_file(path: str, policy: Policy, language: str | None, domain: str) -> tuple[dict[str, Any], pl.DataFrame]:
    """The document a file becomes and its one row of signals."""
    from curation.readers.raw import RAW
    from filters.annotate import Annotator  # loads the language model and the kernels

    if Path(path).is_dir():
        raise JobError(f"{path} is a folder; to explain a document of a run, give its id or address as well")
    if not Path(path).is_file():
        raise JobError(f"{path}: no such text file")
    _check_choice("--domain", domain, tuple(policy.domains))
    if language is not None:
        _check_choice("--language", language, (*CODES, CODE))
    row = {"id": Path(path).name, "text": Path(path).read_bytes()}
    source = Input(name="file", paths=[path], format="text", domain=domain, language=language)
    annotated = Annotator(Annotate()).annotate(pa.RecordBatch.from_pylist([row], schema=RAW), source, 0, 0)
    signals = pl.from_arrow(annotated.signals.drop_columns(["bands", "sketch"]))
    assert isinstance(signals, pl.DataFrame)
    unscored = [pl.lit(None, pl.Float32).alias(f"{SCORE_PREFIX}{name}") for name in policy.scores()]
    signals = signals.with_columns(unscored)
    return annotated.documents.to_pylist()[0] | {"address": None}, signals


def _check_choice(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        close = difflib.get_close_matches(value, known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}"
        raise JobError(f"unknown {option.removeprefix('--')} '{value}'; {hint}")


def find(run: str, wanted: str) -> int:
    """Address of the document with the id ``wanted``; a number that is no id is taken as an address itself.

    Raises:
        JobError: no such document, or several with this id.
    """
    files = decided_files(run)
    found: list[int] = []
    for file in files:
        part = read_part(run, "signals", file, ["address", "id"])
        found += part.filter(pc.equal(part["id"], wanted))["address"].to_pylist()
    if len(found) > 1:
        places = ", ".join(map(str, found[:MEMBERS]))
        raise JobError(f"{run}: {len(found)} documents have the id '{wanted}'; give one of their addresses: {places}")
    if found:
        return found[0]
    if wanted.isdecimal() and int(wanted) < 1 << 64:
        return int(wanted)
    near = _ids_with(run, files, wanted)
    hint = f"; ids that contain it: {', '.join(near)}" if near else ""
    raise JobError(f"{run}: no document has the id '{wanted}'{hint}")


def _ids_with(run: str, files: list[str], piece: str) -> list[str]:
    found: list[str] = []
    for file in files:
        ids = read_part(run, "signals", file, ["id"])["id"]
        found += ids.filter(pc.match_substring(ids, piece, ignore_case=True)).slice(0, SUGGESTED_IDS).to_pylist()
        if len(found) >= SUGGESTED_IDS:
            break
    return found[:SUGGESTED_IDS]


def fate(run: str, address: int, language: str, domain: str) -> str:
    """What the mixture made of a document that the policy keeps, in words."""
    file = f"{part_name(address >> schema.ADDRESS_ROW_BITS)}.parquet"
    if not storage.exists(storage.join(run, "curated", "manifest.json")):
        return "the mixture has not been dealt out yet"
    curated = f"language={language}/domain={domain}/{file}"
    if storage.exists(storage.join(run, "curated", curated)):
        part = read_part(run, "curated", curated, ["address", "copies"])
        copies = part.filter(pc.equal(part["address"], address))["copies"].to_pylist()
        if copies:
            return f"the mixture uses it {'once' if copies[0] == 1 else f'{copies[0]} times'} in an epoch"
    return f"left out by the mixture ({DOWNSAMPLED})"


def cluster_members(run: str, cluster: int) -> pl.DataFrame:
    """The documents of a cluster by address: id, match and similarity to the keeper."""
    frames = []
    for file in decided_files(run):
        part = read_part(run, "duplicates", file, ["address", "cluster", "match", "similarity"])
        rows = pc.indices_nonzero(pc.equal(part["cluster"], cluster))
        if len(rows):
            ids = read_part(run, "signals", file, ["id"]).take(rows)["id"]
            frame = pl.from_arrow(part.take(rows).drop_columns(["cluster"]).append_column("id", ids))
            assert isinstance(frame, pl.DataFrame)
            frames.append(frame)
    return pl.concat(frames).sort("address")


def _mixture(signals: pl.DataFrame) -> str | None:
    if "mixture_kind" not in signals.columns or signals["second_language"][0] is None:
        return None
    share = 1 - signals["main_language_share"][0]
    return f"{signals['mixture_kind'][0]}, {share:.1%} in other languages, most in {signals['second_language'][0]}"


def _print_identity(document: dict[str, Any], signals: pl.DataFrame) -> None:
    address, row_bits = document["address"], schema.ADDRESS_ROW_BITS
    place = address is not None and f"{address} (part {address >> row_bits}, row {address & ((1 << row_bits) - 1)})"
    code, score = signals["language"][0], signals["language_score"][0]
    name = LANGUAGES[code].name if code in LANGUAGES else "source code" if code == CODE else "none of the 29"
    facts = {
        "id": document["id"],
        "address": place,
        "language": f"{code} ({name}), probability {score:.3f}",
        "script": signals["script"][0] if "script" in signals.columns else None,
        "mixture": _mixture(signals),
        **{key: document[key] for key in ("domain", "source", "url", "license", "date", "metadata")},
        "URL category": signals["url_category"][0] if "url_category" in signals.columns else None,
        "content hash": document["content_hash"].hex(),
    }
    table = Table(box=None, show_header=False, title="document", title_justify="left")
    for key, value in facts.items():
        if value:
            table.add_row(key, Text(str(value)))
    progress.console.print(table)


def _print_signals(policy: Policy, signals: pl.DataFrame, found: list[Check]) -> None:
    table = Table(box=None, title=f"signals and policy {policy.name}", title_justify="left")
    table.add_column("signal", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    for name in ("unit", "rule", "allowed", ""):
        table.add_column(name, no_wrap=True)
    for number in measured(signals, found):
        rows = [_verdict(check) for check in number.checks] or [("", "", "")]
        for line, row in enumerate(rows):
            table.add_row(*((number.name, number.value, UNITS[number.name]) if line == 0 else ("", "", "")), *row)
    progress.console.print(table)
    others = combined(found)
    if others:
        table = Table(
            "rule", "condition", "", "values", box=None, title="rules on several signals", title_justify="left"
        )
        for check in others:
            table.add_row(*_verdict(check), Text(values(check, signals)))
        progress.console.print(table)


def _verdict(check: Check) -> tuple[str | Text, ...]:
    return check.rule, Text(check.condition), Text(check.verdict, STYLES[check.verdict])


def _print_duplicates(run: str, duplicate: dict[str, Any]) -> None:
    if duplicate["cluster_size"] == 1:
        progress.say("duplicates: none")
        return
    members = cluster_members(run, duplicate["cluster"])
    table = Table("", "id", "address", "match", title_justify="left", box=None,
                  title=f"duplicates: cluster {duplicate['cluster']} of {len(members)} documents")  # fmt: skip
    table.add_column("similarity to keeper", justify="right")
    is_keeper, is_this = pl.col("address") == duplicate["keeper"], pl.col("address") == duplicate["address"]
    shown = members.sort(~is_keeper, ~is_this, "address").head(MEMBERS + 1)
    for row in shown.iter_rows(named=True):
        roles = ["keeper"] * (row["address"] == duplicate["keeper"]) + ["this"] * (
            row["address"] == duplicate["address"]
        )
        similarity = "" if row["similarity"] is None else f"{row['similarity']:.3f}"
        table.add_row(", ".join(roles), Text(row["id"]), str(row["address"]), row["match"] or "", similarity)
    if len(members) > len(shown):
        table.add_row("", f"and {len(members) - len(shown)} more", "", "", "")
    progress.console.print(table)


def _print_decision(policy: Policy, failed: list[str]) -> None:
    verdict = f"rejected: {', '.join(failed)}" if failed else "kept"
    progress.console.print(Text(f"decision by {policy.name}: {verdict}", STYLES[FAIL if failed else PASS]))


def _print_text(text: str, removed: list[dict[str, Any]]) -> None:
    """The beginning of the text, removed lines struck and marked with their rules, and the first ones further on."""
    more = f" (the first {BEGINNING} of {len(text):,} characters)" if len(text) > BEGINNING else ""
    size = sum(span["stop"] - span["start"] for span in removed)
    lost = f"; {size:,} of {len(text.encode()):,} bytes are lines that the policy removes" if removed else ""
    shown, left, beyond = Text(), BEGINNING, []
    for piece in pieces(text, removed):
        beginning, left = piece.text[:left], left - min(left, len(piece.text))
        if piece.rules and not beginning:
            beyond.append(piece)
        elif piece.rules:
            lines = beginning.rstrip("\n")
            shown.append(lines, REMOVED)
            shown.append(f"  ← removed: {', '.join(piece.rules)}{beginning[len(lines) :]}", "dim")
        else:
            shown.append(beginning)
    progress.say(f"text{more}{lost}")
    progress.console.print(shown, soft_wrap=True)
    if beyond:
        progress.say(f"removed further on: {len(beyond)}" + (f", the first {SPANS} of them" * (len(beyond) > SPANS)))
    for piece in beyond[:SPANS]:
        line = Text(f"  {' '.join(piece.text.split())[:LINE]}", REMOVED)
        progress.console.print(line.append(f"  ← {', '.join(piece.rules)}", "not strike dim"), soft_wrap=True)
