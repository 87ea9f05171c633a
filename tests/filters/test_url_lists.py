"""URL lists: domains with their subdomains, beginnings of URLs, both spellings of names, and wrong files refused."""

from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe import RecipeError
from filters import url_lists


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def found(table: url_lists.UrlTable, urls: list[str | None]) -> list[str | None]:
    categories: list[str | None] = url_lists.categorize(table, pa.array(urls, pa.string())).to_pylist()
    return categories


def test_domains_and_beginnings_count_however_they_are_spelled(tmp_path: Path) -> None:
    adult = write(tmp_path / "adult.txt", "# a comment\nbad.example\n\nhttp://user@Shop.example:80/Forum/\n192.0.2.7\n")
    names = write(tmp_path / "names.txt", "bücher.example\nxn--80ak6aa92e.example\nbad.example\nq.example/a?id=1\n")
    table = url_lists.table({"adult": [adult], "names": [names]})
    wanted: dict[str | None, str | None] = {
        "https://bad.example": "adult",
        "HTTPS://me:pw@www.BAD.example:8080/x?y#z": "adult",  # the first category of two
        "bad.example.": "adult",
        "//bad.example/": "adult",
        "https://notbad.example/": None,
        "https://example/bad.example": None,
        "https://example?u=http://bad.example": None,
        "https://shop.example/Forum": "adult",
        "https://a.shop.example/Forum/thread": "adult",
        "https://shop.example/Forum?page=2": "adult",
        "https://shop.example/Forums": None,
        "https://shop.example/forum": None,  # paths tell upper case
        "https://shop.example/": None,
        "http://192.0.2.7:81/": "adult",
        "http://92.0.2.7/": None,
        "https://bücher.example/x": "names",
        "https://xn--bcher-kva.example/x": "names",
        "https://аррӏе.example": "names",
        "https://q.example/a?id=1&b=2": "names",
        "https://q.example/a?id=12": None,
        "": None,
        None: None,
        "no url at all": None,
        "::::@@//": None,
    }
    assert dict(zip(wanted, found(table, list(wanted)), strict=True)) == wanted
    assert found(url_lists.table({}), ["https://bad.example", None]) == [None, None]


LABELS = st.sampled_from(["a", "bb", "a-1", "7"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "org"]))
PATHS = st.lists(st.sampled_from(["x", "xy", "z"]), max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts))


def _oracle(entries: list[str], url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    for entry in entries:
        entry_host, slash, rest = entry.partition("/")
        if (host == entry_host or host.endswith("." + entry_host)) and (
            not slash or (parts.path + "/").startswith("/" + rest + "/")
        ):
            return True
    return False


@settings(max_examples=200, deadline=None)
@given(st.lists(st.builds(str.__add__, HOSTS, PATHS), min_size=1, max_size=6), st.lists(
    st.builds("{}{}{}{}".format, st.sampled_from(["http://", "https://u:p@", "ftp://"]), HOSTS,
              st.sampled_from(["", ":80"]), PATHS), max_size=10))  # fmt: skip
def test_the_kernel_agrees_with_a_plain_search(
    tmp_path_factory: pytest.TempPathFactory, entries: list[str], urls: list[str]
) -> None:
    path = write(tmp_path_factory.mktemp("lists") / "list.txt", "\n".join(entries))
    table = url_lists.table({"listed": [path]})
    assert found(table, list(urls)) == ["listed" if _oracle(entries, url) else None for url in urls]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"# nothing\n\n", "no entry in it"),
        (b"caf\xe9.example\n", "not UTF-8 at byte 3"),
        (b"a.example\n\nbad word\n", "line 3: 'bad word' is no domain"),
        (b"/path\n", "line 1: '/path' is no domain"),
    ],
)
def test_a_wrong_list_is_refused_with_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as error:
        url_lists.table({"any": [str(path)]})
    assert str(path) in str(error.value)
