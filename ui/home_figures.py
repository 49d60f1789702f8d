"""What Home shows of a period: worked out at each look, or where that takes long, kept for up to an hour."""

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from ma import clock
from ma.analytics import attention, best_worst, kpis
from ma.analytics import roi as returns
from ma.analytics.kpi_intervals import with_intervals
from ui.kept import Kept, kept
from ui.session import reading

_QUICK_SECONDS = 1.0


@dataclass(frozen=True)
class Figures:
    """kpis by name, the course of the period, of the one before it and by week, all campaigns, those launched
    in the period, those of them that are mature, and what needs attention.
    """

    kpis: pd.DataFrame
    course: pd.DataFrame
    before: pd.DataFrame
    weekly: pd.DataFrame
    campaigns: pd.DataFrame
    launched: pd.DataFrame
    mature: pd.DataFrame
    todo: pd.DataFrame


def figures(start: date, end: date, by: str, timezone: str, as_of: datetime) -> Kept:
    """The figures of the days in [start, end), and as of when they are."""

    def work() -> Figures:
        with reading() as session:
            frame = with_intervals(kpis.kpis(session, as_of=as_of, start=start, end=end)).set_index("kpi")
            course = kpis.trend(session, as_of=as_of, start=start, end=end, by=by)
            before = kpis.trend(session, as_of=as_of, start=start - (end - start), end=start, by=by)
            weekly = course
            if by == "day" and (end - start).days >= 28:
                weekly = kpis.trend(session, as_of=as_of, start=start, end=end, by="week")
            campaigns = returns.roi(session, as_of=as_of)
            launched = campaigns[campaigns["launched_at"] >= clock.day_start(start, timezone)]
            mature = best_worst.mature(session, launched, as_of=as_of)
            todo = attention.of_campaigns(session, campaigns, as_of=as_of)
        return Figures(frame, course, before, weekly, campaigns, launched, mature, todo)

    key = ("home", start, end, by)
    return kept(key, as_of, work, words="Adding up the period …", quick=_QUICK_SECONDS)
