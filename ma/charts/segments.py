"""Segments: how each responded, what its rule does, whom it holds, and how several overlap."""

from html import escape
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

# Apart under the common kinds of colour-blindness; each has a mark of its own too.
SEGMENT_COLOURS = theme.SERIES_COLOURS
SEGMENT_MARKS = ("circle", "diamond", "square", "triangle-up", "x", "cross")
_PALE = "rgba(135, 147, 166, 0.28)"
# Letters of a line that fit a phone, beside a bar's number and beside the dots of an overlap.
_LINE, _NARROW_LINE = 48, 22
_MOST_LINES = 2
# Pixels: a line of words, the bar under it, and what a row has beside its words.
_LINE_HEIGHT, _BAR, _ROW = 16, 24, 36
_BEFORE = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# Bars of an overlap that stay readable on a narrow screen.
MOST_REGIONS = 14


def performance(frame: pd.DataFrame, *, rate: str = "conversion_rate") -> go.Figure:
    """A rate by segment, as sorted bars, from a segment_performance frame; unknown rates are left out."""
    known = frame[frame[rate].notna()].sort_values(rate)
    names = known["segment"].str.replace("&", "&amp;").str.replace("<", "&lt;")
    figure = go.Figure(
        go.Bar(
            x=known[rate],
            y=names,
            orientation="h",
            marker={"color": theme.BRAND, "cornerradius": 4},
            text=[f"{v * 100:.1f} %" for v in known[rate]],
            textposition="outside",
            cliponaxis=False,
            customdata=[(int(r.sent), int(r.campaigns)) for r in known.itertuples()],
            hovertemplate="<b>%{y}</b><br>%{x:.2%}<br>%{customdata[0]:,} messages in "
            "%{customdata[1]} campaigns<extra></extra>",
        )
    )
    theme.apply(figure, height=38 * max(len(known), 2) + 40)
    top = max(known[rate].max() if len(known) else 0, 0.001)
    figure.update_xaxes(range=[0, top * 1.2], tickformat=".1%")
    figure.update_yaxes(showgrid=False)
    return figure


def waterfall(effects: pd.DataFrame, *, everybody: int, adds: bool = False) -> go.Figure:
    """The way to an audience: after each top-level part of an analytics.explanation.effects frame, who is in.

    The pale part of a bar is who the part leaves out; where parts add people (`adds`), who was in before it.
    """
    steps = effects[effects["depth"] == 0]
    after, change = steps["after"].astype(int).tolist(), steps["step"].astype(int).tolist()
    words = [_wrapped(f"{i}. {rule}", _LINE) for i, rule in enumerate(steps["rule"], start=1)]
    if not adds:
        after, change, words = [everybody, *after], [0, *change], ["All customers", *words]
    places = list(range(len(after)))
    before = [total - step for total, step in zip(after, change, strict=True)]
    solid, pale = ([abs(step) for step in change], before) if adds else (after, [-step for step in change])
    last, row = len(after) - 1, _row(words)
    colours = [theme.BRAND if adds or i == last else "#8E97E3" for i in places]
    parts = [("solid", solid, colours), ("pale", pale, [_PALE] * len(after))]
    figure = go.Figure()
    for _, values, colour in reversed(parts) if adds else parts:
        figure.add_bar(
            x=values,
            y=places,
            orientation="h",
            width=_BAR / row,
            marker={"color": colour, "cornerradius": 3},
            customdata=[
                (total, f"{step:+,}", escape(rule))
                for total, step, rule in zip(after, change, _full(steps, adds), strict=True)
            ],
            hovertemplate="%{customdata[2]}<br><b>%{customdata[0]:,}</b> customers"
            "<br>%{customdata[1]} by it<extra></extra>",
        )
    top = max([*after, 1])
    said = [
        f"<b>{total:,}</b>" + (f"  {_signed(step)}" if step or i else "")
        for i, (total, step) in enumerate(zip(after, change, strict=True))
    ]
    _write(figure, [0] * len(words), [i - (_BAR / 2 + 2) / row for i in places], words, "top right")
    _write(figure, [top] * len(said), places, said)
    theme.apply(figure, height=row * len(after) + 22, right=130)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(visible=False, range=[0, top])
    figure.update_yaxes(visible=False, range=[last + 0.5, -0.75])
    return figure


def _write(figure: go.Figure, x: list, y: list, texts: list[str], position: str = "middle right") -> None:
    """Words in a chart, beside their places. (Of annotations each one costs a copy of all.)"""
    figure.add_scatter(
        x=x,
        y=y,
        mode="text",
        text=[_BEFORE + text.replace("<br>", f"<br>{_BEFORE}") for text in texts],
        textposition=position,
        textfont={"size": 13},
        hoverinfo="skip",
        cliponaxis=False,
    )


def _full(steps: pd.DataFrame, adds: bool) -> list[str]:
    return steps["rule"].tolist() if adds else ["All customers", *steps["rule"]]


def shares(effects: pd.DataFrame) -> go.Figure:
    """How much of a rule's effect each top-level part has, whatever their order; the most first."""
    parts = effects[effects["depth"] == 0].sort_values("share", key=abs, kind="stable")
    whole = parts["share"].abs().sum()
    words = [_wrapped(rule, _LINE) for rule in parts["rule"]]
    row = _row(words)
    figure = go.Figure(
        go.Bar(
            x=parts["share"].abs() / whole if whole else parts["share"] * 0,
            y=list(range(len(parts))),
            orientation="h",
            width=_BAR / row,
            marker={"color": theme.BRAND, "cornerradius": 3},
            customdata=[(escape(row.rule), f"{row.share:+,.0f}") for row in parts.itertuples()],
            hovertemplate="%{customdata[0]}<br>%{x:.1%}, %{customdata[1]} customers<extra></extra>",
            text=[f"{abs(share) / whole * 100:.0f} %" if whole else "–" for share in parts["share"]],
            textposition="outside",
            cliponaxis=False,
        )
    )
    _write(
        figure, [0] * len(parts), [i + (_BAR / 2 + 2) / row for i in range(len(parts))], words, "top right"
    )
    theme.apply(figure, height=row * max(len(parts), 1) + 22, right=48)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[-0.5, len(parts) - 0.25])
    return figure


def glance(frame: pd.DataFrame) -> go.Figure:
    """One facet of an analytics.glance frame: bars of the audience, a line at the share of everybody."""
    labels = [escape(str(band)).replace("-", "–") for band in frame["band"]]
    hover = [
        (
            f"{row.people:,} of this audience",
            f"{row.everybody:,} of all customers ({_percent(row.share_everybody)})",
        )
        for row in frame.itertuples()
    ]
    figure = go.Figure(
        go.Bar(
            x=frame["share"],
            y=labels,
            orientation="h",
            marker={
                "color": [_PALE if band == "Unknown" else theme.BRAND for band in frame["band"]],
                "cornerradius": 3,
            },
            customdata=hover,
            hovertemplate="<b>%{y}</b>: %{x:.1%}<br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=frame["share_everybody"],
        y=labels,
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": theme.ORANGE}},
        hoverinfo="skip",
    )
    longest = max([*frame["share"].dropna(), *frame["share_everybody"].dropna(), 0.01])
    _write(figure, [longest] * len(frame), labels, list(map(_percent, frame["share"])))
    theme.apply(figure, height=27 * max(len(frame), 2) + 16, right=58)
    figure.update_xaxes(visible=False, range=[0, longest * 1.02])
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure


def overlap(regions: pd.DataFrame, sizes: pd.DataFrame, *, most: int = MOST_REGIONS) -> go.Figure:
    """Who is in exactly which segments: a bar for each combination, under it dots for the segments in it.

    `regions` and `sizes` are frames of analytics.comparison; of many combinations the largest are shown.
    (Lex et al. 2014, UpSet.)
    """
    shown = regions.head(most)
    ids = sizes["segment_id"].tolist()
    rows = {one: len(ids) - 1 - i for i, one in enumerate(ids)}
    places = list(range(len(shown)))
    figure = go.Figure()
    figure.add_scatter(
        x=[i for i in places for _ in ids],
        y=[rows[one] for _ in places for one in ids],
        mode="markers",
        marker={"size": 11, "color": _PALE},
        hoverinfo="skip",
        yaxis="y2",
    )
    # One line for all, broken between the combinations.
    line = [
        (i, rows.get(one))
        for i, inside in zip(places, shown["segment_ids"], strict=True)
        for one in (*inside, None)
    ]
    figure.add_scatter(
        x=[i for i, _ in line],
        y=[row for _, row in line],
        mode="lines+markers",
        line={"color": theme.BRAND, "width": 2.5},
        marker={"size": 11, "color": theme.BRAND},
        hoverinfo="skip",
        yaxis="y2",
    )
    figure.add_bar(
        x=places,
        y=shown["people"],
        width=0.56,
        marker={"color": theme.BRAND, "cornerradius": 3},
        text=[theme.compact(people) for people in shown["people"]],
        textposition="outside",
        cliponaxis=False,
        customdata=[(_only(row.segments, row.number, len(ids)), row.share) for row in shown.itertuples()],
        hovertemplate="%{customdata[0]}<br><b>%{y:,}</b> customers"
        "<br>%{customdata[1]:.1%} of all who are in one of them<extra></extra>",
    )
    names = [
        f"{_wrapped(row.segment, _NARROW_LINE)} <b>{theme.compact(row.people)}</b>"
        for row in sizes.itertuples()
    ]
    dots = _row(names, least=14) * len(ids)
    theme.apply(figure, height=240 + dots, top=24)
    share = dots / (216 + dots)
    figure.update_xaxes(visible=False, range=[-0.6, max(len(shown), 4) - 0.4])
    figure.update_layout(
        yaxis={"domain": [share + 0.03, 1], "rangemode": "tozero", "tickformat": "~s", "nticks": 4},
        yaxis2={
            "domain": [0, share],
            "range": [-0.6, len(ids) - 0.4],
            "tickmode": "array",
            "tickvals": [rows[one] for one in ids],
            "ticktext": names,
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
    )
    return figure


def differences(frame: pd.DataFrame) -> go.Figure:
    """The standardised differences of an analytics.comparison.differences frame, with their intervals.

    A row for each measure, a mark for each segment; right of the line is more than all other customers.
    """
    measures = list(dict.fromkeys(frame[frame["difference"].notna()]["label"]))
    segments = list(dict.fromkeys(frame["segment_id"]))
    figure = go.Figure()
    for i, segment_id in enumerate(segments):
        mine = frame[(frame["segment_id"] == segment_id) & frame["difference"].notna()]
        shift = (i - (len(segments) - 1) / 2) * 0.7 / max(len(segments), 1)
        figure.add_scatter(
            x=mine["difference"],
            y=[measures.index(label) + shift for label in mine["label"]],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": mine["high"] - mine["difference"],
                "arrayminus": mine["difference"] - mine["low"],
                "thickness": 1.4,
                "width": 3,
            },
            mode="markers",
            name=escape(_cut(str(frame[frame["segment_id"] == segment_id]["segment"].iloc[0]), 28)),
            marker={
                "color": SEGMENT_COLOURS[i % len(SEGMENT_COLOURS)],
                "symbol": SEGMENT_MARKS[i % len(SEGMENT_MARKS)],
                "size": 9,
            },
            customdata=[
                (escape(row.label), f"{row.low:+.2f} to {row.high:+.2f}") for row in mine.itertuples()
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{x:+.2f} (%{customdata[1]})",
        )
    figure.add_vline(x=0, line={"color": theme.NEUTRAL, "width": 1})
    theme.apply(figure, height=max(26, 13 * len(segments) + 12) * max(len(measures), 2) + 90, top=40)
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0})
    labels = [escape(label) for label in measures]
    figure.update_yaxes(
        range=[len(measures) - 0.4, -0.6],
        tickmode="array",
        tickvals=list(range(len(labels))),
        ticktext=labels,
    )
    figure.update_xaxes(tickformat="+.1f", nticks=7)
    return figure


def size_history(frame: pd.DataFrame) -> go.Figure:
    """The size of one segment after each refresh, from an analytics.segments.size_history frame."""
    figure = go.Figure(
        go.Scatter(
            x=frame["as_of"],
            y=frame["size"],
            mode="lines+markers",
            line={"color": theme.BRAND, "width": 2.5, "shape": "hv"},
            marker={"size": 6},
            fill="tozeroy",
            fillcolor="rgba(79, 91, 213, 0.10)",
            customdata=[(f"+{row.entered:,}", f"−{row.left:,}") for row in frame.itertuples()],
            hovertemplate="<b>%{y:,}</b> customers on %{x|%d %b %Y, %H:%M}"
            "<br>%{customdata[0]} entered, %{customdata[1]} left<extra></extra>",
        )
    )
    theme.apply(figure, height=230)
    figure.update_yaxes(rangemode="tozero", tickformat=",.0f", nticks=5)
    figure.update_xaxes(showgrid=False)
    return figure


def _wrapped(words: str, width: int) -> str:
    """Words in lines of so many letters, the last one cut where they are too many."""
    return "<br>".join(map(escape, wrap(words, width, max_lines=_MOST_LINES, placeholder="…")))


def _row(words: list[str], least: int = _ROW) -> int:
    """Pixels of a row that has room for the longest of these words."""
    return least + _LINE_HEIGHT * max((text.count("<br>") + 1 for text in words), default=1)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def _signed(step: int) -> str:
    return f"+{step:,}" if step > 0 else f"−{-step:,}" if step < 0 else "±0"


def _percent(share: float) -> str:
    return "–" if share != share else f"{share * 100:.1f} %"


def _only(names: str, number: int, of: int) -> str:
    """The segments of a region, for the hover."""
    return escape(names) if number == of else f"Only in {escape(names)}"
