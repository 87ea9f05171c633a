"""The commands `glotmill shards inspect`, `verify`, `stats`, `decode`, `diff` and `export`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from curation import storage
from jobs import progress
from jobs.errors import JobError

if TYPE_CHECKING:
    from tokenizer.shards.export.links import Exported

# What reads shards loads Numba: only these commands import it.

shards = typer.Typer(no_args_is_help=True, help="Look into token shards, check them, hand them to other trainers.")
Directory = Annotated[str, typer.Argument(help="folder or URL of a token dataset, such as runs/demo/shards/train")]
MANIFEST = "manifest.json"
AsJson = Annotated[bool, typer.Option("--json", help="as JSON")]
TokenizerFile = Annotated[
    str | None, typer.Option(help="its tokenizer.json; by default that of the run the shards lie in")
]


@contextmanager
def _local(directory: str, *endings: str) -> Iterator[str]:
    """The dataset in a local folder, downloaded for the block where it lies on an object store, or files that end so.

    Raises:
        JobError: what is done with it finds damage, or does not fit it.
    """
    from tokenizer.shards.format import ShardDamaged

    try:
        with tempfile.TemporaryDirectory(prefix="glotmill-") as temporary:
            yield storage.download_folder(directory.rstrip("/"), temporary, endings or ("",))
    except (ShardDamaged, IndexError, ValueError) as error:
        raise JobError(str(error)) from error


@contextmanager
def _tokenizer(directory: str, given: str | None) -> Iterator[str]:
    """A local path of the dataset's tokenizer.json.

    Raises:
        JobError: there is none.
    """
    dataset = directory.rstrip("/") if storage.is_remote(directory) else str(Path(directory).absolute())
    run = dataset.rsplit("/", 2)[0]  # RUN/shards/SPLIT
    url = given or storage.join(run, "tokenizer", "tokenizer.json")
    if not storage.exists(url):
        raise JobError(f"no tokenizer at {url}: say where it is, --tokenizer FOLDER/tokenizer.json")
    with tempfile.TemporaryDirectory(prefix="glotmill-") as temporary:
        path = Path(temporary, "tokenizer.json")
        path.write_bytes(storage.read_bytes(url))
        yield str(path)


@shards.command()
def inspect(directory: Directory, as_json: AsJson = False) -> None:
    """What a dataset is: counts, tokenizer, settings and where it comes from, as its manifest says."""
    from tokenizer.shards.inspect import describe

    with _local(directory, MANIFEST) as folder:
        found = describe(folder) | {"directory": directory}
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    sizes = found["tokens_per_shard"]
    rows = {
        "documents": f"{found['documents']:,}",
        "tokens": f"{found['tokens']:,} as {found['dtype']}",
        "text": f"{found['utf8_bytes'] / 1e6:,.1f} MB",
        "shards": f"{found['shards']:,} of {min(sizes):,} to {max(sizes):,} tokens",
        "on disk": f"{found['disk_bytes'] / 1e6:,.1f} MB",
        "tokenizer": f"{found['tokenizer']['vocabulary_size']:,} ids, sha256 {found['tokenizer']['fingerprint']}",
        "control tokens": ", ".join(f"{name} = {id_}" for name, id_ in found["tokenizer"]["special_tokens"].items()),
        "fingerprint": found["fingerprint"],
        "settings": json.dumps(found["recipe"].get("shards", found["recipe"])),
        "made from": json.dumps(found["parents"]),
    }
    table = Table(box=None, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    progress.console.print(table)


@shards.command()
def verify(directory: Directory) -> None:
    """Read every byte and check it; names damaged blocks by shard and range of bytes. Fails when there are any."""
    from tokenizer.shards.check import check

    problems = 0
    with _local(directory) as folder:
        for problem in check(folder):
            problems += 1
            progress.say(problem)
    if problems:
        raise JobError(f"{directory}: {problems:,} problems")
    progress.say(f"{directory}: every byte is as it was written")


@shards.command()
def stats(directory: Directory, as_json: AsJson = False) -> None:
    """Documents and tokens by language, domain, source and quality tier, and how long documents are."""
    from tokenizer.shards.inspect import statistics

    with _local(directory, MANIFEST, ".idx", ".meta") as folder:
        found = statistics(folder)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for field in ("language", "domain", "source", "tier"):
        _print_groups(field, found[f"by_{field}"])
    if found["lengths"]:
        said = ", ".join(f"{name} {value:,.0f}" for name, value in found["lengths"].items())
        progress.say(f"tokens of a document: {said}")
    table = Table(
        "tokens of a document", *(Column(name, justify="right") for name in ("documents", "tokens")), box=None
    )
    for lower, bar in found["histogram"].items():
        low = int(lower)
        table.add_row(f"{low:,} to {2 * low - 1:,}" if low else "0", f"{bar['documents']:,}", f"{bar['tokens']:,}")
    progress.console.print(table)


def _print_groups(field: str, groups: dict[str, dict[str, Any]]) -> None:
    names = ("documents", "tokens", "share", "MB", "bytes per token")
    table = Table(field, *(Column(name, justify="right") for name in names), box=None)
    total = sum(group["tokens"] for group in groups.values()) or 1
    for name, group in sorted(groups.items(), key=lambda item: -item[1]["tokens"]):
        ratio = group["bytes_per_token"]
        table.add_row(
            name, f"{group['documents']:,}", f"{group['tokens']:,}", f"{group['tokens'] / total:.1%}",
            f"{group['utf8_bytes'] / 1e6:,.2f}", "" if ratio is None else f"{ratio:.2f}",
        )  # fmt: skip
    progress.console.print(table)


@shards.command()
def decode(
    directory: Directory,
    doc: Annotated[int, typer.Option(min=0, help="number of the document, from 0")],
    tokenizer: TokenizerFile = None,
) -> None:
    """The text of one document."""
    from tokenizer.shards.format import load_manifest
    from tokenizer.shards.inspect import decode_document, shard_of

    with _local(directory, MANIFEST) as folder:
        name = shard_of(load_manifest(folder), doc)[0]["name"]
    files = [MANIFEST, *(f"/{name}.{suffix}" for suffix in ("idx", "bin", "meta"))]
    with _local(directory, *files) as folder, _tokenizer(directory, tokenizer) as file:
        print(decode_document(folder, file, doc))


@shards.command()
def diff(
    first: Directory,
    second: Annotated[str, typer.Argument(help="folder or URL of another")],
    samples: Annotated[int, typer.Option(min=0, help="documents to list of each kind of difference")] = 5,
) -> None:
    """What differs between two datasets: settings, and documents by their content. Fails when anything does."""
    from tokenizer.shards.diff import KINDS
    from tokenizer.shards.diff import diff as compare

    with _local(first) as a, _local(second) as b:
        found = compare(a, b, samples)
    for key, one, other in found.settings:
        progress.say(f"{key}: {_shown(one)} | {_shown(other)}")
    for kind, meaning in KINDS.items():
        progress.say(f"{found.texts[kind]:,} texts {meaning}")
        for content, row_a, row_b in found.samples[kind] if kind != "same" else ():
            where = [f"document {row:,} of {name}" for row, name in ((row_a, first), (row_b, second)) if row >= 0]
            progress.say(f"  {content}: {', '.join(where)}")
    if found.same_bytes:
        progress.say("all shard files are the same bytes")
    elif found.same_documents:
        progress.say("the same documents with the same tokens, in another order or other shards")
    if found.settings or not found.same_bytes:
        raise typer.Exit(1)


def _shown(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


class Layout(StrEnum):
    MEGATRON = "megatron"
    DATATROVE = "datatrove"
    OLMO = "olmo"
    TORCHTITAN = "torchtitan"
    MDS = "mds"
    LITDATA = "litdata"
    PARQUET = "parquet"
    JSONL = "jsonl"


@shards.command()
def export(
    directory: Directory,
    out: Annotated[str, typer.Argument(help="folder or URL to write, which holds nothing yet")],
    *,
    layout: Annotated[Layout, typer.Option(help="whose trainer is to read it; the first four are links, not copies")],
    sequence_length: Annotated[
        int | None,
        typer.Option(min=1, help="tokens of a sample: mds, else documents; litdata needs it, litgpt's context and one"),
    ] = None,
    tokenizer: TokenizerFile = None,
) -> None:
    """Hand the shards to another trainer: its names and indexes beside the same files, or its own format."""
    if sequence_length is not None and layout not in (Layout.MDS, Layout.LITDATA):
        raise JobError(f"--sequence-length is for mds and litdata; {layout} holds whole documents")
    with _local(directory) as folder:
        exported = _export(directory, folder, out.rstrip("/"), layout, sequence_length, tokenizer)
    unit = "documents" if sequence_length is None else f"samples of {sequence_length:,} tokens"
    progress.say(f"{out}: {exported.samples:,} {unit}, {exported.tokens:,} tokens")
    if exported.linked:
        progress.say(
            f"{exported.linked:,} files are links to {directory}: the same bytes on disk, so do not write to them"
        )
    if exported.left_out:
        progress.say(f"left out: the last {exported.left_out:,} tokens, which fill no sample")


def _export(
    directory: str, folder: str, out: str, layout: Layout, sequence_length: int | None, tokenizer: str | None
) -> Exported:
    from tokenizer.shards.export.columns import write_jsonl, write_parquet
    from tokenizer.shards.export.links import link
    from tokenizer.shards.export.litdata import write_litdata
    from tokenizer.shards.export.mds import write_mds

    match layout:
        case Layout.MDS:
            return write_mds(folder, out, sequence_length)
        case Layout.LITDATA:
            if sequence_length is None:
                raise JobError("litdata needs --sequence-length: for litgpt, its context length and one more")
            return write_litdata(folder, out, sequence_length)
        case Layout.PARQUET:
            return write_parquet(folder, out)
        case Layout.JSONL:
            with _tokenizer(directory, tokenizer) as file:
                return write_jsonl(folder, out, file)
        case _:
            return link(folder, out, layout)
