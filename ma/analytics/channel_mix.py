"""What went out through each channel and what came of it."""

from datetime import date, datetime

import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics import significance
from ma.analytics.rates import pooled, reached
from ma.analytics.results import totals

_COLUMNS = ("channel", "campaigns", "sent", "sent_share", "converted", "reached", "conversion_rate", "low",
            "high", "revenue_minor", "revenue_share")  # fmt: skip


def channel_mix(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> pd.DataFrame:
    """Campaigns launched on days in [start, end) by channel, most sent first.

    One row per channel: channel, campaigns, sent (people, once per campaign), sent_share (of all sent),
    converted and reached of those whose conversions are known, conversion_rate (converted ÷ reached) with
    low and high (95 %, Wilson), revenue_minor (attributed; NaN where no campaign knows it) and revenue_share.
    Source: docs/metrics.md#channel-mix
    """
    return of_totals(totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end))


def of_totals(frame: pd.DataFrame) -> pd.DataFrame:
    """The channels of campaign totals, as `channel_mix` describes them."""
    rows = []
    for channel, mine in frame.groupby("channel"):
        known = mine[mine["converted"].notna()]
        converted, people = known["converted"].sum(), reached(known).sum()
        estimate = significance.rate(converted, people)
        revenue = mine["revenue_minor"].sum(min_count=1)
        rows.append(
            (channel, len(mine), mine["sent"].sum(), 0.0, converted, people, pooled(mine, "converted"),
             estimate.low, estimate.high, revenue, 0.0)
        )  # fmt: skip
    found = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"sent": float, "revenue_minor": float})
    for part, share in (("sent", "sent_share"), ("revenue_minor", "revenue_share")):
        whole = found[part].sum()
        found[share] = found[part] / whole if whole > 0 else float("nan")
    return found.sort_values("sent", ascending=False, ignore_index=True)
