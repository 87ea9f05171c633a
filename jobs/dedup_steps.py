"""The steps of the job `dedup`: each a function of the number of a task, which reads files and leaves one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.dataset import Job, Record, part_name, read_part, write_parquet
from curation.dedup import components, keys
from curation.dedup.exchange import Exchange
from curation.dedup.keepers import candidates_schema, choose_keepers, fill_part, parts_of, rows_of
from curation.dedup.minhash import shingle_sets
from curation.recipe import Recipe
from curation.schema import ADDRESS_ROW_BITS, DUPLICATES
from curation.scores import with_scores
from curation.text.scan import Scanner
from filters.policy import COLUMNS, load_policy
from jobs.errors import JobError

GROUP_ROWS = 250_000
"""Documents whose keys one task sorts, about 0.5 GB."""
PARTITION_KEYS = 1 << 20
"""Keys that one task joins, about 100 MB."""
COMPONENT_ROWS, EXACT_COMPONENT_ROWS = 1 << 18, 1 << 15
"""Documents whose candidates one task holds at most, on average: 0.5 kB each, or 3 kB with their sets of shingles."""
SCAN_ROWS = 1000


class Source(NamedTuple):
    """One part of the run or of an earlier one."""

    run: str
    part: int
    ordinal: int  # its number in addresses
    rows: int


def grouped(sources: list[Source]) -> tuple[tuple[Source, ...], ...]:
    """Sources in groups of about `GROUP_ROWS`, none of two runs."""
    groups: list[list[Source]] = []
    for source in sources:
        last = groups[-1] if groups else []
        if not last or last[0].run != source.run or sum(s.rows for s in last) + source.rows > GROUP_ROWS:
            groups.append([])
        groups[-1].append(source)
    return tuple(tuple(group) for group in groups)


@dataclass(frozen=True)
class Steps:
    """What the steps share. ``number`` is that of the round of stars, None for union-find."""

    job: Job
    recipe: Recipe
    groups: tuple[tuple[Source, ...], ...]
    number: int | None = None

    def documents(self) -> int:
        return sum(source.rows for group in self.groups for source in group)

    @property
    def partitions(self) -> int:
        each = self.recipe.annotate.minhash.bands + 2
        return min(4096, 1 + self.documents() * each // PARTITION_KEYS)

    @property
    def components(self) -> int:
        rows = EXACT_COMPONENT_ROWS if self.recipe.dedup.verify == "exact" else COMPONENT_ROWS
        return min(4096, 1 + self.documents() // rows)

    def own_groups(self) -> int:
        return sum(group[0].run == self.job.run for group in self.groups)

    def round(self, number: int) -> Steps:
        return replace(self, number=number)

    def folder(self, name: str = "") -> str:
        return storage.join(self.job.ledger, "exchange", name)

    # Exchanges, by the step that writes them

    def _keys(self) -> Exchange:
        return Exchange(self.folder("keys"), keys.KEYS, self.partitions)

    def _edges(self, number: int | None) -> Exchange:
        """Edges once for union-find; for rounds both ways, by partition of the left document."""
        name = "edges" if not number else f"edges-{number}"
        return Exchange(self.folder(name), keys.EDGES, self.partitions)

    def _large(self) -> Exchange:
        return Exchange(self.folder(f"large-{self.number}"), keys.EDGES, self.partitions)

    def _members(self) -> Exchange:
        return Exchange(self.folder("members"), components.MEMBERS, len(self.groups))

    def _candidates(self) -> Exchange:
        return Exchange(self.folder("candidates"), candidates_schema(len(self.recipe.dedup.prefer)), self.components)

    def _chosen(self) -> Exchange:
        return Exchange(self.folder("chosen"), DUPLICATES, self.own_groups())

    # Steps

    def keys(self, group: int) -> int:
        """KEYS of one group of parts."""
        exchange = self._keys()
        if not exchange.has(group):
            found = [self._part_keys(source) for source in self.groups[group]]
            table = pa.Table.from_batches(found, keys.KEYS)
            exchange.write(group, table, keys.partition_of(table["key"].to_numpy(), self.partitions))
        return group

    def _part_keys(self, source: Source) -> pa.RecordBatch:
        columns = read_part(source.run, "signals", _file(source), ["address", "bands", "content_hash"]).combine_chunks()
        lists = self._key_lists(source, columns)
        address = columns["address"].combine_chunks()
        if source.run == self.job.run:
            return keys.keys_of(address, address, lists)
        keeper = read_part(source.run, "duplicates", _file(source), ["keeper"])["keeper"].combine_chunks()
        known = pa.array(
            keeper.to_numpy() < keys.SETTLED
        )  # others are merged into a run that this one must name itself
        return keys.keys_of(
            _settled(address, source).filter(known), _settled(keeper, source).filter(known), lists.filter(known)
        )

    def _key_lists(self, source: Source, columns: pa.Table) -> pa.ListArray:
        url = self._url_hashes(source) if self.recipe.dedup.same_url else None
        return keys.key_lists(columns["bands"].combine_chunks(), columns["content_hash"].combine_chunks(), url)

    def _url_hashes(self, source: Source) -> np.ndarray:
        return keys.url_hashes(read_part(source.run, "documents", _file(source), ["url"])["url"].combine_chunks())

    def edges(self, partition: int) -> int:
        """EDGES of one partition of the keys."""
        exchange = self._edges(None)
        if not exchange.has(partition):
            table = self._keys().read(partition, range(len(self.groups)))
            found = keys.star_edges(*(table[name].to_numpy() for name in ("key", "address", "keeper")))
            self._write_edges(exchange, partition, components.both_ways(found))
        return partition

    def _write_edges(self, exchange: Exchange, task: int, edges: pa.RecordBatch) -> None:
        left = keys.spread(edges["left"].to_numpy())
        exchange.write(task, edges, keys.partition_of(left, self.partitions))

    def connect(self, task: int) -> int:
        """MEMBERS of all components, on one worker."""
        exchange = self._members()
        if not exchange.has(task):
            graph = components.UnionFind({s.ordinal: s.rows for group in self.groups for s in group})
            edges = self._edges(None)
            for partition in range(self.partitions):
                block = edges.read(partition, range(self.partitions))
                left, right = block["left"].to_numpy(), block["right"].to_numpy()
                once = left > right
                graph.add(left[once], right[once])
            self._write_members(task, pa.Table.from_batches(graph.members(), components.MEMBERS))
        return task

    def _write_members(self, task: int, members: pa.Table | pa.RecordBatch) -> None:
        first = np.array([group[0].ordinal for group in self.groups])
        group = np.searchsorted(first, parts_of(members["address"].to_numpy()), side="right") - 1
        self._members().write(task, members, group)

    def large_stars(self, partition: int) -> int:
        exchange = self._large()
        if not exchange.has(partition):
            edges = self._edges(self.number).read(partition, range(self.partitions))
            self._write_edges(exchange, partition, components.large_star(edges))
        return partition

    def small_stars(self, partition: int) -> int:
        assert self.number is not None
        exchange = self._edges(self.number + 1)
        if not exchange.has(partition):
            edges = self._large().read(partition, range(self.partitions))
            self._write_edges(exchange, partition, components.both_ways(components.small_star(edges)))
        return partition

    def edge_checksum(self) -> int:
        """Of the set of edges that the round begins with."""
        blocks = (self._edges(self.number).read(p, range(self.partitions)) for p in range(self.partitions))
        return sum(components.checksum(block) for block in blocks)

    def members_of_stars(self, partition: int) -> int:
        """MEMBERS of the components whose smallest document is in this partition, after the last round."""
        if not self._members().has(partition):
            edges = self._edges(self.number).read(partition, range(self.partitions))
            outward = edges.filter(pc.less(edges["left"], edges["right"]))
            stars = pa.table([outward["right"], outward["left"]], schema=keys.EDGES)
            self._write_members(partition, components.star_members(stars))
        return partition

    def candidates(self, group: int) -> int:
        """For the members in one group of parts: what the choice of a keeper needs."""
        exchange = self._candidates()
        if not exchange.has(group):
            tasks = [0] if self.number is None else list(range(self.partitions))
            members = self._members().read(group, tasks)
            part = parts_of(members["address"].to_numpy())
            tables = [
                self._part_candidates(source, members.filter(pa.array(part == source.ordinal)))
                for source in self.groups[group]
                if (part == source.ordinal).any()
            ]
            table = pa.concat_tables([exchange.schema.empty_table(), *tables])
            spread = keys.spread(table["candidates"].to_numpy())
            exchange.write(group, table, keys.partition_of(spread, self.components))
        return group

    def _part_candidates(self, source: Source, members: pa.Table) -> pa.Table:
        rows = pa.array(rows_of(members["address"].to_numpy()))
        n = len(rows)
        base = ["id", "content_hash", "sketch", "bands"]
        wanted = [*base, *(name for name in self._preference_columns() if name not in base)]
        scores = [name.removeprefix("score_") for name in wanted if name.startswith("score_")]
        signals = read_part(source.run, "signals", _file(source))
        if self._is_index(signals):
            wanted, scores = base, []
        signals = with_scores(source.run, _file(source), signals, scores)
        taken = signals.select(wanted).take(rows).combine_chunks()
        url = self._url_hashes(source)[rows.to_numpy()] if self.recipe.dedup.same_url else None
        columns = {name: taken[name] for name in ("id", "content_hash", "sketch")} | {
            "address": members["address"], "candidates": members["candidates"], "keeper": members["address"],
            "cluster_size": pa.array(np.zeros(n, np.uint32)),
            "url_hash": pa.array(np.zeros(n, np.uint64) if url is None else url),
            "keys": keys.key_lists(taken["bands"].combine_chunks(), taken["content_hash"].combine_chunks(), url),
            "shingles": self._shingles(source, rows, self._is_index(signals)),
        }  # fmt: skip
        if source.run != self.job.run:
            found = read_part(source.run, "duplicates", _file(source), ["keeper", "cluster_size"]).take(rows)
            columns["keeper"] = _settled(found["keeper"].combine_chunks(), source)
            columns["cluster_size"] = found["cluster_size"]
        if self._is_index(signals):  # settled documents are preferred to all others; among themselves by their ids
            preferences = [pa.nulls(n, pa.float64())] * len(self.recipe.dedup.prefer)
        else:
            preferences = self._preferences(source, taken, rows)
        columns |= {f"preference_{i}": column for i, column in enumerate(preferences)}
        schema = self._candidates().schema
        return pa.table([columns[field.name] for field in schema], schema=schema)

    @staticmethod
    def _is_index(signals: pa.Table) -> bool:
        return "language" not in signals.column_names

    def _shingles(self, source: Source, rows: pa.Array, is_index: bool) -> pa.Array:
        if is_index or self.recipe.dedup.verify != "exact":
            return pa.nulls(len(rows), pa.list_(pa.uint32()))
        text = read_part(source.run, "documents", _file(source), ["text"]).take(rows)["text"].combine_chunks()
        scanner, pieces = Scanner(), []
        for start in range(0, len(text), SCAN_ROWS):
            piece = text.slice(start, SCAN_ROWS)
            pieces.append(shingle_sets(piece, scanner.scan(piece), self.recipe.annotate.minhash.shingle))
        return pa.concat_arrays(pieces)

    def _preference_columns(self) -> list[str]:
        """Signals that the order of preference reads.

        Raises:
            JobError: there is no such signal.
        """
        found: set[str] = set()
        for term in self.recipe.dedup.prefer:
            signal = term.partition(":")[2]
            if signal and signal not in COLUMNS and not signal.startswith("score_"):
                raise JobError(f"dedup.prefer: no signal '{signal}'; `glotmill signals` lists them")
            found |= {signal} if signal else set()
            found |= {"characters"} if term in ("longest", "shortest") else set()
            found |= {"source"} if term == "source" else set()
            found |= set(load_policy(self.recipe.select.policy).columns()) if term == "fewest_failures" else set()
        return sorted(found)

    def _preferences(self, source: Source, signals: pa.Table, rows: pa.Array) -> list[pa.Array]:
        """One column for each term of ``dedup.prefer``, smaller is better: float64[n], null last."""
        frame = pl.from_arrow(signals.drop_columns(["bands", "sketch", "content_hash"]))
        assert isinstance(frame, pl.DataFrame)
        return [self._preference(term, source, frame, rows) for term in self.recipe.dedup.prefer]

    def _preference(self, term: str, source: Source, frame: pl.DataFrame, rows: pa.Array) -> pa.Array:
        direction, _, signal = term.partition(":")
        if direction == "fewest_failures":
            found = frame.select(load_policy(self.recipe.select.policy).reasons().list.len()).to_series()
        elif direction == "source":
            order = {item.name: number for number, item in enumerate(self.recipe.inputs)}
            found = frame["source"].replace_strict(order, default=None, return_dtype=pl.Float64)
        elif direction in ("newest", "oldest"):
            date = read_part(source.run, "documents", _file(source), ["date"]).take(rows)["date"].combine_chunks()
            digits = pl.Series(date.cast(pa.string()).to_pylist(), dtype=pl.String).str.replace_all("[^0-9]", "")
            found = digits.str.slice(0, 14).str.pad_end(14, "0").replace("0" * 14, None).cast(pl.Float64)
        else:
            found = frame[signal or "characters"]
        sign = -1.0 if direction in ("longest", "newest", "highest") else 1.0
        return (found.cast(pl.Float64) * sign).fill_nan(None).to_arrow()

    def keepers(self, partition: int) -> int:
        """DUPLICATES of the components of one partition."""
        exchange = self._chosen()
        if not exchange.has(partition):
            candidates = self._candidates().read(partition, range(len(self.groups)))
            chosen = choose_keepers(candidates, self.recipe.dedup.similarity)
            first = np.array([group[0].ordinal for group in self.groups[: self.own_groups()]])
            part = parts_of(chosen.duplicates["address"].to_numpy())
            exchange.write(partition, chosen.duplicates, np.searchsorted(first, part, side="right") - 1, chosen.facts)
        return partition

    def keeper_facts(self) -> list[Record]:
        return self._chosen().facts(range(self.components))

    def write(self, group: int) -> int:
        """The parts of one group of ``duplicates/``."""
        members = self._chosen().read(group, range(self.components))
        part = parts_of(members["address"].to_numpy())
        for source in self.groups[group]:
            name = _file(source)
            batch = fill_part(members.filter(pa.array(part == source.ordinal)), source.part, source.rows)
            file = write_parquet(self.job.path("duplicates", name), [batch], DUPLICATES)
            record = {"files": {"duplicates": {name: file}}, "counts": {"documents": batch.num_rows}}
            self.job.write_record(source.part, record | _counts(batch))
        return group


def _file(source: Source) -> str:
    return f"{part_name(source.part)}.parquet"


def _settled(address: pa.Array, source: Source) -> pa.Array:
    """Addresses of an earlier run as those of this one."""
    return pa.array(address.to_numpy() + np.uint64((source.ordinal - source.part) << ADDRESS_ROW_BITS))


def _counts(batch: pa.RecordBatch) -> Record:
    """Numbers of one part for the summary."""
    keeper = batch["keeper"].to_numpy()
    is_keeper = keeper == batch["address"].to_numpy()
    keepers = batch.filter(pa.array(is_keeper))
    sizes = np.unique(keepers["cluster_size"].to_numpy(), return_counts=True)
    return {
        "duplicates": int((~is_keeper).sum()),
        "earlier": int((keeper >= keys.SETTLED).sum()),
        "spared": int((keepers["candidates"].to_numpy() != keepers["cluster"].to_numpy()).sum()),
        "sizes": {str(size): int(count) for size, count in zip(*sizes, strict=True)},
    }
