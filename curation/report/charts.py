"""Charts as inline SVG. Lengths are percentages, so that a chart takes the width it is given and text keeps its size.

Colours are CSS classes of the page. Every chart says in its ``<title>`` what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from curation.report.markup import Html, join, tag

Point = tuple[float, float]

BAR_HEIGHT = 12
THIN_BAR = 6
SEGMENT_GAP = 0.4  # percent of the width, between the segments of a stacked bar
LINE_POINTS = 400  # more than a screen can show apart
SMALLEST_SPAN = 1e-6  # of an axis, relative to its values: differences below it are no news
PLOT_LEFT, PLOT_RIGHT = 9.0, 99.0  # percent of the width
PLOT_TOP, PLOT_BOTTOM, PLOT_HEIGHT = 12, 236, 276  # pixels
DOTS_LEFT = 22.0  # percent of the width, for the names of the rows of dots
DOT_ROW = 20  # pixels


def bar(share: float, title: str, class_: str = "accent") -> Html:
    """One horizontal bar; ``share`` of the full length in [0, 1]."""
    return _bar_svg(title, _segment(0, 100 * share, class_))


def stacked_bar(parts: Sequence[tuple[str, float]], title: str) -> Html:
    """One horizontal bar of segments, each a CSS class and an amount; the amounts together are the full length."""
    whole = sum(amount for _, amount in parts)
    segments, begin = [], 0.0
    for class_, amount in parts:
        if amount:
            width = 100 * amount / whole
            segments.append(_segment(begin, max(width - SEGMENT_GAP, SEGMENT_GAP), class_))
            begin += width
    return _bar_svg(title, *segments)


def paired_bars(first: float, second: float, title: str) -> Html:
    """Two thin bars, one above the other, to compare two shares in [0, 1]: the first muted, the second accented."""
    half = BAR_HEIGHT // 2 - 1
    return _bar_svg(
        title,
        _segment(0, 100 * first, "second", 0, half),
        _segment(0, 100 * second, "accent", BAR_HEIGHT - half, half),
    )


def grouped_bars(parts: Sequence[tuple[str, float]], title: str) -> Html:
    """Thin bars, one below the other, each a CSS class and a share of the full length in [0, 1]."""
    step = max(BAR_HEIGHT / max(len(parts), 1), THIN_BAR)
    drawn = [
        _segment(0, 100 * share, class_, round(number * step), round(step) - 1)
        for number, (class_, share) in enumerate(parts)
    ]
    return _bar_svg(title, *drawn, height=max(BAR_HEIGHT, round(step * len(parts)) - 1))


def _bar_svg(title: str, *segments: Html, height: int = BAR_HEIGHT) -> Html:
    return tag("svg", tag("title", title), *segments, role="img", class_="bar", width="100%", height=height)


def _segment(begin: float, width: float, class_: str, top: int = 0, height: int = BAR_HEIGHT) -> Html:
    return tag("rect", class_=class_, x=f"{begin:.2f}%", y=top, width=f"{width:.2f}%", height=height, rx=1)


def line_chart(line: Sequence[Point], marks: Sequence[Point], x_label: str, y_label: str, title: str) -> Html:
    """A line with axes and some marked points on the same axes.

    Lines of more than `LINE_POINTS` points are drawn through the means of runs of neighbours.
    """
    drawn = thin(line)
    x_ticks = _ticks(min(x for x, _ in [*line, *marks]), max(x for x, _ in [*line, *marks]), 6)
    y_ticks = _ticks(min(y for _, y in [*line, *marks]), max(y for _, y in [*line, *marks]), 5)
    axes = _Axes((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    return tag(
        "svg", tag("title", title), *_y_axis(axes, y_ticks), *_x_axis(axes, x_ticks),
        tag("text", y_label, x=0, y=PLOT_HEIGHT - 2, class_="label"),
        tag("text", x_label, x=f"{PLOT_RIGHT}%", y=PLOT_HEIGHT - 2, text_anchor="end", class_="label"),
        _polyline(axes, drawn), *(_mark(axes, point) for point in marks),
        role="img", class_="line", width="100%", height=PLOT_HEIGHT,
    )  # fmt: skip


def thin(line: Sequence[Point], most: int = LINE_POINTS) -> list[Point]:
    """At most ``most`` points: means of equally long runs of neighbours."""
    run = math.ceil(len(line) / most)
    runs = [line[start : start + run] for start in range(0, len(line), max(1, run))]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in runs]


class _Axes:
    """Places values of two ranges on the plot: x in percent of its width, y in pixels."""

    def __init__(self, x_range: Point, y_range: Point) -> None:
        self._x, self._y = x_range, y_range

    def x(self, value: float) -> float:
        return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * self.across(value) / 100

    def across(self, value: float) -> float:
        """Percent of the width between the axes."""
        return 100 * (value - self._x[0]) / (self._x[1] - self._x[0])

    def y(self, value: float) -> float:
        return PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * (value - self._y[0]) / (self._y[1] - self._y[0])


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round values that enclose ``[low, high]``: multiples of 1, 2 or 5 times a power of ten, about ``wanted``."""
    span = max(high - low, SMALLEST_SPAN * max(abs(low), abs(high), 1.0))
    power = 10.0 ** math.floor(math.log10(span / wanted))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * wanted >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def _y_axis(axes: _Axes, ticks: Sequence[float]) -> list[Html]:
    drawn = []
    for value in ticks:
        y = f"{axes.y(value):.1f}"
        drawn.append(tag("line", x1=f"{PLOT_LEFT}%", x2=f"{PLOT_RIGHT}%", y1=y, y2=y, class_="grid"))
        drawn.append(tag("text", f"{value:,g}", x=f"{PLOT_LEFT - 1}%", y=y, dy="0.35em", text_anchor="end"))
    return drawn


def _x_axis(axes: _Axes, ticks: Sequence[float]) -> list[Html]:
    return [
        tag(
            "text", f"{value:,.0f}" if value.is_integer() else f"{value:g}",
            x=f"{axes.x(value):.2f}%", y=PLOT_BOTTOM + 18, text_anchor="end" if value == ticks[-1] else "middle",
        )
        for value in ticks
    ]  # fmt: skip


def _polyline(axes: _Axes, line: Sequence[Point]) -> Html:
    """The line, in a frame of its own that is stretched to the plot: points of an SVG line cannot be percentages."""
    points = join((f"{axes.across(x):.2f},{axes.y(y):.1f}" for x, y in line), " ")
    drawn = tag("polyline", points=points, class_="curve", vector_effect="non-scaling-stroke")
    return tag(
        "svg", drawn, x=f"{PLOT_LEFT}%", y=0, width=f"{PLOT_RIGHT - PLOT_LEFT}%", height=PLOT_HEIGHT,
        viewBox=f"0 0 100 {PLOT_HEIGHT}", preserveAspectRatio="none",
    )  # fmt: skip


def _mark(axes: _Axes, point: Point) -> Html:
    x, y = point
    return tag(
        "circle", tag("title", f"{x:,g}: {y:.3f}"), cx=f"{axes.x(x):.2f}%", cy=f"{axes.y(y):.1f}", r=5, class_="mark"
    )


def dot_chart(
    rows: Sequence[tuple[str, Sequence[tuple[str, float]]]], x_label: str, title: str, start: float = 0.0
) -> Html:
    """Named rows, each with dots (CSS class, value) on one axis that begins at ``start`` or at the least value."""
    values = [value for _, dots in rows for _, value in dots]
    ticks = _ticks(min(start, *values), max(values), 10)
    axes = _Axes((ticks[0], ticks[-1]), (0, 1))
    bottom = PLOT_TOP + DOT_ROW * len(rows)

    def x(value: float) -> str:
        return f"{DOTS_LEFT + (PLOT_RIGHT - DOTS_LEFT) * axes.across(value) / 100:.2f}%"

    drawn = [tag("line", x1=x(tick), x2=x(tick), y1=PLOT_TOP, y2=bottom, class_="grid") for tick in ticks]
    drawn += [tag("text", f"{tick:,g}", x=x(tick), y=bottom + 18, text_anchor="middle") for tick in ticks]
    for number, (name, dots) in enumerate(rows):
        y = PLOT_TOP + DOT_ROW * number + DOT_ROW // 2
        drawn.append(tag("text", name, x=f"{DOTS_LEFT - 1.5}%", y=y, dy="0.35em", text_anchor="end"))
        ends = (min(value for _, value in dots), max(value for _, value in dots))
        drawn.append(tag("line", x1=x(ends[0]), x2=x(ends[1]), y1=y, y2=y, class_="grid"))
        drawn += [
            tag("circle", tag("title", f"{name}: {value:.2f}"), cx=x(value), cy=y, r=5, class_=class_)
            for class_, value in dots
        ]
    return tag(
        "svg", tag("title", title), *drawn, tag("text", x_label, x=f"{PLOT_RIGHT}%", y=bottom + 38, text_anchor="end"),
        role="img", class_="dots", width="100%", height=bottom + 44,
    )  # fmt: skip
