"""Home: the key figures, their course, and what needs attention."""

from datetime import timedelta

import streamlit as st

from ma.analytics import channel_mix
from ma.charts import kpis as charts
from ma.types import Channel, Permission
from ui import home_attention, home_channels, home_figures, home_ranking, kpi, picture, tables
from ui.export import export_button
from ui.links import link
from ui.page import page
from ui.period import period, words
from ui.session import now, workspace

actor = page("Home", Permission.READ)

HELP = {
    "customers": "People in this workspace who are not deleted, at the end of the period.",
    "active": "People who bought, visited, opened or clicked in the period.",
    "revenue": "All purchases in the period, refunds taken off, whether or not a campaign caused them.",
    "reach": "People who were sent at least one message in the period.",
    "open_rate": "People who opened ÷ messages delivered, over campaigns launched in the period whose "
    "channel can see opens.",
    "click_rate": "People who clicked ÷ messages delivered, over campaigns launched in the period whose "
    "channel can see clicks.",
    "conversion_rate": "People who converted ÷ messages delivered (sent, for direct mail and ads), over "
    "campaigns launched in the period.",
    "roi": "(Attributed revenue − cost) ÷ cost, over campaigns launched in the period whose cost is known.",
}

place, as_of = workspace(), now()
with st.container(horizontal=True, vertical_alignment="center"):
    start, end = period()
    st.caption(f"{words(start, end)} · compared with the {(end - start).days} days before")
    st.space("stretch")
    export_button("kpis", start=start, end=end)

by = "day" if (end - start).days <= 91 else "week"
found = home_figures.figures(start, end, by, place.timezone, as_of)
shown, as_of = found.value, found.as_of
frame, campaigns, launched = shown.kpis, shown.campaigns, shown.launched
if frame.loc["customers", "value"] == 0:
    st.info(
        "**No customers yet.** This page shows how many there are, what they buy and how campaigns do. "
        "Add the first customer to begin.",
        icon=":material/group_add:",
    )
    link("customers", "Add customers")
    st.stop()

# Today is not over: its figures stand on the cards, but a line would fall off.
whole = shown.course.iloc[:-1] if by == "day" else shown.course
spark = shown.weekly if 4 <= len(shown.weekly) < len(whole) else whole
recent = campaigns[campaigns["launched_at"] >= as_of - timedelta(days=364)].iloc[::-1]
sparks = {
    "customers": spark["customers"],
    "active": spark["active"],
    "revenue": spark["revenue_minor"],
    "reach": spark["reached"],
    "open_rate": recent["open_rate"],
    "click_rate": recent["click_rate"],
    "conversion_rate": recent["conversion_rate"],
    "roi": recent["roi"],
}
for names in (
    ("customers", "active", "revenue", "reach"),
    ("open_rate", "click_rate", "conversion_rate", "roi"),
):
    with st.grid(columns=4, border=True, min_column_width=150):
        for name in names:
            row = frame.loc[name]
            kpi.card(
                row["label"],
                row["value"],
                row["unit"],
                currency=place.currency,
                change_value=row["change"],
                interval=(row["low"], row["high"]),
                spark=sparks[name],
                help=HELP[name],
            )

left, right = st.columns([5, 3], gap="medium")
with left, st.container(border=True, height="stretch"):
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            st.markdown(f"**Revenue by {by}** :gray[all purchases less refunds, against the period before]")
        export_button("trend", key="export-trend", start=start, end=end, by=by)
    picture.chart(charts.revenue(whole, shown.before, currency=place.currency, by=by), key="revenue")
with right, st.container(border=True, height="stretch"):
    home_attention.draw(shown.todo)

left, right = st.columns(2, gap="medium")
with left, st.container(border=True, height="stretch"):
    home_channels.draw(channel_mix.of_totals(launched), start, end, place.currency)
with right, st.container(border=True, height="stretch"):
    home_ranking.draw(shown.mature, len(launched), start, end, place.currency)

st.subheader("Latest campaigns", anchor=False)
if len(campaigns):
    export_button("roi", label="Export all campaigns", key="export-campaigns")
else:
    st.info("No campaign was launched yet.", icon=":material/campaign:")
    link("campaigns", "Plan a campaign")
    st.stop()
latest = tables.major(campaigns.head(8), ["revenue_minor", "cost_minor"], currency=place.currency)
latest = latest.assign(
    channel=latest["channel"].map(lambda c: Channel(c).label), status=latest["status"].str.capitalize()
)
st.dataframe(
    latest[
        [
            "name",
            "channel",
            "status",
            "launched_at",
            "sent",
            "open_rate",
            "conversion_rate",
            "revenue",
            "cost",
            "roi",
        ]
    ],
    hide_index=True,
    placeholder="–",
    column_config={
        "name": "Campaign",
        "channel": "Channel",
        "status": "Status",
        "launched_at": tables.moment("Launched"),
        "sent": tables.count("Sent"),
        "open_rate": tables.rate("Open rate"),
        "conversion_rate": tables.rate("Conversion rate"),
        "revenue": tables.money("Attributed revenue"),
        "cost": tables.money("Cost"),
        "roi": tables.rate("ROI"),
    },
)
sources = "simulated and imported results" if len(set(campaigns["source"])) > 1 else "one source"
st.caption(
    f"As of {as_of:%d %b %Y, %H:%M} UTC · rates are people ÷ delivered (÷ sent for direct mail and ads), in "
    "brackets their 95 % interval · "
    f"includes {sources} · an empty cell is unknown, not zero."
)
