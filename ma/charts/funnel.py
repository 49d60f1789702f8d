"""Funnels: horizontal step bars with the step rate between them."""

from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.charts.breakdown import HATCH, Benchmark


def funnel(
    frame: pd.DataFrame, *, immature: float = 0.0, benchmarks: Mapping[str, Benchmark] | None = None
) -> go.Figure:
    """Step bars of an analytics.funnel frame; each step says its share of the step before.

    `immature` are the people sent who are still inside their conversion window: that part of the first bar is
    hatched. `benchmarks` are people at a step, by step, as published rates would have them.
    """
    labels = [theme.STEP_LABELS[s] for s in frame["step"]]
    longest = max(frame["people"].max() if len(frame) else 0, 1)
    figure = go.Figure(
        go.Bar(
            x=frame["people"],
            y=labels,
            orientation="h",
            marker={"color": [theme.STEP_COLOURS[s] for s in frame["step"]], "cornerradius": 4},
            text=[_label(row) for row in frame.itertuples()],
            textposition="outside",
            cliponaxis=False,
            customdata=frame[["of_previous", "of_first"]].fillna(float("nan")).to_numpy(),
            hovertemplate="<b>%{y}</b><br>%{x:,} people<br>%{customdata[0]:.1%} of the step before"
            "<br>%{customdata[1]:.1%} of sent<extra></extra>",
        )
    )
    if immature > 0 and "sent" in set(frame["step"]):
        _still_inside(figure, frame, immature)
    _published(figure, frame, benchmarks or {})
    theme.apply(figure, height=52 * max(len(frame), 2) + 24)
    figure.update_layout(barmode="overlay")
    figure.update_traces(selector={"type": "bar"}, unselected={"marker": {"opacity": 1}})
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(range=[0, longest * 1.35], visible=False)
    return figure


def _still_inside(figure: go.Figure, frame: pd.DataFrame, immature: float) -> None:
    sent = float(frame.loc[frame["step"] == "sent", "people"].iloc[0])
    figure.add_bar(
        x=[immature],
        base=[sent - immature],
        y=[theme.STEP_LABELS["sent"]],
        orientation="h",
        marker={"color": theme.STEP_COLOURS["sent"], "pattern": HATCH, "cornerradius": 4},
        hovertemplate=f"{immature:,.0f} of them are still inside their conversion window<extra></extra>",
    )


def _published(figure: go.Figure, frame: pd.DataFrame, benchmarks: Mapping[str, Benchmark]) -> None:
    steps = [step for step in frame["step"] if step in benchmarks]
    if not steps:
        return
    figure.add_scatter(
        x=[benchmarks[step].value for step in steps],
        y=[theme.STEP_LABELS[step] for step in steps],
        mode="markers",
        marker={"symbol": "line-ns", "size": 34, "line": {"color": theme.NEUTRAL, "width": 2}},
        customdata=[escape(benchmarks[step].source) for step in steps],
        hovertemplate="Benchmark: %{x:,.0f} people<br>%{customdata}<extra></extra>",
    )


def _label(row) -> str:
    people = f"<b>{row.people:,}</b>"
    return people if pd.isna(row.of_previous) else f"{people}  {row.of_previous * 100:.1f} %"


def daily(frame: pd.DataFrame, steps: list[str]) -> go.Figure:
    """People who reached each step, cumulated by day, from an analytics.results.daily frame."""
    figure = go.Figure()
    for step in steps:
        values = frame[step].astype(float).fillna(0).cumsum()
        figure.add_scatter(
            x=frame["day"],
            y=values,
            name=theme.STEP_LABELS[step],
            mode="lines+markers" if len(frame) < 3 else "lines",
            line={"color": theme.STEP_COLOURS[step], "width": 2.5, "shape": "hv"},
            hovertemplate="%{y:,} by %{x|%d %b %Y}<extra>" + theme.STEP_LABELS[step] + "</extra>",
        )
    theme.apply(figure, height=280)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.12, "x": 0, "font": {"size": 11}},
        hovermode="x unified",
    )
    figure.update_yaxes(rangemode="tozero", tickformat=",.0f")
    figure.update_xaxes(tickformat="%d %b", dtick=86_400_000 if len(frame) <= 8 else None, showgrid=False)
    return figure


def by_channel(frames: dict[str, pd.DataFrame]) -> go.Figure:
    """The funnels of several channels side by side: the share of people sent who reached each step.

    `frames` has an analytics.funnel frame by channel. A step that a channel cannot observe has no bar.
    """
    figure = go.Figure()
    for channel, frame in frames.items():
        later = frame[frame["step"] != "sent"]
        label = theme.CHANNEL_LABELS[channel]
        figure.add_bar(
            x=later["of_first"],
            y=[theme.STEP_LABELS[s] for s in later["step"]],
            name=label,
            orientation="h",
            marker={"color": theme.CHANNEL_COLOURS[channel], "cornerradius": 3},
            text=[f"{row.of_first * 100:.1f} %" for row in later.itertuples()],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 11},
            constraintext="none",
            customdata=later["people"],
            hovertemplate=f"<b>{label}</b><br>%{{customdata:,}} people<br>%{{x:.2%}} of sent<extra></extra>",
        )
    theme.apply(figure, height=400, top=48)
    order = [theme.STEP_LABELS[s] for s in ("converted", "clicked", "opened", "delivered")]
    figure.update_yaxes(categoryorder="array", categoryarray=order, showgrid=False)
    figure.update_xaxes(range=[0, 1.12], tickformat=".0%")
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "reversed"}
    figure.update_layout(barmode="group", bargap=0.22, showlegend=True, legend=legend)
    return figure
