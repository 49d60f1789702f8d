"""How much of a result is still open: people inside their conversion window may convert yet."""

from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.analytics.rates import ratio
from ma.analytics.results import totals
from ma.analytics.workspace import workspace
from ma.models import CampaignAggregate, CampaignResult, Outcome
from ma.types import Arm


def maturity(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> pd.DataFrame:
    """How many of the people each campaign was sent to are still inside their conversion window.

    One row per campaign launched on days in [start, end), newest first: campaign_id, name, channel,
    launched_at, conversion_window_days, sent, mature (people whose window is over), immature (the others),
    immature_share (÷ sent; NaN where nobody was sent it).
    Source: docs/metrics.md#maturity
    """
    frame = totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    frame = add_immature(session, frame, as_of=as_of)
    frame = frame.assign(mature=frame["sent"] - frame["immature"])
    return frame[
        [
            "campaign_id", "name", "channel", "launched_at", "conversion_window_days",
            "sent", "mature", "immature", "immature_share",
        ]
    ]  # fmt: skip


def add_immature(session: Session, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """A frame of results.totals with immature, people still inside their window, and their share of sent."""
    inside = _immature(session, frame, as_of)
    return frame.assign(immature=inside, immature_share=ratio(inside, frame["sent"]))


def known_by_totals(session: Session, frame: pd.DataFrame) -> pd.Series:
    """Which rows of results.totals are campaigns of which only the platform's totals are known."""
    ids = frame["campaign_id"].tolist()
    alone = session.scalars(
        select(CampaignAggregate.campaign_id).where(CampaignAggregate.campaign_id.in_(ids))
    )
    return frame["campaign_id"].isin(set(alone))


def _immature(session: Session, frame: pd.DataFrame, as_of: datetime) -> pd.Series:
    mature = mature_sent(session, frame, as_of=as_of).groupby("campaign_id")["mature"].sum()
    inside = frame["sent"] - frame["campaign_id"].map(mature).fillna(0.0)
    # Of totals alone, everybody counts as sent it at the launch: all of them are inside, or nobody.
    over = frame["launched_at"] + pd.to_timedelta(frame["conversion_window_days"], unit="D") <= as_of
    return inside.mask(known_by_totals(session, frame), frame["sent"].mask(over, 0.0))


def mature_sent(session: Session, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """People whose window is over by campaign and variant, of campaigns as in results.totals.

    campaign_id, variant, mature; without a row it is nobody. Whole days come from the stored results, the
    day on which a window ends from the outcomes.
    """
    zone = workspace(session).timezone
    ends = cutoffs(frame, as_of)
    sent = read(session, _sent_by_day(ends, zone, as_of)).astype({"people": float})
    last = sent["campaign_id"].map({i: clock.local_day(at, zone) for i, at in ends.items()})
    past = sent[sent["day"] < last]
    parts = [past.groupby(["campaign_id", "variant"], as_index=False)["people"].sum()]
    today = sorted(set(sent[sent["day"] == last]["campaign_id"]))
    if today:
        parts.append(read(session, _sent_on_the_day({i: ends[i] for i in today}, zone)))
    both = pd.concat(parts, ignore_index=True).astype({"people": float})
    summed = both.groupby(["campaign_id", "variant"], as_index=False)["people"].sum()
    return summed.rename(columns={"people": "mature"})


def cutoffs(frame: pd.DataFrame, as_of: datetime) -> dict[int, datetime]:
    """For each campaign the instant up to which a sending's window is over at `as_of`."""
    rows = zip(frame["campaign_id"], frame["conversion_window_days"], strict=True)
    return {int(i): as_of - timedelta(days=int(days)) for i, days in rows}


def is_open(ends: dict[int, datetime]) -> ColumnElement | None:
    """Whether an outcome's window is open yet, for campaigns with these cutoffs; None for no campaigns."""
    groups: dict[datetime, list[int]] = {}
    for campaign_id, at in ends.items():
        groups.setdefault(at, []).append(campaign_id)
    parts = [and_(Outcome.campaign_id.in_(ids), Outcome.sent_at > at) for at, ids in groups.items()]
    return or_(*parts) if parts else None


def _sent_by_day(ends: dict[int, datetime], zone: str, as_of: datetime):
    return (
        select(
            CampaignResult.campaign_id,
            CampaignResult.variant,
            CampaignResult.day,
            func.sum(CampaignResult.sent).label("people"),
        )
        .where(
            CampaignResult.campaign_id.in_(sorted(ends)),
            CampaignResult.arm == Arm.TREATED,
            CampaignResult.day <= clock.local_day(as_of, zone),
            CampaignResult.sent > 0,
        )
        .group_by(CampaignResult.campaign_id, CampaignResult.variant, CampaignResult.day)
    )


def _sent_on_the_day(ends: dict[int, datetime], zone: str):
    def within(campaign_id: int, at: datetime) -> ColumnElement:
        start = clock.day_start(clock.local_day(at, zone), zone)
        return and_(Outcome.campaign_id == campaign_id, Outcome.sent_at >= start, Outcome.sent_at <= at)

    return (
        select(Outcome.campaign_id, Outcome.variant, func.count().label("people"))
        .where(Outcome.arm == Arm.TREATED, or_(*[within(i, at) for i, at in ends.items()]))
        .group_by(Outcome.campaign_id, Outcome.variant)
    )
