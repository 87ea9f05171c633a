"""`glotmill calibrate`: reads the signals of two runs, writes the policy, prints what it changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import polars as pl
from rich.table import Table

from curation import storage
from curation.dataset import read_manifest, read_part
from curation.languages import CODES
from filters import calibrate
from filters.calibrate import ANY_RULE, GROUP, Settings
from filters.policy import Policy, load_policy
from jobs import progress
from jobs.errors import JobError


def calibrate_policy(reference: str, raw: str | None, name: str, output: str, settings: Settings) -> None:
    """Write the calibrated policy to ``output``; the report is on ``raw``, or on the reference where there is none.

    Raises:
        JobError: a language is none of the 29, or a run lacks a signal of the policy.
        FileNotFoundError: a run is not annotated.
        PolicyError: the policy cannot be read.
    """
    _check_languages(settings.languages)
    policy = load_policy(name)
    fingerprint = read_manifest(reference, "signals")["fingerprint"]
    measured = pl.concat(_parts(reference, calibrate.reference_columns(policy)))
    calibration = calibrate.calibrate(measured, policy, settings)
    del measured
    rejected = _rejections(raw or reference, policy, calibration.policy)
    storage.write_bytes(output, calibrate.render(calibration, policy, settings, fingerprint).encode())
    _say_refusals(calibration)
    _print_rejections(rejected, raw or reference)
    progress.say(f"policy: {output}")


def _check_languages(languages: tuple[str, ...]) -> None:
    for language in languages:
        if language not in CODES:
            close = difflib.get_close_matches(language, CODES, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"write one of {', '.join(CODES)}"
            raise JobError(f"--language {language}: none of the 29 languages; {hint}")


def _parts(run: str, columns: list[str]) -> Iterator[pl.DataFrame]:
    manifest = read_manifest(run, "signals")
    missing = [column for column in columns if column not in manifest["schema"]]
    if missing:
        raise JobError(f"{run}: its signals lack {', '.join(missing)}, which the policy reads; run annotate again")
    for file in sorted(manifest["files"]):
        frame = pl.from_arrow(read_part(run, "signals", file, columns))
        assert isinstance(frame, pl.DataFrame)
        yield frame


def _rejections(run: str, before: Policy, after: Policy) -> pl.DataFrame:
    columns = sorted({*GROUP, *before.columns(), *after.columns()})
    return calibrate.total_rejections([calibrate.rejections(part, before, after) for part in _parts(run, columns)])


def _say_refusals(calibration: calibrate.Calibration) -> None:
    for group in calibration.groups:
        if group.refusal and group.documents:
            progress.say(
                f"{group.domain} {group.language}: keeps the policy's bounds ({group.documents:,} documents, "
                f"{group.bytes:,} bytes: {group.refusal})"
            )
    calibrated = sum(not group.refusal for group in calibration.groups)
    progress.say(f"{calibrated} of {len(calibration.groups)} pairs of domain and language calibrated")


def _print_rejections(rejected: pl.DataFrame, run: str) -> None:
    """Two tables: totals of all languages, then the rules whose share of rejected documents changes."""
    total = pl.col("rule") == ANY_RULE
    changed = ~total & (pl.col("before") != pl.col("after"))
    for title, rows in (("all rules", rejected.filter(total)), ("rules that change", rejected.filter(changed))):
        table = Table(title=f"{run}: documents rejected, {title}", title_justify="left", box=None)
        for column in ("domain", "language", "rule"):
            table.add_column(column, no_wrap=True)
        for column in ("documents", "before", "after", "before %", "after %"):
            table.add_column(column, justify="right")
        for domain, language, rule, documents, before, after in rows.iter_rows():
            shares = (f"{100 * count / documents:.1f}" for count in (before, after))
            table.add_row(domain, language, rule, f"{documents:,}", f"{before:,}", f"{after:,}", *shares)
        progress.console.print(table)
