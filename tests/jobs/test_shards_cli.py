"""`glotmill shards ...` on the shards of a whole run: what it says, and its exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tokenizer.shards.reader import open_shards


@pytest.fixture(scope="module")
def shards(finished) -> Path:
    return Path(finished.run.output, "shards")


@pytest.fixture
def copied(shards: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shards / "train", tmp_path / "train"))


def test_inspect_says_what_the_dataset_is(glotmill, shards):
    said = glotmill("shards", "inspect", str(shards / "train"))
    manifest = open_shards(shards / "train").manifest
    assert said.code == 0
    for expected in (f"{manifest['tokens']:,} as uint32", manifest["fingerprint"], "<|endoftext|> =", "curated"):
        assert expected in said.out
    as_json = json.loads(glotmill("shards", "inspect", str(shards / "train"), "--json").out)
    assert as_json["parents"] == manifest["parents"]


def test_stats_count_tokens_by_language_domain_and_source(glotmill, shards):
    found = json.loads(glotmill("shards", "stats", str(shards / "train"), "--json").out)
    manifest = open_shards(shards / "train").manifest
    for field in ("language", "domain", "source"):
        counted = {name: group["tokens"] for name, group in found[f"by_{field}"].items()}
        assert counted == manifest[f"tokens_by_{field}"]
    said = glotmill("shards", "stats", str(shards / "train"))
    assert said.code == 0 and "bytes per token" in said.out and "median" in said.out and "128 to 255" in said.out


def test_every_document_decodes_to_its_curated_text(glotmill, finished, shards):
    text = dict(zip(*(finished.read("curated")[name].to_pylist() for name in ("address", "text")), strict=True))
    meta = open_shards(shards / "validation").meta
    for number in range(meta.size):
        said = glotmill("shards", "decode", str(shards / "validation"), "--doc", str(number))
        assert said.out == text[int(meta["address"][number])] + "\n"


def test_decode_says_what_is_missing(glotmill, shards, copied, tmp_path):
    said = glotmill("shards", "decode", str(shards / "train"), "--doc", "100000")
    assert said.code == 1 and "Document 100,000 is not among" in said.err
    said = glotmill("shards", "decode", str(copied), "--doc", "0")
    assert said.code == 1 and "--tokenizer FOLDER/tokenizer.json" in said.err
    (tmp_path / "tokenizer.json").write_bytes((shards.parent / "tokenizer" / "tokenizer.json").read_bytes() + b" ")
    said = glotmill("shards", "decode", str(copied), "--doc", "0", "--tokenizer", str(tmp_path / "tokenizer.json"))
    assert said.code == 1 and "is not the tokenizer of" in said.err


def test_verify_names_the_damaged_block(glotmill, copied):
    said = glotmill("shards", "verify", str(copied))
    assert said.code == 0 and "every byte is as it was written" in said.out
    path = copied / "shard-00000.bin"
    data = bytearray(path.read_bytes())
    data[40] ^= 4
    path.write_bytes(data)
    said = glotmill("shards", "verify", str(copied))
    assert said.code == 1 and "shard-00000.bin: block 0, bytes 0 to" in said.out and "problems" in said.err
    for command in ("stats", "inspect"):  # read neither tokens nor, the latter, records
        assert glotmill("shards", command, str(copied)).code == 0
    said = glotmill("shards", "decode", str(copied), "--doc", "0", "--tokenizer", "none")
    assert said.code == 1


def test_diff_of_a_dataset_with_itself_and_with_another(glotmill, shards, copied):
    said = glotmill("shards", "diff", str(shards / "train"), str(copied))
    assert said.code == 0 and "all shard files are the same bytes" in said.out
    said = glotmill("shards", "diff", str(shards / "train"), str(shards / "validation"), "--samples", "2")
    train, validation = (open_shards(shards / name).meta for name in ("train", "validation"))
    assert said.code == 1
    assert f"{len(set(train['content_hash'].tolist())):,} texts only in the first" in said.out
    assert f"{validation.size:,} texts only in the second" in said.out
    assert said.out.count(f"of {shards / 'validation'}") == 2


def test_a_folder_without_shards_is_one_clear_error(glotmill, tmp_path):
    for command in (["inspect"], ["verify"], ["stats"], ["decode", "--doc", "0"]):
        said = glotmill("shards", command[0], str(tmp_path), *command[1:])
        assert said.code == 1 and "it is no token dataset" in said.err + said.out or "--tokenizer" in said.err


LINKS = ("megatron", "datatrove", "olmo", "torchtitan")
OTHERS = ("mds", "litdata", "parquet", "jsonl")


@pytest.mark.parametrize("layout", [*LINKS, *OTHERS])
def test_export_says_what_it_wrote(glotmill, shards, tmp_path, layout):
    length = ["--sequence-length", "65"] if layout == "litdata" else []
    said = glotmill("shards", "export", str(shards / "train"), str(tmp_path / "out"), "--layout", layout, *length)
    manifest = open_shards(shards / "train").manifest
    assert said.code == 0, said.err
    if layout == "litdata":
        left = manifest["tokens"] % 65
        assert f"{manifest['tokens'] // 65:,} samples of 65 tokens, {manifest['tokens'] - left:,} tokens" in said.out
        assert f"left out: the last {left} tokens" in said.out
    else:
        assert f"{manifest['documents']:,} documents, {manifest['tokens']:,} tokens" in said.out
    assert ("are links to" in said.out) == (layout in LINKS)


def test_exported_text_is_the_curated_text(glotmill, finished, shards, tmp_path):
    assert glotmill("shards", "export", str(shards / "validation"), str(tmp_path), "--layout", "jsonl").code == 0
    [path] = tmp_path.glob("*.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    curated = {row["address"]: row for row in finished.read("curated").to_pylist()}
    assert len(rows) == open_shards(shards / "validation").num_documents
    for row in rows:
        expected = curated[row["address"]]
        assert {name: row[name] for name in ("text", "language", "domain", "source")} == {
            name: expected[name] for name in ("text", "language", "domain", "source")
        }


def test_exports_that_cannot_be_are_refused(glotmill, shards, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine").write_text("mine")
    for arguments, message in (
        (["new", "--layout", "litdata"], "litdata needs --sequence-length"),
        (["new", "--layout", "olmo", "--sequence-length", "8"], "olmo holds whole documents"),
        (["used", "--layout", "parquet"], "is not empty"),
    ):
        said = glotmill("shards", "export", str(shards / "train"), str(tmp_path / arguments[0]), *arguments[1:])
        assert said.code == 1 and message in said.err
        assert not (tmp_path / "new").exists()
