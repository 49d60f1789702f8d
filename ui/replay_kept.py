"""Replays that were worked out already, kept for this person until something changes or the hour ends."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import streamlit as st

from ma.services import replays
from ma.services.forecasts import data_version
from ma.services.replays import Replay
from ui.session import reading

_MOST = 8


def replayed(campaign: Mapping, changes: Mapping, text: str, as_of: datetime) -> Replay:
    """A replay, kept without its people one by one: they may be a million."""
    with reading() as session:
        version = data_version(session)
    hour = as_of.replace(minute=0, second=0, microsecond=0)
    key = (campaign["id"], text, version, hour)
    kept = st.session_state.setdefault("replays-kept", {})
    if key not in kept:
        with st.spinner("Running it again …"), reading() as session:
            found = replays.replay(session, campaign["id"], changes, as_of=as_of)
        while len(kept) >= _MOST:
            kept.pop(next(iter(kept)))
        kept[key] = replace(found, people=found.people.iloc[:0].copy())
    return kept[key]
