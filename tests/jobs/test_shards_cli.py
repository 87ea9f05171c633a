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
