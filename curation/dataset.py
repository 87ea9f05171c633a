"""Datasets on disk: parts, part records, manifests, and the ledger that makes every job resume at part grain.

A run is one folder. A job writes parts of one or more datasets; when all files of a part are in place it writes the
part's record ``_jobs/JOB/part-00012.json``. A part with a record is never redone. When all parts are there the job
writes each dataset's ``manifest.json`` and closes its ledger. The ledger carries the fingerprint of what the job's
output depends on (its share of the recipe, the fingerprints of its inputs): another fingerprint means the old output
is stale, and it is removed and made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation import storage

FORMAT_VERSION = 1
ROW_GROUP_BYTES = 32 << 20
Record = dict[str, Any]


def part_name(ordinal: int) -> str:
    return f"part-{ordinal:05d}"


def canonical_json(value: object) -> bytes:
    """The one JSON spelling of a value: sorted keys, no spaces. Fingerprints hash this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(value: object) -> str:
    """First 32 hexadecimal digits of the SHA-256 of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:32]


def pretty_json(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


class PartWriter:
    """Writes one Parquet part atomically (zstd level 3). `record` holds rows, bytes and sha256 after the block.

    Batches are gathered to row groups of about `ROW_GROUP_BYTES`: pyarrow makes each call a row group of its own.
    """

    def __init__(self, url: str, schema: pa.Schema) -> None:
        self._url, self._schema = url, schema
        self._stack = ExitStack()
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._rows = 0
        self.record: Record = {}

    def __enter__(self) -> PartWriter:
        self._local = self._stack.enter_context(storage.atomic_file(self._url))
        self._writer = pq.ParquetWriter(self._local, self._schema, compression="zstd", compression_level=3)
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self._rows += batch.num_rows
        if self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
            self._waiting, self._waiting_bytes = [], 0

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._flush()
            self._writer.close()
            self.record = file_record(self._local, self._rows)
        else:
            self._writer.close()
        self._stack.__exit__(*error)


def write_parquet(url: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Record:
    """Write one Parquet part atomically; returns its file record: rows, bytes, sha256."""
    with PartWriter(url, schema) as part:
        for batch in batches:
            part.write(batch)
    return part.record


def file_record(local: str, rows: int) -> Record:
    return {"rows": rows, "bytes": os.path.getsize(local), "sha256": storage.sha256(local)}


@dataclass(frozen=True)
class Job:
    """One job of a run: its name, the run's folder, the datasets it writes and the fingerprint of its output."""

    run: str
    name: str
    datasets: tuple[str, ...]
    fingerprint: str
    recipe: Record

    @property
    def ledger(self) -> str:
        return storage.join(self.run, "_jobs", self.name)

    def path(self, dataset: str, file: str = "") -> str:
        return storage.join(self.run, dataset, file) if file else storage.join(self.run, dataset)

    def open(self) -> bool:
        """Prepare the output folders; True when the job is already complete.

        Output of another fingerprint is stale: removed, ledger first, so that a crash in between leaves nothing that
        looks finished.
        """
        state_url = storage.join(self.ledger, "job.json")
        state = json.loads(storage.read_text(state_url)) if storage.exists(state_url) else None
        if state is None or state["fingerprint"] != self.fingerprint:
            storage.delete_folder(self.ledger)
            for dataset in self.datasets:
                storage.delete_folder(self.path(dataset))
            storage.write_bytes(state_url, pretty_json({"fingerprint": self.fingerprint, "recipe": self.recipe}))
            return False
        if storage.exists(storage.join(self.ledger, "done.json")):
            return True
        storage.sweep_temporary(self.run)  # the ledger and the funnel may have been cut short as well
        return False

    def write_record(self, ordinal: int, record: Record) -> None:
        """Declare a part finished. Called once all its files carry their final names."""
        storage.write_bytes(storage.join(self.ledger, f"{part_name(ordinal)}.json"), pretty_json(record))

    def finished_parts(self) -> list[int]:
        names = [path.rsplit("/", 1)[1] for path in storage.list_files(self.ledger)]
        return sorted(
            int(name[5:-5])
            for name in names
            if name.startswith("part-") and name.endswith(".json") and storage.TEMPORARY_MARK not in name
        )

    def records(self) -> list[Record]:
        """Records of all finished parts in part order."""
        return [self.record(part) for part in self.finished_parts()]

    def record(self, ordinal: int) -> Record:
        record: Record = json.loads(storage.read_text(storage.join(self.ledger, f"{part_name(ordinal)}.json")))
        return record

    def close(self, parents: dict[str, str], summary: Record | None = None) -> None:
        """Write every dataset's manifest from the part records, then mark the job complete."""
        self._write_manifests(parents)
        self.mark_done(summary)

    def mark_done(self, summary: Record | None = None) -> None:
        storage.write_bytes(
            storage.join(self.ledger, "done.json"), pretty_json({"fingerprint": self.fingerprint, **(summary or {})})
        )

    def summary(self) -> Record:
        """What the job said of itself when it was marked done."""
        done: Record = json.loads(storage.read_text(storage.join(self.ledger, "done.json")))
        return done

    def _write_manifests(self, parents: dict[str, str]) -> None:
        records = self.records()
        for dataset in self.datasets:
            files = {
                name: file for record in records for name, file in sorted(record["files"].get(dataset, {}).items())
            }
            manifest = {
                "format_version": FORMAT_VERSION,
                "dataset": dataset,
                "job": self.name,
                "fingerprint": self.fingerprint,
                "parents": parents,
                "recipe": self.recipe,
                "rows": sum(file["rows"] for file in files.values()),
                "bytes": sum(file["bytes"] for file in files.values()),
                "files": files,
                "schema": _schema_of(self.path(dataset), files),
            }
            storage.write_bytes(self.path(dataset, "manifest.json"), pretty_json(manifest))


def _schema_of(folder: str, files: dict[str, Record]) -> dict[str, str]:
    for name in files:
        if name.endswith(".parquet"):
            with storage.open_file(storage.join(folder, name)) as source:
                return {field.name: str(field.type) for field in pq.read_schema(source)}
    return {}


def read_manifest(run: str, dataset: str) -> Record:
    """The manifest of a finished dataset.

    Raises:
        FileNotFoundError: the dataset is not there or its job has not finished.
    """
    url = storage.join(run, dataset, "manifest.json")
    if not storage.exists(url):
        raise FileNotFoundError(f"{run}: dataset '{dataset}' is not finished (no {url}); run the job that writes it")
    manifest: Record = json.loads(storage.read_text(url))
    return manifest


def read_part(run: str, dataset: str, file: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One Parquet file of a dataset as a table."""
    with storage.open_file(storage.join(run, dataset, file)) as source:
        return pq.ParquetFile(source).read(columns=None if columns is None else list(columns), use_threads=False)


def iterate_part(
    run: str, dataset: str, file: str, batch_rows: int, columns: Sequence[str] | None = None
) -> Iterable[pa.RecordBatch]:
    """The rows of one Parquet file in batches of at most ``batch_rows``."""
    with storage.open_file(storage.join(run, dataset, file)) as source:
        wanted = None if columns is None else list(columns)
        yield from pq.ParquetFile(source).iter_batches(batch_rows, columns=wanted, use_threads=False)


def verify(run: str, dataset: str) -> list[str]:
    """Compare every file of a dataset with its manifest; returns the problems found."""
    problems = []
    for name, file in read_manifest(run, dataset)["files"].items():
        url = storage.join(run, dataset, name)
        if storage.size(url) != file["bytes"]:
            problems.append(f"{url}: {storage.size(url)} bytes, the manifest says {file['bytes']}")
        elif hashlib.sha256(storage.read_bytes(url)).hexdigest() != file["sha256"]:
            problems.append(f"{url}: SHA-256 differs from the manifest")
    return problems
