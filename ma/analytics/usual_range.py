"""Figures outside their usual range: a day against that weekday before it, a campaign against its channel.

The range is the median of the past figures, SPREADS times their spread to both sides. The spread is
1.4826 × the median distance from the median, as for a normal distribution, so that one odd day of the past
does not widen it, but at least what chance alone makes of counts. Both are taken on a scale on which that is
the same everywhere: 2√(n + ⅜) for counts (Anscombe 1948), 2·arcsin√p for rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import nan

import numpy as np
import pandas as pd
from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.analytics.rates import reached
from ma.analytics.workspace import workspace
from ma.models import Purchase

# A spread found from a dozen days is itself uncertain: 3 would raise a false alarm on one day in 25, this on
# fewer than one in 100 (tests/analytics/test_usual_range.py).
SPREADS = 4.5
WEEKS, FEWEST = 12, 8
# By then nearly everybody who opens or clicks has done so; older campaigns are no news.
SETTLED, NEWS = timedelta(days=3), timedelta(days=21)
FEWEST_PEOPLE = 100
_NORMAL = 1.4826
_COLUMNS = ("figure", "label", "unit", "day", "value", "low", "usual", "high", "compared", "unusual")
_RATES = {"open_rate": ("Open rate", "opened"), "click_rate": ("Click rate", "clicked")}


@dataclass(frozen=True)
class Usual:
    """From where to where a figure usually lies, and its middle."""

    low: float
    middle: float
    high: float

    def side(self, value: float) -> str:
        """Where a value lies: "below", "above", or "" inside or unknown."""
        return "below" if value < self.low else "above" if value > self.high else ""


def of_counts(past: Sequence[float], *, each: float = 1.0) -> Usual:
    """The usual range of counts, or of amounts made of pieces worth about `each`."""
    values = np.asarray(past, dtype=float) / each
    middle, spread = _middle(2.0 * np.sqrt(np.clip(values, 0.0, None) + 0.375), 1.0)
    ends = np.clip(np.array([middle - SPREADS * spread, middle, middle + SPREADS * spread]), 0.0, None)
    low, usual, high = np.clip((ends / 2.0) ** 2 - 0.375, 0.0, None) * each
    return Usual(float(low), float(usual), float(high))


def of_rates(past: Sequence[float], *, people: float) -> Usual:
    """The usual range of a rate (0–1) of so many people."""
    middle, spread = _middle(2.0 * np.arcsin(np.sqrt(np.asarray(past, dtype=float))), people**-0.5)
    ends = np.clip(np.array([middle - SPREADS * spread, middle, middle + SPREADS * spread]), 0.0, np.pi)
    return Usual(*(np.sin(ends / 2.0) ** 2).tolist())


def _middle(values: np.ndarray, least: float) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, max(_NORMAL * float(np.median(np.abs(values - middle))), least)


def usual_range(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The last whole day's revenue and orders against the same weekday of the 12 weeks before.

    One row per figure: figure (revenue, orders), label, unit, day, value, low, usual and high (unknown with
    fewer than 8 such days since the first purchase), compared (days), unusual ("below", "above" or "").
    Source: docs/metrics.md#usual-range
    """
    zone = workspace(session).timezone
    day = clock.local_day(as_of, zone) - timedelta(days=1)
    frame = read(session, _sold([day - timedelta(weeks=week) for week in range(WEEKS + 1)], zone))
    frame = frame.astype(float).set_index("week").sort_index()
    first = session.scalar(select(func.min(Purchase.at)))
    weeks = min((day - clock.local_day(first, zone)).days // 7, WEEKS) if first else 0
    past, now = frame.loc[1:weeks], frame.loc[0]
    each = past["revenue_minor"].sum() / past["orders"].sum() if past["orders"].sum() else 1.0
    known = {
        "revenue": ("Revenue", "minor", "revenue_minor", max(each, 1.0)),
        "orders": ("Orders", "orders", "orders", 1.0),
    }
    rows = []
    for figure, (label, unit, column, worth) in known.items():
        usual = of_counts(past[column], each=worth) if weeks >= FEWEST else Usual(nan, nan, nan)
        value = float(now[column])
        ends = (usual.low, usual.middle, usual.high)
        rows.append((figure, label, unit, day, value, *ends, weeks, usual.side(value)))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _sold(days: list[date], zone: str) -> Select:
    """A select for each day: one for all of them would read every day in between."""
    after = timedelta(days=1)
    return union_all(
        *[
            select(
                literal(week).label("week"),
                func.coalesce(func.sum(Purchase.amount_minor), 0).label("revenue_minor"),
                func.count(Purchase.amount_minor).filter(Purchase.kind == "sale").label("orders"),
            ).where(
                Purchase.at >= clock.day_start(day, zone), Purchase.at < clock.day_start(day + after, zone)
            )
            for week, day in enumerate(days)
        ]
    )


def of_campaigns(frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """The open and click rates of new campaigns against up to 12 campaigns of their channel before them.

    `frame`: roi.roi of all campaigns, newest first. One row per campaign launched 3 to 21 days before
    `as_of` with at least 8 to compare it with (each of 100 people or more) and rate: campaign_id, name,
    figure, label, value, low, usual, high, compared (campaigns), unusual ("below", "above" or "").
    Source: docs/metrics.md#usual-range
    """
    known = frame.assign(people=reached(frame))
    known = known[known["people"] >= FEWEST_PEOPLE]
    age = as_of - known["launched_at"]
    rows = []
    for new in known[(age >= SETTLED) & (age <= NEWS)].itertuples():
        before = known[(known["channel"] == new.channel) & (known["launched_at"] < new.launched_at)]
        for figure, (label, step) in _RATES.items():
            past, value = before[before[step].notna()].head(WEEKS), getattr(new, figure)
            if len(past) < FEWEST or value != value:
                continue
            usual = of_rates(past[figure], people=new.people)
            ends = (usual.low, usual.middle, usual.high)
            rows.append(
                (new.campaign_id, new.name, figure, label, value, *ends, len(past), usual.side(value))
            )
    columns = ["campaign_id", "name", *_COLUMNS[:2], *_COLUMNS[4:]]
    return pd.DataFrame(rows, columns=columns)
