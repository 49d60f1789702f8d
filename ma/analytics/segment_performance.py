"""How segments responded: what was sent to each and what it brought."""

from datetime import date, datetime

import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.rates import add_money, add_rates
from ma.analytics.results import SUMS, totals

NO_SEGMENT = "Without a segment"


def performance(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> pd.DataFrame:
    """Results by the segment a campaign was sent to, pooled over its campaigns, most revenue first.

    One row per segment: segment_id (NaN for imported campaigns without one), segment, campaigns,
    the counts of results.totals, rates and money as in roi.roi. A step or cost that one campaign of
    the segment does not know is NaN for the segment: a sum over part of it would mislead.
    """
    return of_totals(totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end))


def of_totals(frame: pd.DataFrame) -> pd.DataFrame:
    """The performance of segments from campaign totals, as `performance` describes it."""
    frame = frame.assign(segment=frame["segment"].fillna(NO_SEGMENT), campaigns=1)
    columns = [*SUMS, "cost_minor"]
    groups = frame.groupby("segment", sort=False)
    summed = groups[columns].agg(lambda values: values.sum(skipna=False))
    summed.insert(0, "campaigns", groups["campaigns"].sum())
    summed.insert(0, "segment_id", groups["segment_id"].first())
    result = add_money(add_rates(summed.reset_index()))
    return result.sort_values("revenue_minor", ascending=False, ignore_index=True)
