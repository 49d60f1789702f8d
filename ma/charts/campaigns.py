"""Campaigns: who was or would be eligible, step by step."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go

from ma.charts import theme

STEPS = {
    "audience": "In the segment",
    "consent": "Agreed to the channel",
    "reachable": "Have an address",
    "not suppressed": "Never left or bounced",
    "not excluded": "Not in a segment left out",
    "frequency cap": "Below the message limit",
    "holdout": "Not held out",
    "within budget": "Within the budget",
    "still welcome at their wave": "Still welcome at their wave",
    "sent": "Sent so far",
}
# The same before the launch.
PLANNED = STEPS | {"still welcome at their wave": "In all waves together", "sent": "Sent at the launch"}
_PALE = "rgba(135, 147, 166, 0.28)"
# How far over its bar a step's words stand, in rows.
_ABOVE = 0.42


def eligibility(waterfall: Sequence[Mapping], *, names: Mapping[str, str] = STEPS) -> go.Figure:
    """The way from audience to sent, from [{step, people}]: one bar per step, its pale part who fell away.

    Each bar's customdata is its step.
    """
    steps = [str(step["step"]) for step in waterfall]
    words = [names.get(step, step) for step in steps]
    people = [int(step["people"]) for step in waterfall]
    lost = [0, *[before - after for before, after in pairwise(people)]][: len(people)]
    said = [_label(n, gone) for n, gone in zip(people, lost, strict=True)]
    places = list(range(len(steps)))
    last = len(steps) - 1
    shared = {"orientation": "h", "width": 0.46, "customdata": steps}
    figure = go.Figure()
    figure.add_bar(
        x=people,
        y=places,
        marker={"color": [theme.BRAND if i == last else "#8E97E3" for i in places], "cornerradius": 3},
        text=said,
        textposition="none",
        hovertext=words,
        hovertemplate="%{hovertext}: <b>%{x:,}</b> people<extra></extra>",
        **shared,
    )
    figure.add_bar(
        x=lost,
        y=places,
        base=people,
        marker={"color": _PALE, "cornerradius": 3},
        hovertext=words,
        hovertemplate="%{hovertext}: %{x:,} are not<extra></extra>",
        **shared,
    )
    top = max([*people, 1])
    theme.apply(figure, height=50 * max(len(steps), 1) + 14, right=120)
    figure.update_traces(selector={"type": "bar"}, unselected={"marker": {"opacity": 1}})
    beside = [_words(0, i - _ABOVE, words[i]) for i in places] + [_words(top, i, said[i]) for i in places]
    figure.update_layout(barmode="overlay", annotations=beside)
    figure.update_xaxes(visible=False, range=[0, top])
    figure.update_yaxes(visible=False, range=[last + 0.5, -0.75])
    return figure


def _words(x: float, y: float, text: str) -> dict:
    """Words in the chart, to the right of their place; no trace, as a selection would make them pale."""
    at = {"x": x, "y": y, "xanchor": "left", "yanchor": "middle", "xshift": 6, "showarrow": False}
    return at | {"text": text, "font": {"size": 13}}


def _label(people: int, lost: int) -> str:
    return f"<b>{people:,}</b>" + (f"  −{lost:,}" if lost else "")
