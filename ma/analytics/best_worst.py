"""Which campaigns did best and worst, allowing for chance.

Of many campaigns the one at the top of a plain list is often a small one that had luck. So the best are
those whose interval has the highest lower end, the worst those with the lowest upper end, and only campaigns
whose conversion window is over are compared: the figures of others still grow.
"""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import Float, case, cast, func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.analytics.rates import add_money
from ma.analytics.results import totals
from ma.analytics.significance import ALPHA
from ma.analytics.workspace import workspace
from ma.errors import InvalidInput
from ma.models import Campaign, CampaignResult
from ma.types import Arm

# What campaigns are ranked by -> what it is called.
MEASURES = {"profit_minor": "Profit", "revenue_per_recipient_minor": "Revenue per recipient"}
COLUMNS = (
    "campaign_id", "name", "channel", "launched_at", "sent", "converted", "revenue_minor", "cost_minor",
    "measure", "value", "low", "high", "best", "worst",
)  # fmt: skip


def best_worst(
    session: Session,
    *,
    as_of: datetime,
    measure: str = "profit_minor",
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> pd.DataFrame:
    """Campaigns launched on days in [start, end) whose conversion window is over, the best first.

    measure: profit_minor or revenue_per_recipient_minor. One row per campaign of which it is known:
    campaign_id, name, channel, launched_at, sent, converted, revenue_minor, cost_minor, measure, value, low
    and high (95 %), best and worst (its rank from either end, 1 is first). Raises InvalidInput for another
    measure. Source: docs/metrics.md#best-and-worst-campaigns
    """
    frame = totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    return ranked(mature(session, frame, as_of=as_of), measure)


def mature(session: Session, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """The campaigns of results.totals that are all sent and past their conversion window, with `scatter`.

    scatter: by how much the amounts of its orders scatter, as the square of their coefficient of variation,
    pooled over all of these campaigns.
    """
    zone = workspace(session).timezone
    today = clock.local_day(as_of, zone)
    ids = [int(one) for one in frame["campaign_id"]]
    known = read(session, _days(ids, today)).set_index("campaign_id").reindex(ids)
    # Of some campaigns only totals are known: all of it was sent at their launch.
    launched = [clock.local_day(at, zone) for at in frame["launched_at"]]
    over = [
        (launch if pd.isna(last) else last) + timedelta(days=int(window)) < today
        for last, launch, window in zip(
            known["last_sent"], launched, frame["conversion_window_days"], strict=True
        )
    ]
    waiting = set(session.scalars(select(Campaign.id).where(Campaign.waves_sent < Campaign.waves)))
    ripe = np.array(over, dtype=bool) & ~frame["campaign_id"].isin(waiting).to_numpy()
    return frame[ripe].assign(scatter=_scatter(known[ripe]))


def ranked(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The ranking that `best_worst` describes, of a frame of `mature`."""
    if measure not in MEASURES:
        raise InvalidInput({"measure": f"Campaigns are ranked by {' or '.join(MEASURES)}."})
    frame = add_money(frame)
    low, high = revenue_interval(frame)
    if measure == "profit_minor":
        low, high = low - frame["cost_minor"], high - frame["cost_minor"]
    else:
        low, high = low / frame["sent"], high / frame["sent"]
    found = frame.assign(measure=measure, value=frame[measure], low=low, high=high)
    found = found.dropna(subset=["value", "low", "high"])
    found = found.assign(
        best=found["low"].rank(ascending=False, method="first").astype(int),
        worst=found["high"].rank(method="first").astype(int),
    )
    return found.sort_values("best", ignore_index=True)[list(COLUMNS)]


def revenue_interval(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The 95 % interval of attributed revenue: chance decides who buys and for how much.

    Revenue is a sum over a Poisson number of orders whose amounts scatter, so it is as sure as
    converted ÷ (1 + scatter) orders of one amount each: Fay and Feuer's gamma interval (1997). Where nobody
    converted the upper end takes the mean order of the other campaigns.
    """
    from scipy.special import gammaincinv

    count = frame["converted"] / (1.0 + frame["scatter"])
    usual = frame["revenue_minor"].sum() / max(
        frame.loc[frame["revenue_minor"].notna(), "converted"].sum(), 1
    )
    each = (frame["revenue_minor"] / frame["converted"].where(frame["converted"] > 0)).fillna(usual)
    each = (each * (1.0 + frame["scatter"])).where(
        frame["converted"].notna() & frame["revenue_minor"].notna() & (each > 0)
    )
    low = each * gammaincinv(count.clip(lower=1e-12), ALPHA / 2.0) * (count > 0)
    return low, each * gammaincinv(count + 1.0, 1.0 - ALPHA / 2.0)


def _days(campaign_ids: list[int], today: date):
    """Of each campaign: the last day of sending, and what its days with orders say about their amounts."""
    orders, amount = cast(CampaignResult.converted, Float), cast(CampaignResult.revenue_minor, Float)
    sold = CampaignResult.converted > 0
    return (
        select(
            CampaignResult.campaign_id,
            func.max(case((CampaignResult.sent > 0, CampaignResult.day))).label("last_sent"),
            func.sum(case((sold, amount * amount / orders))).label("squares"),
            func.sum(case((sold, amount))).label("amount"),
            func.sum(case((sold, orders))).label("orders"),
            func.count(case((sold, 1))).label("days"),
        )
        .where(
            CampaignResult.campaign_id.in_(campaign_ids),
            CampaignResult.arm == Arm.TREATED,
            CampaignResult.day <= today,
        )
        .group_by(CampaignResult.campaign_id)
    )


def _scatter(days: pd.DataFrame) -> float:
    """The squared coefficient of variation of order amounts, from the sums of days.

    A day of c orders has a sum with the variance c·σ², so Σ (sum − c·mean)² ÷ c over the days of a campaign,
    less one degree of freedom, estimates σ²: no order has to be read. 1 where there is nothing to tell from.
    """
    known = days[(days["days"] > 1) & (days["amount"] > 0)].astype(
        dict.fromkeys(("squares", "amount", "orders", "days"), float)
    )
    freedom = (known["days"] - 1.0).sum()
    if not freedom > 0:
        return 1.0
    mean = known["amount"] / known["orders"]
    about = (known["squares"] - known["amount"] ** 2 / known["orders"]).clip(lower=0.0) / mean**2
    return float(about.sum() / freedom)
