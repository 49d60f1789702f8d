"""The report's charts, as SVG that needs no script: it reads in a preview, on a phone and on paper.

A chart is a row for each thing: its name, a track across the page, its figures in words. Lengths on the track
are percentages, so a chart is as wide as there is room, and its words keep their size.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ma.charts import theme
from ma.report.markup import Html, join, tag

_HEIGHT = 20
_PALE = "#DDE1EA"
_AXIS = "#5C6675"


@dataclass(frozen=True)
class Mark:
    """One row: `said` stands at its end; `more` is told where one points at it.

    With `low` and `high` it is an estimate with its interval.
    """

    name: str
    value: float
    said: str
    more: str = ""
    colour: str = theme.BRAND
    low: float = math.nan
    high: float = math.nan


def bars(title: str, marks: Sequence[Mark]) -> Html:
    """Horizontal bars from zero, negative ones to the left of it."""
    values = [mark.value for mark in marks if mark.value == mark.value]
    low, high = min([*values, 0.0]), max([*values, 0.0])

    def draw(mark: Mark, place: Callable[[float], float]) -> Html:
        begin, end = sorted((place(0.0), place(mark.value)))
        bar = {"x": f"{begin:.3f}%", "width": f"{max(end - begin, 0.3):.3f}%", "rx": 2, "fill": mark.colour}
        shapes = [tag("rect", y=3, height=_HEIGHT - 6, **bar)]
        return join([*shapes, _upright(place(0.0))] if low < 0 else shapes)

    return _chart(title, marks, low, high, draw)


def estimates(
    title: str, marks: Sequence[Mark], words: Callable[[float], str], *, zero: bool = False
) -> Html:
    """Dots with the whiskers of their intervals over a common axis; `zero` draws a line there.

    `words` says a value of the axis.
    """
    ends = [end for mark in marks for end in (mark.value, mark.low, mark.high) if end == end]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])

    def draw(mark: Mark, place: Callable[[float], float]) -> Html:
        middle, shapes = _HEIGHT / 2, [_upright(place(0.0))] if zero else []
        if mark.low == mark.low and mark.high == mark.high:
            ends = {"x1": f"{place(mark.low):.3f}%", "x2": f"{place(mark.high):.3f}%"}
            shapes.append(tag("line", y1=middle, y2=middle, stroke=mark.colour, stroke_width=3, **ends))
        dot = {"cx": f"{place(mark.value):.3f}%", "cy": middle, "r": 5.5, "fill": mark.colour}
        shapes.append(tag("circle", stroke="#FFFFFF", stroke_width=1.5, **dot))
        return join(shapes)

    return _chart(title, marks, low, high, draw, axis=words)


def _span(low: float, high: float) -> float:
    """From one end to the other; 1 where they are one value, but for rounding."""
    return high - low if high - low > 1e-9 else 1.0


def _chart(title: str, marks: Sequence[Mark], low: float, high: float, draw, *, axis=None) -> Html:
    span = _span(low, high)
    # Dots need room at both ends.
    room = 2.0 if axis else 0.0

    def place(value: float) -> float:
        return room + (value - low) / span * (100.0 - 2.0 * room)

    rows = [_row(mark, _track(draw(mark, place) if mark.value == mark.value else "", mark)) for mark in marks]
    if axis:
        rows.append(_ticks(_round_values(low, high), place, axis))
    return tag("figure", tag("figcaption", title), *rows)


def _row(mark: Mark, track: Html) -> Html:
    said = tag("span", mark.said, class_="said")
    return tag("div", tag("span", mark.name, class_="name"), track, said, class_="row")


def _track(shapes: object, mark: Mark) -> Html:
    told = f"{mark.name}: {mark.more or mark.said}"
    ground = tag("rect", x=0, y=3, width="100%", height=_HEIGHT - 6, rx=2, fill=_PALE, opacity=0.45)
    inside = (tag("title", told), ground, shapes)
    return tag("svg", *inside, width="100%", height=_HEIGHT, role="img", aria_label=told)


def _ticks(values: Sequence[float], place: Callable[[float], float], words: Callable[[float], str]) -> Html:
    shapes = [
        tag("text", words(value), x=f"{place(value):.3f}%", y=12, fill=_AXIS, text_anchor="middle")
        for value in values
    ]
    track = tag("svg", *shapes, width="100%", height=16, aria_hidden="true")
    return tag("div", tag("span", class_="name"), track, tag("span", class_="said"), class_="row axis")


def _round_values(low: float, high: float) -> list[float]:
    """Up to five round values between the ends, zero among them."""
    span = _span(low, high)
    step = 10.0 ** math.floor(math.log10(span))
    step = next(step * part for part in (0.25, 0.5, 1.0, 2.0) if span / (step * part) < 5.0)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _upright(at: float) -> Html:
    where = {"x1": f"{at:.3f}%", "x2": f"{at:.3f}%", "y1": 0, "y2": _HEIGHT}
    return tag("line", stroke=_AXIS, stroke_width=1, **where)
