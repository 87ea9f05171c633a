"""Files: listing by pattern, and outputs that appear whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from curation import storage
from tests.faulty_server import Answer, FaultyServer, running

TREE = ("a.txt", "b.md", "sub/c.txt", "sub/deep/d.txt", "sub/deep/e.txt.gz", "other/a.txt", ".hidden/f.txt")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt"]),
        ("?.md", ["b.md"]),
        ("[ab].*", ["a.txt", "b.md"]),
        ("*/*.txt", [".hidden/f.txt", "other/a.txt", "sub/c.txt"]),
        ("**/*.txt", [".hidden/f.txt", "a.txt", "other/a.txt", "sub/c.txt", "sub/deep/d.txt"]),
        ("sub/**", ["sub/c.txt", "sub/deep/d.txt", "sub/deep/e.txt.gz"]),
        ("sub/**/deep/*", ["sub/deep/d.txt", "sub/deep/e.txt.gz"]),
        ("s*/**/*.gz", ["sub/deep/e.txt.gz"]),
        ("a.txt", ["a.txt"]),
        ("sub", []),
        ("none/*.txt", []),
        ("none.txt", []),
    ],
)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_glob(tree: Path, pattern: str, expected: list[str], scheme: str) -> None:
    assert storage.glob(f"{scheme}{tree}/{pattern}") == [f"{tree}/{name}" for name in expected]


def test_glob_takes_relative_patterns(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert storage.glob("*.txt") == storage.glob("./*.txt") == storage.glob("sub/../*.txt") == [f"{tree}/a.txt"]


def test_list_and_size(tree: Path) -> None:
    assert storage.list_files(str(tree)) == sorted(f"{tree}/{name}" for name in TREE)
    assert storage.list_files(f"{tree}/none") == []
    assert storage.size(f"{tree}/b.md") == 4
    assert storage.size(f"{tree}/sub") is None and not storage.exists(f"{tree}/none")


def test_atomic_file_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with storage.atomic_file(str(target)) as local:
        Path(local).write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert os.listdir(target.parent) == ["file"]


def test_a_failure_leaves_nothing_and_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="broken"), storage.atomic_file(str(target)) as local:
        Path(local).write_text("new")
        raise RuntimeError("broken")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_sweep_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    storage.write_bytes(f"{tmp_path}/sub/whole", b"1")
    (tmp_path / f"sub/part{storage.TEMPORARY_MARK}0a").write_text("x")
    (tmp_path / f"part{storage.TEMPORARY_MARK}0b").write_text("x")
    assert storage.sweep_temporary(str(tmp_path)) == 2
    assert storage.list_files(str(tmp_path)) == [f"{tmp_path}/sub/whole"]
    assert storage.sweep_temporary(f"{tmp_path}/none") == 0


def test_read_ranges(tmp_path: Path) -> None:
    url = f"{tmp_path}/file"
    storage.write_bytes(url, "zehn Äpfel".encode())
    assert storage.read_text(url) == "zehn Äpfel"
    assert storage.read_bytes(url, 5) == "Äpfel".encode()
    assert storage.read_bytes(url, 2, 3) == b"hn "
    assert storage.read_bytes(url, 2, 0) == b""
    assert storage.sha256(url) == hashlib.sha256("zehn Äpfel".encode()).hexdigest()


def test_folders_are_published_and_deleted_whole(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("target")
    storage.publish_folder(str(tree), f"{target}/copy")
    assert [os.path.relpath(path, target / "copy") for path in storage.list_files(str(target))] == sorted(TREE)
    assert storage.download_folder(f"file://{tree}", "unused") == str(tree)
    storage.delete_folder(f"{target}/copy")
    storage.delete_folder(f"{target}/copy")
    assert not (target / "copy").exists()


def test_what_is_remote() -> None:
    assert storage.is_remote("s3://bucket/x") and storage.is_remote("gs://bucket/x")
    assert not storage.is_remote("/x") and not storage.is_remote("file:///x")
    assert storage.join("s3://bucket/x", "y", "z") == "s3://bucket/x/y/z"


def test_of_a_server_without_byte_ranges_only_what_is_asked_for_is_read() -> None:
    """The body ends after 100 of the bytes that it is said to have, so reading all of it would fail."""
    body = bytes(range(100))
    with running(FaultyServer(lambda _: Answer(200, {"content-length": "3000000"}, body))) as server:
        assert storage.read_bytes(f"{server.url}/file", 5, 10) == body[5:15]


def test_a_server_without_byte_ranges_is_refused_far_into_a_file() -> None:
    """Each block of a large shard would have all before it sent as well."""
    with running(FaultyServer(lambda _: Answer(200, {}, b"all of the file"))) as server:
        with pytest.raises(ConnectionError, match=r"/file: asked for the bytes from 8,388,609 on, .* byte ranges"):
            storage.read_bytes(f"{server.url}/file", storage.COPY_BYTES + 1, 10)
        assert storage.read_bytes(f"{server.url}/file", 4, 2) == b"of"
