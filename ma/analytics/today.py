"""What campaigns brought on a day that is not over: counted from the outcomes, since stored days are whole.

Counting reads every outcome of the campaigns that have something to count. So that not every screen does it,
an hour is remembered: what had happened before it as counts, what happens in it row by row.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock

import pandas as pd
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.models import Campaign, CampaignResult, Outcome
from ma.types import Arm

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

_EVENTS = sum(func.coalesce(getattr(CampaignResult, step), 0) for step in STEPS)
_LIVE = (
    select(CampaignResult.campaign_id, Campaign.results_mark, func.sum(_EVENTS).label("events"))
    .join(Campaign, Campaign.id == CampaignResult.campaign_id)
    .where(CampaignResult.day == bindparam("day"))
    .group_by(CampaignResult.campaign_id, Campaign.results_mark)
)


@dataclass(frozen=True)
class _Hour:
    """Of one campaign on one day: counts before the hour, and the rows in which something happens in it."""

    before: pd.DataFrame
    rows: pd.DataFrame

    @cached_property
    def sent_before(self) -> int:
        """People sent a message before the hour."""
        return int(self.before["sent"][self.before["arm"] == Arm.TREATED].sum())

    @cached_property
    def sent_at(self) -> pd.DatetimeIndex:
        """When the others were, in order."""
        times = self.rows["sent_at"][self.rows["arm"] == Arm.TREATED].dropna().sort_values()
        # Without a unit, few times would come in seconds, which cannot be compared with an instant.
        return pd.DatetimeIndex(times).as_unit("us")


_hours: OrderedDict[tuple[int, datetime], _Hour] = OrderedDict()
_lock = Lock()


def today(
    session: Session, *, as_of: datetime, timezone: str, campaign_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """People and money of the calendar day of `as_of` up to that instant.

    One row per campaign, variant and arm in which something happens on that day: KEYS and FIGURES.
    """
    parts, hours = _read(session, as_of, timezone, campaign_ids)
    parts += _up_to(as_of, list(hours.values()))
    if not parts:
        return pd.DataFrame(columns=[*KEYS, *FIGURES])
    return pd.concat(parts, ignore_index=True).groupby(KEYS, as_index=False)[FIGURES].sum()


def sent_today(
    session: Session, *, as_of: datetime, timezone: str, campaign_ids: Sequence[int] | None = None
) -> Counter[int]:
    """People sent a message on the calendar day of `as_of` up to that instant, by campaign.

    What `today` says in its column sent, for a list that needs nothing else of it.
    """
    parts, hours = _read(session, as_of, timezone, campaign_ids)
    people: Counter[int] = Counter()
    for part in parts:
        treated = part[part["arm"] == Arm.TREATED]
        for campaign_id, sent in zip(treated["campaign_id"], treated["sent"], strict=True):
            people[campaign_id] += int(sent)
    for campaign_id, hour in hours.items():
        people[campaign_id] += hour.sent_before + int(hour.sent_at.searchsorted(as_of, side="right"))
    return people


def _read(
    session: Session, as_of: datetime, timezone: str, campaign_ids: Sequence[int] | None
) -> tuple[list[pd.DataFrame], dict[int, _Hour]]:
    """What is counted up to the instant, and by campaign the hour in which it still has to be counted."""
    day = clock.local_day(as_of, timezone)
    start = clock.day_start(day, timezone)
    live = _live(session, day, campaign_ids)
    known = {row.campaign_id: row.results_mark for row in live if row.results_mark and row.events <= _FEW}
    plain = [row.campaign_id for row in live if row.campaign_id not in known]
    parts = [_counted(session, plain, start, as_of + clock.MICROSECOND)] if plain else []
    return parts, _remembered(session, known, start, as_of)


def _live(session: Session, day, campaign_ids: Sequence[int] | None) -> Sequence[Row]:
    query = _LIVE if campaign_ids is None else _LIVE.where(CampaignResult.campaign_id.in_(campaign_ids))
    return session.execute(query, {"day": day}).all()


def _remembered(
    session: Session, known: dict[int, int], start: datetime, as_of: datetime
) -> dict[int, _Hour]:
    """The hour of `as_of` of each of these campaigns, read where it is not known yet."""
    begin = max(start, as_of.replace(minute=0, second=0, microsecond=0))
    # A mark is drawn anew whenever outcomes change, so what is kept under one never gets old.
    keys = {campaign_id: (mark, begin) for campaign_id, mark in known.items()}
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
    return found


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
