"""Counts of people that take their time: kept for a while, so that another click does not count again."""

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import breakdown as breakdowns
from ma.analytics.breakdown_people import Progress
from ui.kept import Kept, kept
from ui.result_only import Only
from ui.session import reading

# What is counted quicker is counted anew each time.
_QUICK_SECONDS = 0.5
_WORDS = "Counting people …"


def parts(campaigns: pd.DataFrame, *, as_of: datetime, by: str, only: Only | None) -> Kept:
    """The breakdown of these campaigns by a dimension, and the instant it holds for."""
    narrow = {"field": only.by, "value": only.value} if only else {}

    def count(progress: Progress) -> pd.DataFrame:
        with reading() as session:
            return breakdowns.of_totals(session, campaigns, as_of=as_of, by=by, progress=progress, **narrow)

    return _kept(("breakdown", by, only), campaigns, as_of, count)


def of(campaigns: pd.DataFrame, only: Only, *, as_of: datetime) -> pd.DataFrame:
    """The totals of these campaigns of the people of one group."""

    def count(progress: Progress) -> pd.DataFrame:
        with reading() as session:
            return breakdowns.narrowed(
                session, campaigns, as_of=as_of, field=only.by, value=only.value, progress=progress
            )

    return _kept(("totals of people", only), campaigns, as_of, count).value


def _kept(
    what: tuple, campaigns: pd.DataFrame, as_of: datetime, count: Callable[[Progress], pd.DataFrame]
) -> Kept:
    place = st.empty()

    def progress(share: float) -> None:
        if share < 1.0:
            place.progress(share, _WORDS)

    key = (*what, tuple(campaigns["campaign_id"]))
    found = kept(key, as_of, lambda: count(progress), words=_WORDS, quick=_QUICK_SECONDS)
    place.empty()
    return found
