"""Campaigns: who was eligible."""

from itertools import pairwise

import plotly.graph_objects as go

from ma.charts import theme

STEPS = {
    "audience": "In the segment",
    "consent": "Agreed to the channel",
    "reachable": "Have an address",
    "not suppressed": "Never left or bounced",
    "excluded segments": "Not in an excluded segment",
    "frequency cap": "Below the message limit",
    "holdout": "Not held out",
    "still welcome at their wave": "Still welcome at their wave",
    "sent": "Sent so far",
}


def eligibility(waterfall: list[dict]) -> go.Figure:
    """The way from audience to sent: one bar per step of [{step, people}], and who fell away in between."""
    steps = [STEPS.get(w["step"], w["step"]) for w in waterfall]
    people = [int(w["people"]) for w in waterfall]
    lost = [0, *[before - after for before, after in pairwise(people)]]
    figure = go.Figure(
        go.Bar(
            x=people,
            y=steps,
            orientation="h",
            marker={
                "color": [*[theme.STEP_COLOURS["assigned"]] * (len(steps) - 1), theme.BRAND][: len(steps)],
                "cornerradius": 4,
            },
            text=[_label(n, gone) for n, gone in zip(people, lost, strict=True)],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="<b>%{y}</b><br>%{x:,} people<extra></extra>",
        )
    )
    theme.apply(figure, height=36 * max(len(steps), 2) + 20)
    figure.update_xaxes(visible=False, range=[0, max([*people, 1]) * 1.25])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _label(people: int, lost: int) -> str:
    return f"<b>{people:,}</b>" + (f"  −{lost:,}" if lost else "")
