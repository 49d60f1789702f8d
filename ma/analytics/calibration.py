"""How good the forecasts were: what was expected at each launch against what happened."""

import math
from datetime import datetime, timedelta
from statistics import NormalDist

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.rates import add_money
from ma.analytics.results import totals
from ma.analytics.workspace import workspace
from ma.models import Campaign, CampaignResult
from ma.types import CampaignStatus

# The share of campaigns that should lie between p10 and p90.
PROMISED = 0.8
# What the launch itself settles (people, cost) and what follows from the others (profit, ROI) is not judged.
JUDGED = ("delivered", "opened", "clicked", "converted", "unsubscribed", "revenue_minor")
SHOWN = ("treated", *JUDGED, "cost_minor", "profit_minor", "roi")
# With fewer campaigns nobody can tell a good forecaster from a bad one.
FEWEST = 10
ALL = "all"
RECORD = (
    "campaign_id", "name", "channel", "source", "launched_at", "figure",
    "p10", "p50", "p90", "actual", "state", "inside",
)  # fmt: skip


def forecast_record(session: Session, *, as_of: datetime, campaign_id: int | None = None) -> pd.DataFrame:
    """What was forecast at each launch, or at one, and what happened up to `as_of`, the newest first.

    One row per campaign and figure: campaign_id, name, channel, source (of the outcomes), launched_at, figure
    (treated, delivered, …, money in minor units), p10, p50, p90, actual, state and inside. `state` is "over"
    (all its windows are over: judged), "open" (figures still grow) or "cut short" (waves were dropped, so it
    is not what was forecast); `inside` says whether the actual lies between p10 and p90, missing where that
    is not judged. Unknown figures are NaN.
    """
    launched = select(
        Campaign.id,
        Campaign.forecast,
        Campaign.status,
        Campaign.waves,
        Campaign.waves_sent,
        Campaign.conversion_window_days,
    ).where(Campaign.launched_at <= as_of)
    if campaign_id is not None:
        launched = launched.where(Campaign.id == campaign_id)
    rows = {row.id: row for row in session.execute(launched) if row.forecast}
    if not rows:
        return pd.DataFrame(columns=list(RECORD))
    happened = add_money(totals(session, as_of=as_of, campaign_ids=list(rows)))
    over_at = _over_at(session, rows)
    found = []
    for campaign in happened.assign(treated=happened["sent"]).to_dict("records"):
        launch = rows[campaign["campaign_id"]]
        state = _state(launch, over_at.get(launch.id), as_of)
        figures = launch.forecast["figures"]
        for figure in (name for name in SHOWN if name in figures):
            p10, p50, p90 = (_number(figures[figure][name]) for name in ("p10", "p50", "p90"))
            actual = float(campaign[figure])
            judged = state == "over" and figure in JUDGED and not math.isnan(actual + p10)
            what = [campaign[name] for name in RECORD[:5]]
            inside = p10 <= actual <= p90 if judged else None
            found.append((*what, figure, p10, p50, p90, actual, state, inside))
    frame = pd.DataFrame(found, columns=list(RECORD))
    return frame.astype({"inside": "boolean"}).assign(
        launched_at=pd.to_datetime(frame["launched_at"], utc=True)
    )


def coverage(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """How often the 80 % interval held (see of_record), over all campaigns that can be judged at `as_of`."""
    return of_record(forecast_record(session, as_of=as_of))


def of_record(record: pd.DataFrame) -> pd.DataFrame:
    """How often what happened lay between p10 and p90, real and simulated outcomes apart.

    One row per source and figure, and one for all figures: source, figure, campaigns, inside (share of those
    judged), low and high (Wilson's 95 % interval), enough (whether there are enough campaigns to tell).
    Figures of one campaign move together, so for all figures the interval counts campaigns, not figures.
    """
    judged = record[record["inside"].notna()]
    rows = []
    for source, part in judged.groupby("source"):
        figures = [(name, part[part["figure"] == name]) for name in JUDGED]
        for figure, mine in ((ALL, part), *figures):
            if campaigns := int(mine["campaign_id"].nunique()):
                inside = float(mine["inside"].astype(float).mean())
                low, high = wilson(inside, campaigns)
                rows.append((source, figure, campaigns, inside, low, high, campaigns >= FEWEST))
    return pd.DataFrame(rows, columns=["source", "figure", "campaigns", "inside", "low", "high", "enough"])


def wilson(share: float, people: float, *, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share seen among so many (Wilson 1927); NaN where there is nobody."""
    if people <= 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    middle = (share + z * z / (2.0 * people)) / (1.0 + z * z / people)
    half = math.sqrt(share * (1.0 - share) / people + (z / (2.0 * people)) ** 2)
    half *= z / (1.0 + z * z / people)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _over_at(session: Session, rows: dict) -> dict[int, datetime]:
    """When the conversion windows of all who were sent a campaign are over."""
    zone = workspace(session).timezone
    last = session.execute(
        select(CampaignResult.campaign_id, func.max(CampaignResult.day))
        .where(CampaignResult.campaign_id.in_(list(rows)), CampaignResult.sent > 0)
        .group_by(CampaignResult.campaign_id)
    )
    day = timedelta(days=1)
    return {
        campaign_id: clock.day_start(sent_on + day, zone) + rows[campaign_id].conversion_window_days * day
        for campaign_id, sent_on in last
    }


def _state(campaign, over_at: datetime | None, as_of: datetime) -> str:
    if campaign.waves_sent < campaign.waves:
        ended = campaign.status in (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED)
        return "cut short" if ended else "open"
    return "over" if over_at is not None and over_at <= as_of else "open"


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
