"""Looking into a run that has decided: its policy, its parts, and single rows by address."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation import storage
from curation.dataset import part_name, read_manifest, read_part
from curation.schema import ADDRESS_ROW_BITS
from curation.scores import SCORE_PREFIX, dataset, score_names, with_scores
from filters.policy import Policy, parse_policy
from jobs.errors import JobError


def recorded_policy(run: str) -> Policy:
    """The policy by which the run decided, from the ledger of job `decide`.

    Raises:
        JobError: the run has not decided, or its ledger is damaged.
    """
    url = storage.join(run, "_jobs", "decide", "job.json")
    if not storage.exists(url):
        raise JobError(f"{run}: no decisions here (no {url}); run `glotmill select` on its recipe")
    try:
        data: Any = json.loads(storage.read_text(url))["recipe"]["policy"]
    except (ValueError, KeyError, TypeError) as error:
        raise JobError(f"{url} is damaged ({error!r}); remove it and run `glotmill select` again") from error
    return parse_policy(data, url)


def decided_files(run: str) -> list[str]:
    """Names of the parts of a run, the same in ``documents/``, ``signals/``, ``duplicates/`` and ``decisions/``.

    Raises:
        FileNotFoundError: a job before has not finished.
        JobError: the decisions were made from other signals than those that are there, or by an older version.
    """
    signals, decisions = read_manifest(run, "signals"), read_manifest(run, "decisions")
    if decisions["parents"]["signals"] != signals["fingerprint"]:
        raise JobError(f"{run}: decisions/ belongs to older signals; run `glotmill select` on its recipe again")
    if "removed" not in decisions["schema"]:
        raise JobError(f"{run}: decisions/ is of an older version; run `glotmill select` on its recipe again")
    return sorted(signals["files"])


def final_decisions(run: str) -> str:
    """The dataset of DECISIONS that ``curated/`` follows: ``passages/`` where shared passages were cut."""
    url = storage.join(run, "_jobs", "select", "job.json")
    followed = json.loads(storage.read_text(url))["recipe"]["decisions"] if storage.exists(url) else None
    there = storage.exists(storage.join(run, "passages", "manifest.json"))
    return "passages" if there and read_manifest(run, "passages")["fingerprint"] == followed else "decisions"


def score_fingerprints(run: str, policy: Policy) -> dict[str, str]:
    """Fingerprints of the scores that a policy reads.

    Raises:
        JobError: the run has no such score.
    """
    there = score_names(run)
    for name in policy.scores():
        if name not in there:
            known = f"it has {', '.join(there)}" if there else "it has none"
            raise JobError(
                f"{run}: policy '{policy.name}' reads {SCORE_PREFIX}{name}, and the run has no score '{name}' "
                f"({known}); name it under 'scores' in the recipe"
            )
    return {name: read_manifest(run, dataset(name))["fingerprint"] for name in policy.scores()}


def check_columns(run: str, columns: Sequence[str], policy: Policy) -> None:
    """Raise JobError where ``signals/`` lacks a column, as those of an older version may, or the run a score."""
    score_fingerprints(run, policy)
    there, wanted_by = read_manifest(run, "signals")["schema"], policy.name
    missing = [name for name in columns if name not in there and not name.startswith(SCORE_PREFIX)]
    if missing:
        raise JobError(
            f"{run}: signals/ has no column {', '.join(missing)}, which policy '{wanted_by}' reads; "
            "run `glotmill annotate` on its recipe again"
        )


def read_frame(run: str, dataset: str, file: str, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of one part as a frame."""
    frame = pl.from_arrow(read_part(run, dataset, file, columns))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(columns)


def read_signals(run: str, file: str, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of one part's signals and of its scores, ``score_NAME``, as a frame."""
    scores = [name.removeprefix(SCORE_PREFIX) for name in columns if name.startswith(SCORE_PREFIX)]
    stored = [name for name in columns if not name.startswith(SCORE_PREFIX)]
    table = read_part(run, "signals", file, [*stored, *(["address"] if scores and "address" not in stored else [])])
    frame = pl.from_arrow(with_scores(run, file, table, scores))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(columns)


def rows_at(run: str, dataset: str, addresses: Sequence[int], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of a row-aligned dataset at ``addresses``, in their order. Reads only the row groups they lie in.

    Raises:
        JobError: there is no such address in the run.
    """
    parts: dict[int, list[int]] = {}
    for address in addresses:
        parts.setdefault(address >> ADDRESS_ROW_BITS, []).append(address & ((1 << ADDRESS_ROW_BITS) - 1))
    found: dict[int, pa.Table] = {}
    for part, rows in parts.items():
        for row, table in zip(rows, _rows(run, dataset, part, rows, columns), strict=True):
            found[part << ADDRESS_ROW_BITS | row] = table
    frame = pl.from_arrow(pa.concat_tables([found[address] for address in addresses]))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _rows(run: str, dataset: str, part: int, rows: list[int], columns: Sequence[str] | None) -> list[pa.Table]:
    url = storage.join(run, dataset, f"{part_name(part)}.parquet")
    if not storage.exists(url):
        raise JobError(f"{run}: there is no document in part {part} (no {url})")
    out = []
    with storage.open_file(url) as source:
        file = pq.ParquetFile(source)
        groups: dict[int, pa.Table] = {}
        for row in rows:
            group, inside = _row_group(file.metadata, row, url)
            if group not in groups:
                groups[group] = file.read_row_group(group, None if columns is None else list(columns))
            out.append(groups[group].slice(inside, 1))
    return out


def _row_group(metadata: Any, row: int, url: str) -> tuple[int, int]:
    """The row group that holds a row, and the row's place in it."""
    first = 0
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).num_rows
        if row < first + size:
            return group, row - first
        first += size
    raise JobError(f"{url} has {first:,} rows; there is no row {row:,}")
