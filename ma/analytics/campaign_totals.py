"""Campaigns that are known by their totals alone: what their platform counted, and the rates of it."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.analytics.rates import add_rates, ratio, reached
from ma.models import Campaign, CampaignAggregate

FIGURES = (
    "sent",
    "bounced",
    "delivered",
    "opened",
    "clicked",
    "converted",
    "unsubscribed",
    "complained",
    "revenue_minor",
)


def campaign_totals(
    session: Session, *, as_of: datetime, campaign_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """Every campaign of which only the platform's totals are known, the latest first.

    One row per campaign: campaign_id, name, channel, status, external_id (the platform's own), launched_at,
    the counts of people and revenue_minor (NaN where the platform did not say), and open_rate, click_rate,
    conversion_rate, unsubscribe_rate, complaint_rate (÷ delivered), bounce_rate (÷ sent). The totals are
    those of the last import, whatever `as_of`; it only says which campaigns had been sent by then.
    Source: docs/metrics.md#rates
    """
    query = (
        select(
            Campaign.id.label("campaign_id"),
            Campaign.name,
            Campaign.channel,
            Campaign.status,
            CampaignAggregate.external_id,
            Campaign.launched_at,
            *[getattr(CampaignAggregate, name) for name in FIGURES],
        )
        .join(CampaignAggregate, CampaignAggregate.campaign_id == Campaign.id)
        .where(Campaign.launched_at <= as_of)
        .order_by(Campaign.launched_at.desc(), Campaign.id.desc())
    )
    if campaign_ids is not None:
        query = query.where(Campaign.id.in_(campaign_ids))
    frame = read(session, query)
    frame[list(FIGURES)] = frame[list(FIGURES)].astype(float)
    return add_rates(frame).assign(complaint_rate=ratio(frame["complained"], reached(frame)))


def fill_in(session: Session, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """A frame of campaigns (campaign_id and columns of FIGURES) with the totals of those known by them alone.

    What a platform did not say is NaN; everybody it was sent to is `assigned`, where the frame has that.
    """
    ids = frame["campaign_id"].tolist()
    alone = session.scalars(
        select(CampaignAggregate.campaign_id).where(CampaignAggregate.campaign_id.in_(ids))
    ).all()
    if not alone:
        return frame
    known = campaign_totals(session, as_of=as_of, campaign_ids=alone).set_index("campaign_id")
    mine = frame["campaign_id"].isin(known.index)
    frame = frame.copy()
    rows = known.loc[frame.loc[mine, "campaign_id"]]
    for name in FIGURES:
        frame.loc[mine, name] = rows[name].to_numpy()
    if "assigned" in frame:
        frame.loc[mine, "assigned"] = rows["sent"].to_numpy()
    return frame
