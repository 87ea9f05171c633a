"""An HTML page, read back by tests."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """Checks that elements nest, and gathers text, element names, attributes and the rows of tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(name)
        self.attributes += attributes
        if name not in VOID:
            self.open.append(name)
        if name == "tr":
            self.rows.append([])
        if name in ("th", "td"):
            self._cell = []

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name
        if name in ("th", "td") and self._cell is not None:
            self.rows[-1].append(" ".join(self._cell))
            self._cell = None

    def handle_data(self, text: str) -> None:
        if "style" not in self.open:
            self.text += text
        if self._cell is not None and "svg" not in self.open:
            self._cell.append(text)

    def row(self, *beginning: str) -> list[str]:
        return next(row for row in self.rows if row[: len(beginning)] == list(beginning))
