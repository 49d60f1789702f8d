"""Which campaigns the screen of results is about: one row of filters, kept in the address."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from ma import clock
from ma.text import whole_number
from ma.types import Channel
from ui.page import current_actor
from ui.session import workspace

PERIODS = {"all": "All time", "364": "52 weeks", "91": "13 weeks", "28": "28 days"}


def choose(everything: pd.DataFrame) -> pd.DataFrame:
    """Draw the filters over launched campaigns (an analytics.roi frame); those that pass them all."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="result-filters"):
        days = st.segmented_control(
            "Launched in the last",
            list(PERIODS),
            format_func=PERIODS.get,
            default="all",
            key="launched",
            bind="query-params",
            required=True,
            width="content",
        )
        channels = st.pills(
            "Channel",
            [c.value for c in Channel if (everything["channel"] == c).any()],
            format_func=lambda c: Channel(c).label,
            selection_mode="multi",
            key="channel",
            bind="query-params",
            width="content",
        )
        names = dict(zip(everything["campaign_id"], everything["name"], strict=True))
        campaigns = _some("Campaigns", "campaigns", names, "All campaigns")
        segments = everything[everything["segment_id"].notna()]
        named = dict(zip(segments["segment_id"].astype(int), segments["segment"], strict=True))
        chosen_segments = _some("Sent to segments", "segments", named, "All segments") if named else []
    shown = everything
    if days != "all":
        shown = shown[shown["launched_at"] >= _first(int(days))]
    if channels:
        shown = shown[shown["channel"].isin(channels)]
    if campaigns:
        shown = shown[shown["campaign_id"].isin(campaigns)]
    if chosen_segments:
        shown = shown[shown["segment_id"].isin(chosen_segments)]
    return shown


def clear() -> None:
    """Take all filters off."""
    current_actor()
    st.session_state["launched"], st.session_state["channel"] = "all", []
    for name in ("campaigns", "segments"):
        st.query_params.pop(name, None)
        st.session_state.pop(f"chosen-{name}", None)


def _first(days: int):
    """When the earliest of so many calendar days began, today included."""
    place = workspace()
    today = clock.local_day(place.now(), place.timezone)
    return clock.day_start(today - timedelta(days=days - 1), place.timezone)


def _some(label: str, name: str, named: dict[int, str], nothing: str) -> list[int]:
    """Some of these, by id; the address has them under `name`."""
    wanted = [whole_number(part) for part in st.query_params.get(name, "").split(",")]
    chosen = st.multiselect(
        label,
        list(named),
        default=[one for one in wanted if one in named],
        format_func=named.get,
        placeholder=nothing,
        key=f"chosen-{name}",
        width="stretch",
    )
    if chosen:
        st.query_params[name] = ",".join(map(str, chosen))
    else:
        st.query_params.pop(name, None)
    return chosen
