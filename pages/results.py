"""Results: funnel, return and any breakdown of the campaigns one chooses, down to the people in each bar."""

import streamlit as st

from ma.analytics import benchmarks as published_rates
from ma.analytics import breakdown as breakdowns
from ma.analytics import maturity, rates
from ma.analytics import roi as returns
from ma.errors import Exposed
from ma.types import Permission
from ui import kpi, result_breakdown, result_charts, result_counts, result_filters, result_only
from ui.links import link
from ui.page import page
from ui.session import now, reading, workspace
from ui.text import literal

actor = page("Results", Permission.READ, subtitle="What campaigns brought, step by step and in money.")

place, as_of = workspace(), now()
with reading() as session:
    everything = returns.roi(session, as_of=as_of)
    everything = maturity.add_immature(session, everything, as_of=as_of)
    known = breakdowns.dimensions(session)
    published = published_rates.benchmarks(session, as_of=as_of)
if everything.empty:
    st.info(
        "**No results yet.** This page shows the funnel and the return of each campaign. "
        "It fills as soon as one is launched.",
        icon=":material/monitoring:",
    )
    link("campaigns", "Plan a campaign")
    st.stop()

shown = result_filters.choose(everything)
if shown.empty:
    st.warning("No campaign fits all filters. Take one of them off.", icon=":material/filter_alt_off:")
    st.button("Clear filters", icon=":material/filter_alt_off:", on_click=result_filters.clear)
    st.stop()

# A group that was chosen in one chart narrows the others.
only = result_only.only(known)
of_people = only if only and only.by not in breakdowns.OF_CAMPAIGNS else None
figures, problem = result_only.campaigns_of(shown, only), None
if of_people:
    try:
        figures = result_counts.of(figures, of_people, as_of=as_of)
        figures = rates.add_money(rates.add_rates(figures))
    except Exposed as error:
        problem = str(error)
if only:
    result_only.chip(only, known, shown, as_of=as_of)
if problem or figures.empty:
    st.warning(
        literal(problem) if problem else "These campaigns were sent to nobody in this group.",
        icon=":material/filter_alt_off:",
    )
    st.stop()

inside = figures["immature"].sum() / figures["sent"].sum() if figures["sent"].sum() else 0.0
with st.grid(columns=4, border=True, min_column_width=150):
    kpi.card(
        "Messages sent",
        figures["sent"].sum(),
        "people",
        currency=place.currency,
        help="People, counted once per campaign. Holdouts are not in it.",
    )
    kpi.card(
        "Conversion rate so far" if inside else "Conversion rate",
        rates.pooled(figures, "converted"),
        "rate",
        currency=place.currency,
        help="People who converted ÷ delivered (÷ sent where the channel cannot see delivery), pooled.",
    )
    kpi.card(
        "Attributed revenue",
        figures["revenue_minor"].sum(),
        "minor",
        currency=place.currency,
        help="Last touch within the conversion window. It includes people who would have bought anyway.",
    )
    kpi.card(
        "ROI",
        rates.pooled_roi(figures),
        "ratio",
        currency=place.currency,
        help="(Attributed revenue − cost) ÷ cost, over the campaigns whose cost is known.",
    )
if inside:
    result_charts.still_open(figures)

ids = ",".join(str(i) for i in figures["campaign_id"])
narrow = {"field": of_people.by, "value": of_people.value} if of_people else {}
left, right = st.columns(2, gap="medium")
with left, st.container(border=True, height="stretch"):
    result_charts.funnel(figures, of_people, published, {"campaign_ids": ids, **narrow})
with right, st.container(border=True, height="stretch"):
    by_campaign = shown if only and only.by == "campaign" else figures
    result_charts.returns(by_campaign, only, place.currency, narrow)
result_charts.go_to_people(figures["campaign_id"].tolist(), of_people)

result_breakdown.draw(shown, only, known, published, as_of=as_of, currency=place.currency)
mixed = len(set(shown["source"])) > 1
if mixed:
    st.caption(
        "Simulated and imported results are mixed here. Choose campaigns of one kind to tell them apart."
    )
