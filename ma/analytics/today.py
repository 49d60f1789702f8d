"""What campaigns brought on a day that is not over: counted from the outcomes, since stored days are whole.

Counting reads every outcome of the campaigns that have something to count. So that not every screen does it,
an hour is remembered: what had happened before it as counts, what happens in it row by row.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

import pandas as pd
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.models import Campaign, CampaignResult, Outcome

STEPS = (
    "assigned",
    "sent",
    "bounced",
    "delivered",
    "opened",
    "clicked",
    "converted",
    "unsubscribed",
    "complained",
)
KEYS = ["campaign_id", "variant", "arm"]
FIGURES = [*STEPS, "organic", "revenue_minor"]
_HOUR = timedelta(hours=1)
# On the day of a big launch too much happens in an hour to remember it row by row.
_FEW = 100_000
_REMEMBERED = 500


@dataclass(frozen=True)
class _Hour:
    """Of one campaign on one day: counts before the hour, and the rows in which something happens in it."""

    before: pd.DataFrame
    rows: pd.DataFrame


_hours: OrderedDict[tuple[int, datetime], _Hour] = OrderedDict()
_lock = Lock()


def today(
    session: Session, *, as_of: datetime, timezone: str, campaign_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """People and money of the calendar day of `as_of` up to that instant.

    One row per campaign, variant and arm in which something happens on that day: KEYS and FIGURES.
    """
    day = clock.local_day(as_of, timezone)
    start = clock.day_start(day, timezone)
    live = _live(session, day, campaign_ids)
    known = live[live["results_mark"].notna() & (live["events"] <= _FEW)]
    plain = live[~live["campaign_id"].isin(known["campaign_id"])]["campaign_id"].tolist()
    parts = [_counted(session, plain, start, as_of + clock.MICROSECOND)] if plain else []
    parts += _up_to(as_of, _remembered(session, known, start, as_of))
    if not parts:
        return pd.DataFrame(columns=[*KEYS, *FIGURES])
    return pd.concat(parts, ignore_index=True).groupby(KEYS, as_index=False)[FIGURES].sum()


def _live(session: Session, day, campaign_ids: Sequence[int] | None) -> pd.DataFrame:
    events = sum(func.coalesce(getattr(CampaignResult, step), 0) for step in STEPS)
    query = (
        select(CampaignResult.campaign_id, Campaign.results_mark, func.sum(events).label("events"))
        .join(Campaign, Campaign.id == CampaignResult.campaign_id)
        .where(CampaignResult.day == day)
        .group_by(CampaignResult.campaign_id, Campaign.results_mark)
    )
    if campaign_ids is not None:
        query = query.where(CampaignResult.campaign_id.in_(campaign_ids))
    return read(session, query).astype({"events": float})


def _remembered(session: Session, known: pd.DataFrame, start: datetime, as_of: datetime) -> list[_Hour]:
    """The hour of `as_of` of each of these campaigns, read where it is not known yet."""
    begin = max(start, as_of.replace(minute=0, second=0, microsecond=0))
    # A mark is drawn anew whenever outcomes change, so what is kept under one never gets old.
    keys = {int(row.campaign_id): (int(row.results_mark), begin) for row in known.itertuples()}
    with _lock:
        found = {i: _hours[key] for i, key in keys.items() if key in _hours}
    missing = [i for i in keys if i not in found]
    if missing:
        before = _counted(session, missing, start, begin)
        rows = _rows(session, missing, begin, begin + _HOUR)
        for i in missing:
            mine = _Hour(before[before["campaign_id"] == i], rows[rows["campaign_id"] == i])
            found[i] = mine
            with _lock:
                _hours[keys[i]] = mine
                while len(_hours) > _REMEMBERED:
                    _hours.popitem(last=False)
    return list(found.values())


def _up_to(as_of: datetime, hours: list[_Hour]) -> list[pd.DataFrame]:
    """What is remembered of these hours up to an instant in them."""
    if not hours:
        return []
    rows = pd.concat([hour.rows for hour in hours], ignore_index=True)
    happened = {step: (rows[f"{step}_at"] <= as_of).to_numpy() for step in STEPS}
    organic, revenue = rows["organic"].to_numpy(bool), rows["revenue_minor"].to_numpy("int64")
    figures = happened | {
        "organic": happened["converted"] & organic,
        "revenue_minor": happened["converted"] * revenue,
    }
    counted = pd.DataFrame(figures).astype("int64")
    return [*(hour.before for hour in hours), pd.concat([rows[KEYS], counted], axis=1)]


def _counted(session: Session, campaign_ids: Sequence[int], start: datetime, end: datetime) -> pd.DataFrame:
    """What happened in [start, end), by campaign, variant and arm."""

    def count(condition: ColumnElement) -> ColumnElement:
        return func.sum(case((condition, 1), else_=0))

    converted = _within("converted", start, end)
    query = (
        select(
            *[getattr(Outcome, key) for key in KEYS],
            *[count(_within(step, start, end)).label(step) for step in STEPS],
            count(and_(converted, Outcome.organic)).label("organic"),
            func.sum(case((converted, Outcome.revenue_minor), else_=0)).label("revenue_minor"),
        )
        .where(Outcome.campaign_id.in_(campaign_ids))
        .group_by(*[getattr(Outcome, key) for key in KEYS])
    )
    return read(session, query).astype(dict.fromkeys(FIGURES, "int64"))


def _rows(session: Session, campaign_ids: Sequence[int], start: datetime, end: datetime) -> pd.DataFrame:
    """The outcomes in which something happens in [start, end); other times are missing."""
    query: Select = select(
        *[getattr(Outcome, key) for key in KEYS],
        Outcome.organic,
        Outcome.revenue_minor,
        *[
            case((_within(step, start, end), getattr(Outcome, f"{step}_at"))).label(f"{step}_at")
            for step in STEPS
        ],
    ).where(
        Outcome.campaign_id.in_(campaign_ids),
        or_(*[_within(step, start, end) for step in STEPS]),
    )
    return read(session, query)


def _within(step: str, start: datetime, end: datetime) -> ColumnElement:
    column = getattr(Outcome, f"{step}_at")
    return and_(column >= start, column < end)
