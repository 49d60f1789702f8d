"""The calendar of campaigns: a row for each, its days of sending, and behind them the time it works."""

from datetime import date, datetime, timedelta
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

# Each status has a sign of its own beside the campaign's name: colour is the channel's.
STATUS_SIGNS = {
    "draft": "✎",
    "scheduled": "◷",
    "running": "▶",
    "paused": "‖",
    "completed": "✓",
    "cancelled": "✕",
}
_KINDS = {"sent": "Sent", "planned": "Planned", "scheduled": "Scheduled"}
_PATTERNS = {"sent": "", "planned": "/", "scheduled": "."}
_DAY = timedelta(days=1)
_DAY_MS = 86_400_000
_ROW, _HEAD = 36, 70
_LONGEST = 30
# Before a name: a saved picture has another font, which may be wider.
_ROOM = 4 * "\N{NO-BREAK SPACE}"
_INK, _PALE = "#1E2233", 0.3
_WEEKEND = "rgba(135, 147, 166, 0.10)"
# Up to so many days there is room for their names.
_FEW_DAYS = 14


def calendar(frame: pd.DataFrame, *, start: date, end: date, now: datetime) -> go.Figure:
    """An analytics.campaign_calendar frame over the days in [start, end); `now` in the workspace's time zone.

    Each campaign is a row, in the order of the days: a block for each day on which it goes out, with the
    number of people, and behind them a pale band for as long as its conversions count. The customdata of
    each point begin with the campaign's id.
    """
    inside = frame[(frame["day"] >= pd.Timestamp(start)) & (frame["day"] < pd.Timestamp(end))]
    # Those that only still work come last.
    ordered = pd.concat([inside, frame]).drop_duplicates("campaign_id")
    rows = ordered["campaign_id"].tolist()
    row_of = {one: i for i, one in enumerate(rows)}
    figure = go.Figure()
    _windows(figure, frame, row_of, start, end)
    few = (end - start).days <= _FEW_DAYS
    for (kind, channel), group in inside.groupby(["kind", "channel"], sort=False):
        _blocks(figure, group, kind, channel, row_of, few)
    theme.apply(figure, height=_ROW * max(len(rows), 2) + _HEAD, top=_HEAD - 8)
    figure.update_layout(margin={"b": 20})
    figure.update_yaxes(
        range=[max(len(rows), 2) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[
            f"{_ROOM}{STATUS_SIGNS.get(row.status, '')} {_short(row.name)}" for row in ordered.itertuples()
        ],
        showgrid=False,
        fixedrange=True,
    )
    days = [start + i * _DAY for i in range((end - start).days)]
    figure.update_xaxes(
        # The lengths of the bars are milliseconds: without it they would make the axis one of numbers.
        type="date",
        range=[start, end],
        side="top",
        tickmode="array",
        tickvals=[datetime.combine(day, datetime.min.time()) + _DAY / 2 for day in days],
        ticktext=[_named(day, few) for day in days],
        ticklabelstandoff=2,
        showgrid=False,
        fixedrange=True,
    )
    _grounds(figure, days, now)
    figure.update_layout(barmode="overlay", bargap=0, hovermode="closest")
    return figure


def _windows(figure: go.Figure, frame: pd.DataFrame, row_of: dict[int, int], start: date, end: date) -> None:
    low, high = pd.Timestamp(start), pd.Timestamp(end)
    for channel, group in frame.groupby("channel", sort=False):
        each = group.groupby("campaign_id").agg(
            first=("day", "min"), last=("window_ends", "max"), name=("name", "first")
        )
        begin = each["first"].clip(lower=low)
        over = (each["last"] + _DAY).clip(upper=high)
        figure.add_bar(
            y=[row_of[one] for one in each.index],
            base=begin,
            x=(over - begin) / pd.Timedelta(milliseconds=1),
            orientation="h",
            width=0.62,
            marker={"color": theme.CHANNEL_COLOURS.get(channel, theme.NEUTRAL), "cornerradius": 6},
            opacity=0.2,
            customdata=[
                (one, escape(name), f"{last:%a} {last.day} {last:%b %Y}")
                for one, name, last in zip(each.index, each["name"], each["last"], strict=True)
            ],
            hovertemplate="<b>%{customdata[1]}</b><br>Conversions count until %{customdata[2]}"
            "<extra></extra>",
            selected={"marker": {"opacity": 0.2}},
            unselected={"marker": {"opacity": 0.2}},
        )


def _blocks(
    figure: go.Figure, group: pd.DataFrame, kind: str, channel: str, row_of: dict[int, int], few: bool
) -> None:
    colour = theme.CHANNEL_COLOURS.get(channel, theme.NEUTRAL)
    solid = kind == "sent"
    figure.add_bar(
        y=group["campaign_id"].map(row_of),
        base=group["day"] + pd.Timedelta(hours=1),
        x=[_DAY_MS * 22 // 24] * len(group),
        orientation="h",
        width=0.62,
        marker={
            "color": colour if solid else _paler(colour),
            "cornerradius": 4,
            "line": {"color": colour, "width": 1.5},
            "pattern": {
                "shape": _PATTERNS[kind],
                "bgcolor": _paler(colour),
                "fgcolor": colour,
                "fgopacity": 0.35,
                "size": 7,
                "solidity": 0.25,
            },
        },
        text=[f"{people:,}" if few else _brief(people) for people in group["people"]],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        textfont={"size": 12 if few else 11, "color": "#FFFFFF" if solid else _INK},
        constraintext="none",
        customdata=[_told(row) for row in group.itertuples()],
        hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<br>%{customdata[4]}"
        "<extra></extra>",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _paler(colour: str) -> str:
    """A colour mixed with white: what is to come looks the same in both themes, and its numbers stand out."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * _PALE):02X}" for part in parts)


def _told(row) -> tuple:
    people = f"{row.people:,} {'person' if row.people == 1 else 'people'}"
    what = {"sent": "Sent to {}", "planned": "Planned for {}", "scheduled": "Scheduled, to about {}"}[
        row.kind
    ]
    day = f"{row.day:%A} {row.day.day} {row.day:%B %Y}"
    channel = theme.CHANNEL_LABELS.get(row.channel, row.channel)
    return (
        row.campaign_id,
        escape(row.name),
        f"{channel}, {row.status}",
        f"{what.format(people)} on {day}",
        f"Conversions count until {row.window_ends.day} {row.window_ends:%B %Y}",
    )


def _grounds(figure: go.Figure, days: list[date], now: datetime) -> None:
    """Weekends, and the line at the present moment. (One update: each shape added alone copies them all.)"""
    shapes = [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": day, "x1": day + _DAY, "y0": 0, "y1": 1}
        | {"fillcolor": _WEEKEND, "line": {"width": 0}, "layer": "below"}
        for day in days
        if day.weekday() >= 5
    ]
    notes = []
    if days[0] <= now.date() <= days[-1]:
        moment = now.replace(tzinfo=None)
        shapes.append(
            {"type": "line", "xref": "x", "yref": "paper", "x0": moment, "x1": moment, "y0": 0, "y1": 1}
            | {"line": {"color": theme.BAD, "width": 2, "dash": "dot"}}
        )
        notes.append(
            {"text": "Now", "x": moment, "y": 0, "xref": "x", "yref": "paper", "yanchor": "top"}
            | {"showarrow": False, "font": {"size": 11, "color": theme.BAD}}
        )
    figure.update_layout(shapes=shapes, annotations=notes)


def _brief(people: int) -> str:
    """A number that fits into a day of a month."""
    for limit, suffix in ((10**6, "M"), (1000, "k")):
        if people >= limit:
            return f"{people / limit:.{1 if people < 10 * limit else 0}f}{suffix}"
    return str(people)


def _named(day: date, few: bool) -> str:
    if few:
        return f"{day:%a} {day.day} {day:%b}"
    return f"{day:%a}"[:2] + f"<br>{day.day}"


def _short(name: str) -> str:
    return escape(name if len(name) <= _LONGEST else name[: _LONGEST - 1].rstrip() + "…")
