"""Job `passages`: lines, paragraphs and substrings that documents share are cut out of all but the first of them.

From ``decisions/`` to ``passages/``, the same rows with more spans removed; only documents that passed count. Keys of
parts -> what is repeated, by partition of the key -> documents without it, by part; then the same for substrings, whose
windows are looked for around seeds (`curation.dedup.substrings`). Text is read where it lies and never shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import schema, storage
from curation.dataset import Job, Record, fingerprint, iterate_part, part_name, read_part, write_parquet
from curation.dedup import keys, passages, substrings
from curation.dedup.exchange import Exchange
from curation.dedup.keepers import parts_of
from curation.recipe_dedup import Passages
from curation.text.cut import cut
from curation.text.scan import Scanner
from filters import decisions
from filters import passages as cleaning
from jobs import progress
from jobs.parts import Each
from jobs.run_context import JobError, Run

VERSION = 1
DRAFT = pa.schema([schema.DECISIONS.field("removed")])
Choose = Callable[[pa.Table], pa.RecordBatch]
BATCH_ROWS = 1000
PARTITION_BYTES = 64 << 20
"""Text whose passages one task compares: a million keys or so, for a line or a seed has about 50 bytes."""


class Kept(NamedTuple):
    """The documents of a batch that passed."""

    rows: np.ndarray  # int64, in the part
    text: pa.Array
    address: np.ndarray
    languages: list[str]
    removed: pa.ListArray


def passages_job(run: Run, decided: Job) -> Job:
    assert run.recipe.dedup.passages is not None
    described = {
        "version": VERSION,
        "passages": run.recipe.dedup.passages.model_dump(),
        "decisions": decided.fingerprint,
    }
    return Job(run.output, "passages", ("passages",), fingerprint(described), described)


@dataclass(frozen=True)
class Steps:
    """Each method is one step: a function of the number of a task, which reads files and leaves one."""

    job: Job
    settings: Passages
    parts: tuple[int, ...]
    utf8_bytes: int

    @property
    def partitions(self) -> int:
        return min(4096, 1 + self.utf8_bytes // PARTITION_BYTES)

    def folder(self) -> str:
        return storage.join(self.job.ledger, "exchange")

    def kinds(self) -> list[str]:
        rules = {cleaning.LINE: self.settings.lines, cleaning.PARAGRAPH: self.settings.paragraphs}
        return [kind for kind, rule in rules.items() if rule is not None]

    def _exchange(self, name: str, columns: pa.Schema) -> Exchange:
        """Of rows by partition of their key."""
        return Exchange(storage.join(self.folder(), name), columns, self.partitions)

    def _back(self, name: str, columns: pa.Schema) -> Exchange:
        """Of rows by the part of their document."""
        return Exchange(storage.join(self.folder(), name), columns, len(self.parts))

    def _part_of(self, rows: pa.RecordBatch) -> np.ndarray:
        """Place of each row's part among the parts."""
        place: np.ndarray = np.searchsorted(np.array(self.parts), parts_of(rows["address"].to_numpy()))
        return place

    def _kept(self, part: int, removed: pa.ChunkedArray | None = None) -> Iterator[Kept]:
        """The documents that passed, in batches; ``removed`` instead of what the decisions say."""
        decided = read_part(self.job.run, "decisions", _file(part))
        spans = decided["removed"] if removed is None else removed
        passes = pc.equal(pc.list_value_length(decided["reasons"]), 0).to_numpy()
        row = 0
        for batch in iterate_part(self.job.run, "documents", _file(part), BATCH_ROWS, ["text", "address"]):
            rows = np.flatnonzero(passes[row : row + batch.num_rows])
            if len(rows):
                taken, all_rows = pa.array(rows), pa.array(rows + row)
                yield Kept(
                    rows + row, batch["text"].take(taken), batch["address"].take(taken).to_numpy(),
                    decided["language"].take(all_rows).to_pylist(), spans.take(all_rows).combine_chunks(),
                )  # fmt: skip
            row += batch.num_rows

    # Lines and paragraphs

    def line_keys(self, task: int) -> int:
        """PASSAGES of one part, by kind."""
        names = {kind: self._exchange(f"{kind}-keys", passages.PASSAGES) for kind in self.kinds()}
        if all(exchange.has(task) for exchange in names.values()):
            return task
        scanner, found = Scanner(), {kind: [passages.PASSAGES.empty_table()] for kind in names}
        for kept in self._kept(self.parts[task]):
            lines = cleaning.find_lines(kept.text, kept.removed, kept.languages, self.settings, scanner)
            for kind, rows in cleaning.line_passages(lines, kept.address).items():
                found[kind].append(pa.Table.from_batches([rows]))
        for kind, exchange in names.items():
            table = pa.concat_tables(found[kind]).combine_chunks()
            exchange.write(task, table, keys.partition_of(table["key"].to_numpy(), self.partitions))
        return task

    def repeated_lines(self, partition: int) -> int:
        """The passages that documents lose, by part."""
        for kind, rule in ((cleaning.LINE, self.settings.lines), (cleaning.PARAGRAPH, self.settings.paragraphs)):
            exchange = self._back(f"{kind}-lost", passages.PASSAGES)
            if rule is not None and not exchange.has(partition):
                rows = self._exchange(f"{kind}-keys", passages.PASSAGES).read(partition, range(len(self.parts)))
                found = passages.repeated(rows, rule.keep, rule.more_than)
                facts = {"passages": found.passages, "documents": found.rows.num_rows}
                exchange.write(partition, found.rows, self._part_of(found.rows), facts)
        return partition

    def clean_lines(self, task: int) -> int:
        """The column ``removed`` of one part without these."""
        url = self._draft(task)
        if storage.exists(url):
            return task
        lost = {kind: self._back(f"{kind}-lost", passages.PASSAGES).read(task, range(self.partitions))
                for kind in self.kinds()}  # fmt: skip
        scanner = Scanner()

        def cleaned(kept: Kept) -> pa.ListArray:
            lines = cleaning.find_lines(kept.text, kept.removed, kept.languages, self.settings, scanner)
            return cleaning.without_lines(lines, kept.address, lost)

        removed = read_part(self.job.run, "decisions", _file(self.parts[task]), ["removed"])["removed"]
        table = pa.table([self._replaced(task, removed, cleaned) if lost else removed], schema=DRAFT)
        write_parquet(url, table.to_batches(), DRAFT)
        return task

    def _draft(self, task: int) -> str:
        return storage.join(self.folder(), "lines", _file(self.parts[task]))

    def _read_draft(self, task: int) -> pa.ChunkedArray:
        return read_part(self.folder(), "lines", _file(self.parts[task]))["removed"]

    def _replaced(self, task: int, removed: pa.ChunkedArray, clean: Callable[[Kept], pa.ListArray]) -> pa.ChunkedArray:
        """The column ``removed`` of a part with what ``clean`` makes of it for the documents that passed."""
        pieces, source = [removed.combine_chunks()], np.arange(len(removed))
        for kept in self._kept(self.parts[task], removed):
            source[kept.rows] = sum(map(len, pieces)) + np.arange(len(kept.rows))
            pieces.append(clean(kept))
        return pa.chunked_array([pa.concat_arrays(pieces).take(pa.array(source))])

    # Substrings

    def seeds(self, task: int) -> int:
        exchange = self._exchange("seeds", substrings.WINDOWS)
        length = self.settings.substring_bytes
        if length is not None and not exchange.has(task):
            self._write_windows(exchange, task, [
                substrings.seeds(cut(kept.text, kept.removed), kept.address, length)
                for kept in self._kept(self.parts[task], self._read_draft(task))
            ])  # fmt: skip
        return task

    def recurring_seeds(self, partition: int) -> int:
        return self._places(partition, "seeds", "recurring", substrings.recurring)

    def windows(self, task: int) -> int:
        """Every window around seeds that recur."""
        exchange = self._exchange("windows", substrings.WINDOWS)
        length = self.settings.substring_bytes
        if length is not None and not exchange.has(task):
            places = self._back("recurring", substrings.PLACES).read(task, range(self.partitions))
            self._write_windows(exchange, task, [
                substrings.windows_around(cut(kept.text, kept.removed), kept.address, _of(places, kept), length)
                for kept in self._kept(self.parts[task], self._read_draft(task))
            ])  # fmt: skip
        return task

    def repeated_windows(self, partition: int) -> int:
        return self._places(partition, "windows", "again", substrings.not_first)

    def _write_windows(self, exchange: Exchange, task: int, found: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches(found, substrings.WINDOWS).combine_chunks()
        exchange.write(task, table, keys.partition_of(table["key"].to_numpy(), self.partitions))

    def _places(self, partition: int, source: str, target: str, choose: Choose) -> int:
        exchange = self._back(target, substrings.PLACES)
        if self.settings.substring_bytes is not None and not exchange.has(partition):
            found = choose(self._exchange(source, substrings.WINDOWS).read(partition, range(len(self.parts))))
            exchange.write(partition, found, self._part_of(found))
        return partition

    # The result

    def write(self, task: int) -> int:
        """One part of ``passages/`` and its record."""
        part, length = self.parts[task], self.settings.substring_bytes
        removed = self._read_draft(task)
        if length is not None:
            places = self._back("again", substrings.PLACES).read(task, range(self.partitions))

            def cleaned(kept: Kept) -> pa.ListArray:
                own = _of(places, kept)
                return cleaning.without_substrings(kept.text, kept.removed, kept.address, own, length)

            removed = self._replaced(task, removed, cleaned)
        decided = read_part(self.job.run, "decisions", _file(part))
        before = decided["removed"]
        field = schema.DECISIONS.field("removed")
        decided = decided.set_column(schema.DECISIONS.get_field_index("removed"), field, removed.cast(field.type))
        decided = cleaning.reject_rests(decided, before, self.settings.min_left)
        file = write_parquet(self.job.path("passages", _file(part)), decided.to_batches(), schema.DECISIONS)
        counts = {"documents": decided.num_rows, "utf8_bytes": pc.sum(decided["utf8_bytes"]).as_py() or 0}
        record = {"files": {"passages": {_file(part): file}}, "counts": counts, "funnel": decisions.funnel(decided)}
        self.job.write_record(part, record)
        return task

    def facts(self) -> Record:
        """How many different lines and paragraphs were shared, and how often one was cut out."""
        out: Record = {}
        for kind in self.kinds():
            tasks = self._back(f"{kind}-lost", passages.PASSAGES).facts(range(self.partitions))
            out[kind] = {name: sum(fact[name] for fact in tasks) for name in ("passages", "documents")}
        return out


def _file(part: int) -> str:
    return f"{part_name(part)}.parquet"


def _of(places: pa.Table, kept: Kept) -> pa.Table:
    """The places that lie in the documents of a batch."""
    address = places["address"].to_numpy()
    return places.filter(pa.array((address >= kept.address[0]) & (address <= kept.address[-1])))


def cut_passages(run: Run, decided: Job) -> Job:
    """Run the job, or find it done.

    Raises:
        JobError: no document is left.
    """
    job = passages_job(run, decided)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    settings = run.recipe.dedup.passages
    assert settings is not None
    utf8_bytes = sum(row["passed_bytes"] for row in decided.summary()["funnel"])
    steps = Steps(job, settings, tuple(decided.finished_parts()), utf8_bytes)
    with progress.parts(job, len(steps.parts)):
        run.execute(lambda pipeline: _graph(pipeline, steps), len(steps.parts) // 4)
    funnel = decisions.merge([record["funnel"] for record in job.records()])
    if not sum(row["passed"] for row in funnel):
        raise JobError("dedup.passages: nothing is left of any document; raise keep or more_than, or lower min_left")
    before = {(row["language"], row["domain"]): row["removed_bytes"] for row in decided.summary()["funnel"]}
    lost = sum(row["removed_bytes"] - before.get((row["language"], row["domain"]), 0) for row in funnel)
    job.close({"decisions": decided.fingerprint}, {"funnel": funnel, "shared": steps.facts(), "bytes": lost})
    storage.delete_folder(steps.folder())
    return job


def _graph(pipeline: beam.Pipeline, steps: Steps) -> beam.PCollection[int]:
    parts, partitions = range(len(steps.parts)), range(steps.partitions)
    done = pipeline | "Start" >> beam.Create([0])
    if steps.kinds():
        done = done | "LineKeys" >> Each(steps.line_keys, parts) | "Repeated" >> Each(steps.repeated_lines, partitions)
    done = done | "Clean" >> Each(steps.clean_lines, parts)
    if steps.settings.substring_bytes is not None:
        done = done | "Seeds" >> Each(steps.seeds, parts) | "Recurring" >> Each(steps.recurring_seeds, partitions)
        done = done | "Windows" >> Each(steps.windows, parts) | "Again" >> Each(steps.repeated_windows, partitions)
    return done | "Write" >> Each(steps.write, parts)
