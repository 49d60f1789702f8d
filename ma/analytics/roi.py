"""Return on investment by campaign."""

from datetime import date, datetime

import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.rates import add_money, add_rates
from ma.analytics.results import totals
from ma.errors import InvalidPeriod


def roi(
    session: Session,
    *,
    as_of: datetime,
    start: date | None = None,
    end: date | None = None,
    campaign_ids: list[int] | None = None,
) -> pd.DataFrame:
    """Return on investment by campaign launched on days in [start, end), newest first.

    One row per campaign: the columns of results.totals, rates (0–1), cost_minor and revenue_minor
    (minor units; revenue is last touch within the conversion window, organic conversions of treated
    people included), profit_minor, roi and roas (ratios; NaN where cost is 0 or unknown).

    Raises InvalidPeriod if start >= end.
    Source: docs/metrics.md#roi
    """
    if start is not None and end is not None and start >= end:
        raise InvalidPeriod(f"The period must start before it ends: {start} is not before {end}.")
    frame = totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    return add_money(add_rates(frame))
