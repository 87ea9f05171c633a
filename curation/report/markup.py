"""HTML built from escaped pieces: whatever is not `Html` already is text, and is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]|[\ud800-\udfff]")
"""Control characters that HTML forbids, and lone surrogates, which have no UTF-8 form."""


class Html(str):
    """Markup that is safe to place on a page as it is."""


def escape(value: object) -> Html:
    """The value as text; characters that a page cannot hold become U+FFFD."""
    return value if isinstance(value, Html) else Html(html.escape(_UNSHOWABLE.sub("\ufffd", str(value))))


def join(pieces: Iterable[object], separator: str = "") -> Html:
    return Html(separator.join(escape(piece) for piece in pieces))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """One element. Attribute names end in ``_`` where Python reserves them; inner ``_`` stands for ``-``."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{join(children)}</{name}>")


class Column(NamedTuple):
    """One column of a table: text stands left, numbers right, bars take the room that is left."""

    title: str
    kind: Literal["text", "number", "bar"] = "number"


def table(name: str, columns: Sequence[Column], rows: Sequence[Sequence[object]], total: bool = False) -> Html:
    """A table whose first column names the rows; with ``total`` the first row sums up the others.

    ``name`` says what it holds to those who cannot see it. On narrow screens it scrolls sideways by itself.
    """
    head = join(tag("th", column.title, scope="col", class_=column.kind) for column in columns)
    body = []
    for number, row in enumerate(rows):
        cells = [tag("th", row[0], scope="row", class_=columns[0].kind)]
        cells += [tag("td", cell, class_=column.kind) for column, cell in zip(columns[1:], row[1:], strict=True)]
        body.append(tag("tr", *cells, class_="total") if total and not number else tag("tr", *cells))
    written = tag("table", tag("thead", tag("tr", head)), tag("tbody", join(body, "\n")))
    return tag("div", written, class_="scroll", role="region", aria_label=name, tabindex="0")


def paragraph(*pieces: object, class_: str = "note") -> Html:
    return tag("p", *pieces, class_=class_)


def tiles(facts: Iterable[tuple[str, str, str]]) -> Html:
    """Large figures: name, value and a remark each."""
    return tag("dl", *(_tile(*fact) for fact in facts), class_="tiles")


def _tile(name: str, value: str, remark: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", tag("strong", value), tag("span", remark)))


def legend(entries: Iterable[tuple[str, str]]) -> Html:
    """The key of a chart: CSS class of a colour and what it stands for."""
    return tag("ul", *(tag("li", tag("i", class_=class_), name) for class_, name in entries), class_="legend")


def count(value: float) -> str:
    return f"{value:,.0f}"


def large(value: float) -> str:
    """A count for a tile: in full up to a thousand million, in units of it from there."""
    return count(value) if value < 1e9 else f"{value / 1e9:,.2f} bn"


def percent(part: float | None, whole: float = 1.0) -> str:
    return f"{part / whole:.1%}" if whole and part is not None else "–"


def megabytes(size: float) -> str:
    """Bytes in units of 10^6, without the unit."""
    return f"{size / 1e6:,.2f}"


def decimal(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
