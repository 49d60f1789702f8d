"""The list of campaigns; archived ones only where they are asked for."""

import pandas as pd
import streamlit as st

from ma.types import CampaignStatus, Channel
from ui import tables
from ui.export import export_button

_ARCHIVED = "archived"


def draw(everything: pd.DataFrame) -> None:
    """Draw the campaigns of an analytics.campaigns frame, all or of one status; a row opens its campaign."""
    archived = everything["archived_at"].notna()
    frame, archive = everything[~archived], everything[archived]
    present = [s.value for s in CampaignStatus if (frame["status"] == s).any()]
    with st.container(horizontal=True, vertical_alignment="center"):
        status = st.pills(
            "Status",
            present + ([_ARCHIVED] if len(archive) else []),
            format_func=str.capitalize,
            key="status",
            bind="query-params",
            label_visibility="collapsed",
            wrap=True,
        )
        st.space("stretch")
        if status == _ARCHIVED:
            export_button("campaigns", archived="true")
        else:
            export_button("campaigns", archived="false", status=status or "")
    shown = archive if status == _ARCHIVED else frame[frame["status"] == status] if status else frame
    if shown.empty:
        st.info("Every campaign is archived. Choose “Archived” to see them.", icon=":material/archive:")
        return
    _table(shown, status)
    hidden = f" {len(archive):,} archived not shown." if len(archive) and status != _ARCHIVED else ""
    st.caption(f"{_number(len(shown))}. Select a row to open it.{hidden}")


def _number(campaigns: int) -> str:
    return "1 campaign" if campaigns == 1 else f"{campaigns:,} campaigns"


def _table(shown: pd.DataFrame, status: str | None) -> None:
    table = shown.assign(
        status_shown=shown["status"].str.capitalize(),
        channel=shown["channel"].map(lambda c: Channel(c).label),
        when=shown["launched_at"].fillna(shown["scheduled_at"]),
        source=shown["source"].str.capitalize(),
    )
    event = st.dataframe(
        table[["name", "status_shown", "channel", "segment", "when", "sent", "source"]],
        hide_index=True,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key=f"campaign-list-{status}",
        height=min(38 * len(table) + 40, 720),
        column_config={
            "name": st.column_config.TextColumn("Campaign", width="medium"),
            "status_shown": "Status",
            "channel": "Channel",
            "segment": "Segment",
            "when": tables.moment("Launched or scheduled"),
            "sent": tables.count("Sent to"),
            "source": "Results",
        },
    )
    if event.selection.rows:
        campaign_id = int(table.iloc[event.selection.rows[0]]["campaign_id"])
        st.query_params.from_dict({"id": str(campaign_id)})
        st.rerun()
