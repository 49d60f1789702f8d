"""What can be done with one segment: edit, refresh, delete."""

import pandas as pd
import streamlit as st

from ma.analytics.segments import SegmentInfo
from ma.services import segments
from ma.types import CampaignStatus
from ui import segment_refresh, static_list
from ui.errors import shown
from ui.links import here, link
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal

_NAMED = 5


def draw(segment: SegmentInfo, campaigns: pd.DataFrame, users: pd.DataFrame) -> None:
    """The buttons; `campaigns` (of analytics.used_by) and `users` (of segments_using) use it."""
    if segment.static:
        static_list.actions(segment)
    elif st.button("Edit rule", type="primary", icon=":material/edit:", key="edit"):
        st.query_params["edit"] = "yes"
        st.rerun()
    segment_refresh.button(segment)
    with st.popover("Delete", icon=":material/delete:", key="delete"):
        if len(campaigns) or len(users):
            _in_use(campaigns, users)
        else:
            _delete(segment)


def _in_use(campaigns: pd.DataFrame, users: pd.DataFrame) -> None:
    if len(campaigns):
        st.markdown(f"It cannot be deleted because campaigns use it. {_way_out(campaigns)}")
        for campaign in campaigns.head(_NAMED).itertuples():
            words = f"{literal(campaign.name)} ({campaign.status})"
            link("campaigns", words, icon=":material/campaign:", id=campaign.campaign_id)
        _and_more(campaigns)
    if len(users):
        st.markdown(
            "It cannot be deleted because the rules of other segments use it. Take it out of them first."
        )
        for user in users.head(_NAMED).itertuples():
            here(f"Open {literal(user.name)}", icon=":material/filter_alt:", id=user.segment_id)
        _and_more(users)


def _way_out(campaigns: pd.DataFrame) -> str:
    """What can be done, by how far the campaigns are."""
    still_open = campaigns["status"].isin([CampaignStatus.DRAFT, CampaignStatus.SCHEDULED])
    words = []
    if still_open.any():
        words.append("Choose another segment in drafts; take scheduled ones back to draft first.")
    if not still_open.all():
        words.append(
            "Launched and cancelled campaigns keep it, archived or not, so that results still say to whom "
            "they went. You can rename it instead."
        )
    return " ".join(words)


def _and_more(users: pd.DataFrame) -> None:
    if len(users) > _NAMED:
        st.caption(f"And {len(users) - _NAMED:,} more, under “Used by”.")


def _delete(segment: SegmentInfo) -> None:
    lost = "Its list of people" if segment.static else "Its rule with all its versions, its list of people"
    st.markdown(f"{lost} and its history of sizes will be lost. No customer is deleted.")
    if not st.button(
        "Delete segment", type="primary", icon=":material/delete_forever:", key="delete-for-good"
    ):
        return
    at = now()
    with shown() as attempt, writing() as session:
        segments.delete_segment(session, current_actor(), segment.segment_id, version=segment.version, at=at)
    if attempt.ok:
        st.toast("The segment is deleted.", icon=":material/check:")
        st.query_params.clear()
        st.rerun()
