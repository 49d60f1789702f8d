"""Forecast: what a campaign may bring before it is sent, what to change, and how good past forecasts were."""

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.analytics import segments as segment_list
from ma.services import forecasts
from ma.text import whole_number
from ma.types import Permission
from ui import (
    forecast_assumptions,
    forecast_kept,
    forecast_record,
    forecast_scenarios,
    forecast_summary,
    forecast_tests,
)
from ui.links import link
from ui.moments import ago
from ui.page import page
from ui.session import now, reading, workspace
from ui.text import literal

actor = page(
    "Forecast", Permission.READ, subtitle="What a campaign may bring before it is sent, and how sure that is."
)

place, as_of = workspace(), now()
with reading() as session:
    everything = campaign_list.campaigns(session, as_of=as_of, archived=False)
plannable = everything[everything["status"].isin(["draft", "scheduled"])]
if plannable.empty:
    st.info(
        "**Nothing to forecast.** This page shows what a draft or scheduled campaign may bring: how many "
        "people it reaches, its profit with a range, and the chance of a loss.",
        icon=":material/query_stats:",
    )
    link("campaigns", "Plan a campaign")
    forecast_record.draw(as_of)
    st.stop()

names = {int(row.campaign_id): f"{row.name} ({row.status})" for row in plannable.itertuples(index=False)}
asked = whole_number(st.query_params.get("campaign", ""))
ids = list(names)
if asked is not None and asked not in names:
    st.caption("The campaign in the address is no draft any more. Choose another one, or see its results.")
chosen = st.selectbox(
    "Campaign",
    ids,
    index=ids.index(asked) if asked in names else 0,
    format_func=names.get,
    key="forecast-campaign",
    help="Drafts and scheduled campaigns, the newest first.",
)
st.query_params["campaign"] = str(chosen)

with reading() as session:
    campaign = campaign_list.campaign(session, chosen)
    segment = segment_list.segment(session, campaign["segment_id"]) if campaign["segment_id"] else None
if segment is None:
    st.warning(
        "The campaign has no segment: nobody would be sent it. Choose one.", icon=":material/group_off:"
    )
    link("campaigns", "Open the campaign", id=chosen)
    st.stop()
ground, key = forecast_kept.basis(campaign, as_of)
if segment.refreshed_at is None:
    st.warning(
        f"Nobody has counted “{literal(segment.name)}” yet. Refresh it to see a forecast.",
        icon=":material/update:",
    )
    link("segments", "Open the segment", id=segment.segment_id)
elif ground.blocked:
    st.warning(f"**Nobody would be sent it.** {literal(ground.blocked)}", icon=":material/group_off:")
    link("campaigns", "Open the campaign", id=chosen)
if ground.blocked:
    forecast_record.draw(as_of)
    st.stop()

drafted = forecasts.plan(campaign)
forecast = forecast_kept.of_plan(ground, key, drafted)
forecast_summary.draw(campaign, ground, forecast, place.currency)
st.caption(
    f"If it were launched now, {as_of:%d %b %Y, %H:%M} UTC · members of {literal(segment.name)} as of its "
    f"last refresh, {ago(segment.refreshed_at, as_of)}; a launch refreshes it first · converted and revenue: "
    f"within {campaign['conversion_window_days']} days of sending · {forecasts.DRAWS:,} simulated cases"
)
link("campaigns", "Open the campaign", id=chosen)

st.subheader("What it rests on", anchor=False)
forecast_assumptions.draw(ground, forecast_kept.swings(ground, key, drafted), place.currency)
st.subheader("What if", anchor=False)
forecast_scenarios.draw(campaign, ground, key, place.currency, as_of)
st.subheader("What its test can tell", anchor=False)
forecast_tests.draw(ground, forecast)
forecast_record.draw(as_of)
