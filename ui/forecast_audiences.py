"""What if a campaign went to another segment: which there are, and who of them could be sent it."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import segments as segment_list
from ma.charts.campaigns import STEPS
from ma.charts.forecast import FIGURES
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast
from ma.types import Channel
from ui import tables
from ui.campaign_eligibility import short
from ui.forecast_words import middle
from ui.session import reading


def choices(campaign: dict, as_of: datetime) -> dict[int, str]:
    """The segments that a scenario may go to, with their sizes, the campaign's own first; none if alone.

    Not those that it leaves out, and none that is empty or that nobody has counted.
    """
    with reading() as session:
        every = segment_list.segments(session, as_of=as_of)
    own = every["segment_id"] == campaign["segment_id"]
    others = every[~own & every["size"].gt(0).fillna(False) & ~every["segment_id"].isin(campaign["excluded"])]
    if not own.any() or others.empty:
        return {}
    return {
        int(row.segment_id): f"{row.name} ({_people(row.size)})"
        for row in pd.concat([every[own], others])[["segment_id", "name", "size"]].itertuples(index=False)
    }


def in_words(ground: Basis) -> str:
    """Who of a segment could be sent it, and why the others not."""
    lost = [
        f"{before.people - after.people:,} {short(after.step)}"
        for before, after in zip(ground.waterfall, ground.waterfall[1:], strict=False)
        if before.people > after.people
    ]
    words = f"{ground.people:,} of {_people(ground.waterfall[0].people)} in it can be sent it."
    return f"{words} Not: {', '.join(lost)}." if lost else words


def per_thousand(forecasts: dict[str, Forecast], currency: str, *, known: bool) -> dict[str, str]:
    """A row of the comparison that does not depend on how large a segment is."""
    figure = "incremental_profit_minor" if known else "incremental_revenue_minor"
    return {"Figure": f"{FIGURES[figure]} per 1,000 sent to"} | {
        name: middle(each.per_thousand(figure), figure, currency) for name, each in forecasts.items()
    }


def draw(campaign: dict, grounds: dict[str, Basis]) -> None:
    """Who can be sent it, step by step, beside each other; nothing where all go to the same segment."""
    if len({id(ground) for ground in grounds.values()}) == 1:
        return
    names = STEPS | {"consent": f"Agreed to {Channel(campaign['channel']).label}"}
    waterfalls = [ground.waterfall for ground in grounds.values()]
    rows = [
        {"Step": names.get(steps[0].step, steps[0].step)}
        | {name: step.people for name, step in zip(grounds, steps, strict=True)}
        for steps in zip(*waterfalls, strict=True)
    ]
    st.markdown("**Who can be sent it** :gray[before holdout and budget]")
    counts = {name: tables.count(name) for name in grounds}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=counts)
    st.caption("Members of each segment as of its last refresh.")


def _people(size: object) -> str:
    if pd.isna(size):
        return "not counted yet"
    return "1 person" if size == 1 else f"{int(size):,} people"
