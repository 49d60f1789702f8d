"""Results: funnel and ROI of one, several or all campaigns, and how segments responded."""

import streamlit as st

from ma.analytics import funnel as funnels
from ma.analytics import rates, segment_performance
from ma.analytics import roi as returns
from ma.charts import funnel as funnel_charts
from ma.charts import roi as roi_charts
from ma.charts import segments as segment_charts
from ma.charts import theme
from ma.text import whole_number
from ma.types import Channel, Permission
from ui import kpi, tables
from ui.export import export_button
from ui.links import link
from ui.page import page
from ui.session import now, reading, workspace

actor = page("Results", Permission.READ, subtitle="What campaigns brought, step by step and in money.")

place, as_of = workspace(), now()
with reading() as session:
    everything = returns.roi(session, as_of=as_of)
if everything.empty:
    st.info(
        "**No results yet.** This page shows the funnel and the return of each campaign. "
        "It fills as soon as one is launched.",
        icon=":material/monitoring:",
    )
    link("campaigns", "Plan a campaign")
    st.stop()

names = dict(zip(everything["campaign_id"], everything["name"], strict=True))
known = set(names)
wanted = [i for i in map(whole_number, st.query_params.get("campaigns", "").split(",")) if i in known]
filters = st.columns([3, 5], vertical_alignment="bottom")
with filters[0]:
    channels = st.pills(
        "Channel",
        [c.value for c in Channel if (everything["channel"] == c).any()],
        format_func=lambda c: Channel(c).label,
        selection_mode="multi",
        key="channel",
        bind="query-params",
    )
with filters[1]:
    chosen = st.multiselect(
        "Campaigns",
        list(names),
        default=wanted,
        format_func=names.get,
        placeholder="All campaigns",
        key="chosen-campaigns",
    )
if chosen:
    st.query_params["campaigns"] = ",".join(str(c) for c in chosen)
else:
    st.query_params.pop("campaigns", None)

shown = everything
if channels:
    shown = shown[shown["channel"].isin(channels)]
if chosen:
    shown = shown[shown["campaign_id"].isin(chosen)]
if shown.empty:
    st.warning("No campaign fits both filters. Take one of them off.", icon=":material/filter_alt_off:")
    st.stop()
ids = ",".join(str(i) for i in shown["campaign_id"])

costed = shown[shown["cost_minor"].notna()]
unknown_cost = len(shown) - len(costed)
with st.grid(columns=4, border=True, min_column_width=150):
    kpi.card(
        "Messages sent",
        shown["sent"].sum(),
        "people",
        currency=place.currency,
        help="People, counted once per campaign. Holdouts are not in it.",
    )
    kpi.card(
        "Conversion rate",
        rates.pooled(shown, "converted"),
        "rate",
        currency=place.currency,
        help="People who converted ÷ delivered (÷ sent where the channel cannot see delivery), pooled.",
    )
    kpi.card(
        "Attributed revenue",
        shown["revenue_minor"].sum(),
        "minor",
        currency=place.currency,
        help="Last touch within the conversion window. It includes people who would have bought anyway.",
    )
    kpi.card(
        "ROI",
        rates.pooled_roi(shown),
        "ratio",
        currency=place.currency,
        help="(Attributed revenue − cost) ÷ cost, over the campaigns whose cost is known.",
    )

left, right = st.columns(2, gap="medium")
with left, st.container(border=True, height="stretch"):
    missing = funnels.unknown_steps(shown)
    if missing and shown["channel"].nunique() > 1:
        st.markdown("**Funnel by channel**: share of the people sent who reached each step")
        by_channel = {
            channel: funnels.of_totals(part) for channel, part in shown.groupby("channel", sort=False)
        }
        st.plotly_chart(funnel_charts.by_channel(by_channel), config=theme.CONFIG, key="funnel-by-channel")
        missing = {}
        st.caption("No bar: the channel cannot see the step. Unknown is not zero.")
    else:
        st.markdown("**Funnel**: people who reached each step, and their share of the step before")
        funnel = funnels.of_totals(shown)
        st.plotly_chart(funnel_charts.funnel(funnel), config=theme.CONFIG, key="funnel")
    organic = int(shown["organic"].fillna(0).sum())
    if missing:
        words = ", ".join(f"{theme.STEP_LABELS[s].lower()} ({n} of {len(shown)})" for s, n in missing.items())
        st.caption(f"Left out because some of these campaigns cannot see them: {words}. Unknown is not zero.")
    if organic:
        st.caption(f"Beside the funnel: {organic:,} people bought without the message leading them there.")
    export_button("funnel", campaign_ids=ids, key="export-funnel")
with right, st.container(border=True, height="stretch"):
    if len(costed):
        st.markdown("**Return on investment** by campaign")
        st.plotly_chart(roi_charts.roi(shown, currency=place.currency), config=theme.CONFIG, key="roi")
    else:
        st.markdown("**Attributed revenue** by campaign")
        st.plotly_chart(
            roi_charts.revenue(shown, currency=place.currency), config=theme.CONFIG, key="revenue"
        )
    if unknown_cost:
        st.caption(
            f"{unknown_cost} of {len(shown)} campaigns have no known cost: no ROI can be said for them."
        )
    export_button("roi", campaign_ids=ids, key="export-roi")

st.subheader("Campaigns", anchor=False)
table = tables.major(
    shown,
    ["revenue_minor", "cost_minor", "profit_minor", "cost_per_acquisition_minor"],
    currency=place.currency,
)
table = table.assign(
    channel=table["channel"].map(lambda c: Channel(c).label), source=table["source"].str.capitalize()
)
st.dataframe(
    table[
        [
            "name", "channel", "source", "launched_at", "sent", "delivered", "open_rate", "click_rate",
            "conversion_rate", "converted", "revenue", "cost", "profit", "roi", "cost_per_acquisition",
        ]
    ],
    hide_index=True,
    placeholder="–",
    column_config={
        "name": st.column_config.TextColumn("Campaign"),
        "channel": "Channel",
        "source": "Results",
        "launched_at": tables.moment("Launched"),
        "sent": tables.count("Sent"),
        "delivered": tables.count("Delivered"),
        "open_rate": tables.rate("Open rate"),
        "click_rate": tables.rate("Click rate"),
        "conversion_rate": tables.rate("Conversion rate"),
        "converted": tables.count("Converted"),
        "revenue": tables.money("Revenue"),
        "cost": tables.money("Cost"),
        "profit": tables.money("Profit"),
        "roi": tables.rate("ROI"),
        "cost_per_acquisition": tables.money("Cost per conversion"),
    },
)  # fmt: skip

st.subheader("Performance by segment", anchor=False)
segments = segment_performance.of_totals(shown)
targeted = segments[segments["segment_id"].notna()]
if targeted.empty:
    st.caption("None of these campaigns was sent to a segment: imported ones name their recipients directly.")
else:
    st.caption("Conversion rate of the campaigns sent to each segment.")
    st.plotly_chart(segment_charts.performance(targeted), config=theme.CONFIG, key="segment-performance")
seg_table = tables.major(segments, ["revenue_minor", "cost_minor"], currency=place.currency)
st.dataframe(
    seg_table[
        [
            "segment",
            "campaigns",
            "sent",
            "open_rate",
            "click_rate",
            "conversion_rate",
            "revenue",
            "cost",
            "roi",
        ]
    ],
    hide_index=True,
    placeholder="–",
    column_config={
        "segment": st.column_config.TextColumn("Segment"),
        "campaigns": tables.count("Campaigns"),
        "sent": tables.count("Sent"),
        "open_rate": tables.rate("Open rate"),
        "click_rate": tables.rate("Click rate"),
        "conversion_rate": tables.rate("Conversion rate"),
        "revenue": tables.money("Revenue"),
        "cost": tables.money("Cost"),
        "roi": tables.rate("ROI"),
    },
)
export_button("segment_performance", campaign_ids=ids, key="export-segments")
mixed = " · simulated and imported results are mixed here" if len(set(shown["source"])) > 1 else ""
st.caption(
    f"As of {as_of:%d %b %Y, %H:%M} UTC{mixed} · an empty cell is unknown, not zero · "
    "campaigns still inside their conversion window go on growing."
)
