"""Forecasts that were worked out already, kept for this person until something changes or the hour ends."""

from collections.abc import Callable
from datetime import datetime

import streamlit as st

from ma.analytics import calibration
from ma.services import forecasts
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast, Plan
from ui.session import reading

# The plan, what can change it, the record, and three scenarios that each go to another segment, twice.
_MOST = 16


def basis(campaign: dict, as_of: datetime) -> tuple[Basis, tuple]:
    """What the forecasts of a campaign stand on, and the key under which they are kept."""
    key = ("basis", campaign["id"], campaign["version"], *_state(as_of))

    def work() -> Basis:
        with st.spinner("Reading who can be reached …"), reading() as session:
            return forecasts.basis(session, campaign, at=as_of)

    return _kept(key, work), key


def elsewhere(ground: Basis, key: tuple, campaign: dict, as_of: datetime) -> tuple[Basis, tuple]:
    """What forecasts stand on if the campaign goes to the segment that `campaign` names, and the key."""
    key = (*key, "segment", campaign["segment_id"])

    def work() -> Basis:
        with st.spinner("Reading who can be reached …"), reading() as session:
            return forecasts.elsewhere(session, ground, campaign, at=as_of)

    return _kept(key, work), key


def of_plan(ground: Basis, key: tuple, plan: Plan) -> Forecast:
    """The forecast of one plan."""
    return _kept((*key, repr(plan)), lambda: forecasts.of_plan(ground, plan))


def swings(ground: Basis, key: tuple, plan: Plan):
    """What each assumption alone can change, and the middle from which it does (see services.forecasts)."""
    return _kept((*key, "swings", repr(plan)), lambda: forecasts.swings(ground, plan))


def record(as_of: datetime):
    """What was forecast at each launch against what happened."""

    def work():
        with reading() as session:
            return calibration.forecast_record(session, as_of=as_of)

    return _kept(("record", *_state(as_of)), work)


def _state(as_of: datetime) -> tuple:
    with reading() as session:
        return forecasts.data_version(session), as_of.replace(minute=0, second=0, microsecond=0)


def _kept(key: tuple, work: Callable):
    kept = st.session_state.setdefault("forecasts-kept", {})
    if key not in kept:
        found = work()
        while len(kept) >= _MOST:
            kept.pop(next(iter(kept)))
        kept[key] = found
    return kept[key]
