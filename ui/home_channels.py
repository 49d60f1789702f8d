"""Through which channels campaigns went out, and what came of it."""

from datetime import date

import pandas as pd
import streamlit as st

from ma.charts import home as charts
from ui import picture
from ui.export import export_button

_UNITS = {
    "sent": "one for each person and campaign, and their share",
    "revenue_minor": "and its share",
    "conversion_rate": "with its 95 % interval",
}
# What stands in the address.
_MEASURES = {"sent": "sent", "revenue": "revenue_minor", "conversion": "conversion_rate"}
_LABELS = {"sent": "Sent", "revenue": "Revenue", "conversion": "Conversion rate"}


def draw(frame: pd.DataFrame, start: date, end: date, currency: str) -> None:
    """Draw an analytics.channel_mix frame of the campaigns launched on days in [start, end)."""
    with st.container(horizontal=True, vertical_alignment="center"):
        title = st.container()
        export_button("channel_mix", key="export-channel-mix", start=start, end=end)
    if frame.empty:
        title.markdown("**Channels**")
        st.caption("No campaign was launched in this period.")
        return
    chosen = st.segmented_control(
        "Show of each channel",
        list(_MEASURES),
        format_func=_LABELS.get,
        default="sent",
        key="mix",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    measure = _MEASURES[chosen or "sent"]
    title.markdown(f"**{charts.MIX[measure]} by channel** :gray[{_UNITS[measure]}]")
    if frame[measure].isna().all():
        st.caption("Unknown for every campaign of this period.")
        return
    picture.chart(charts.channel_mix(frame, measure=measure, currency=currency), key="channel-mix")
    st.caption(
        "Campaigns launched in the period, as of now; young ones still grow. Conversion rate: converted ÷ "
        "delivered (÷ sent for direct mail and ads)."
    )
