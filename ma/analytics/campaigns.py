"""Campaigns as they stand: the list, one of them, and the people in it."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.analytics.results import people_sent
from ma.errors import NotFound
from ma.models import Campaign, CampaignAggregate, CampaignExclusion, Customer, Outcome, Segment

# Ids in one statement: below what every engine takes.
_AT_ONCE = 10_000
_NAME = func.trim(func.coalesce(Customer.first_name, "") + " " + func.coalesce(Customer.last_name, ""))


def campaigns(
    session: Session,
    *,
    as_of: datetime,
    status: str = "",
    channel: str = "",
    archived: bool | None = None,
) -> pd.DataFrame:
    """Every campaign, newest first, or those with one status or channel, or those that are (not) archived.

    One row per campaign: campaign_id, name, channel, status, source, segment_id, segment, scheduled_at,
    launched_at, waves, waves_sent, created_by, created_at, archived_at, sent (people so far).
    """
    newest = func.coalesce(Campaign.launched_at, Campaign.created_at).desc()
    query = _listed(status, channel, archived).order_by(newest, Campaign.id.desc())
    frame = read(session, query)
    sent = people_sent(session, as_of=as_of)
    counted = frame["campaign_id"].map(lambda campaign_id: sent[campaign_id])
    # A whole number where a campaign has no segment, too: not 12.0 in a file.
    segment_id = frame["segment_id"].astype("Int64")
    return frame.assign(segment_id=segment_id, sent=frame["sent"].mask(counted > 0, counted).astype(int))


def campaigns_before(
    session: Session,
    *,
    as_of: datetime,
    status: str = "",
    channel: str = "",
    archived: bool | None = None,
    before: int | None = None,
    limit: int,
) -> list[dict]:
    """The rows of `campaigns` as plain values, by falling id from below `before` on, at most so many."""
    query = _listed(status, channel, archived).order_by(Campaign.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Campaign.id < before)
    rows = [dict(row) for row in session.execute(query).mappings()]
    sent = people_sent(session, as_of=as_of, campaign_ids=[row["campaign_id"] for row in rows])
    return [row | {"sent": sent[row["campaign_id"]] or row["sent"]} for row in rows]


def _listed(status: str, channel: str, archived: bool | None) -> Select:
    query = (
        select(
            Campaign.id.label("campaign_id"),
            Campaign.name,
            Campaign.channel,
            Campaign.status,
            Campaign.source,
            Campaign.segment_id,
            Segment.name.label("segment"),
            Campaign.scheduled_at,
            Campaign.launched_at,
            Campaign.waves,
            Campaign.waves_sent,
            Campaign.created_by,
            Campaign.created_at,
            Campaign.archived_at,
            # Of some campaigns only totals are known.
            func.coalesce(CampaignAggregate.sent, 0).label("sent"),
        )
        .outerjoin(Segment, Segment.id == Campaign.segment_id)
        .outerjoin(CampaignAggregate, CampaignAggregate.campaign_id == Campaign.id)
    )
    if status:
        query = query.where(Campaign.status == status)
    if channel:
        query = query.where(Campaign.channel == channel)
    if archived is not None:
        query = query.where(Campaign.archived_at.is_not(None) if archived else Campaign.archived_at.is_(None))
    return query


def campaign(session: Session, campaign_id: int) -> dict:
    """One campaign: its columns by name, the name of its `segment`, and `excluded`, the ids of others.

    Raises NotFound.
    """
    row = session.get(Campaign, campaign_id)
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}. It may have been removed.")
    values = {column.name: getattr(row, column.name) for column in Campaign.__table__.columns}
    segment = session.get(Segment, row.segment_id) if row.segment_id else None
    excluded = select(CampaignExclusion.segment_id).where(CampaignExclusion.campaign_id == campaign_id)
    return {
        **values,
        "segment": segment.name if segment else None,
        "excluded": sorted(session.scalars(excluded)),
    }


def recipients(
    session: Session, *, as_of: datetime, campaign_id: int, limit: int | None = None, offset: int = 0
) -> pd.DataFrame:
    """The people assigned to a campaign and the furthest each has come, by customer id.

    One row per person: customer_id, name, email, arm, wave, reached (planned, holdout, sent, bounced,
    delivered, opened, clicked or converted), the times of the steps up to as_of, revenue_minor.
    """

    def past(name):
        column = getattr(Outcome, f"{name}_at")
        return case((column <= as_of, column))

    steps = ("sent", "bounced", "delivered", "opened", "clicked", "converted", "unsubscribed")
    furthest = case(
        (past("converted").is_not(None), "converted"),
        (Outcome.arm == "holdout", "holdout"),
        *[(past(s).is_not(None), s) for s in ("clicked", "opened", "delivered", "bounced", "sent")],
        else_="planned",
    )
    query = (
        select(
            Outcome.customer_id,
            _NAME.label("name"),
            Customer.email,
            Outcome.arm,
            Outcome.wave,
            furthest.label("reached"),
            *[past(s).label(f"{s}_at") for s in steps],
            case((Outcome.converted_at <= as_of, Outcome.revenue_minor), else_=0).label("revenue_minor"),
        )
        .join(Customer, Customer.id == Outcome.customer_id)
        .where(Outcome.campaign_id == campaign_id, Customer.deleted_at.is_(None))
        .order_by(Outcome.customer_id)
        .offset(offset)
    )
    return read(session, query.limit(limit) if limit else query)


def recipient_count(session: Session, *, campaign_id: int) -> int:
    """How many people are assigned to a campaign, the holdout included."""
    query = (
        select(func.count())
        .select_from(Outcome)
        .join(Customer, Customer.id == Outcome.customer_id)
        .where(Outcome.campaign_id == campaign_id, Customer.deleted_at.is_(None))
    )
    return session.scalar(query) or 0


def people(session: Session, customer_ids: Sequence[int]) -> pd.DataFrame:
    """Customers as a message addresses them, in the order of their ids; those deleted since are left out.

    One row each: customer_id, name, email, phone, first_name, last_name, city, favourite_category.
    """
    ids = [int(customer_id) for customer_id in customer_ids]
    query = select(
        Customer.id.label("customer_id"),
        _NAME.label("name"),
        Customer.email,
        Customer.phone,
        Customer.first_name,
        Customer.last_name,
        Customer.city,
        Customer.favourite_category,
    ).where(Customer.deleted_at.is_(None))
    starts = range(0, max(len(ids), 1), _AT_ONCE)
    frames = [read(session, query.where(Customer.id.in_(ids[start : start + _AT_ONCE]))) for start in starts]
    return (
        pd.concat(frames, ignore_index=True)
        .set_index("customer_id")
        .reindex(ids)
        .dropna(how="all")
        .reset_index()
    )
