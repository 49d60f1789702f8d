"""Who can be sent a campaign, and what the simulator must know about them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import CompoundSelect, Integer, Select, and_, case, cast, func, literal, or_, select, union
from sqlalchemy.orm import Session, aliased

from ma.db import bulk
from ma.models import Campaign, Customer, Outcome, SegmentMember
from ma.services.parameters import days_since
from ma.types import Channel

# Nobody gets more than this many messages in so many days, whatever the channel.
FREQUENCY_CAP, FREQUENCY_DAYS = 3, 7
FATIGUE_DAYS = 30

# Push needs the app's consent and direct mail an address that we do not keep apart: consent is enough.
_CONSENT = {
    Channel.EMAIL: Customer.consent_email,
    Channel.SMS: Customer.consent_sms,
    Channel.PUSH: Customer.consent_push,
    Channel.DIRECT_MAIL: Customer.consent_direct_mail,
}
_ADDRESS = {Channel.EMAIL: Customer.email, Channel.SMS: Customer.phone}
_FACTS = (
    "customer_id",
    "consents",
    "reachable",
    "suppressed",
    "week_messages",
    "recent_messages",
    "engagement",
    "days_since_last_order",
    "days_observed",
    "orders",
    "spend_minor",
)


@dataclass(frozen=True)
class Step:
    """One step of the eligibility waterfall: how many people are left after it, and why others are not."""

    step: str
    people: int
    lost: str

    def to_dict(self) -> dict:
        """As it is stored with the campaign."""
        return {"step": self.step, "people": self.people}


def members(session: Session, segment_id: int, channel: Channel, *, at: datetime) -> pd.DataFrame:
    """The people of a segment, as `eligible` and the simulator want them; one row each, by id."""
    chosen = select(SegmentMember.customer_id).where(SegmentMember.segment_id == segment_id)
    return _people(session, chosen, channel, at)


def planned(session: Session, campaign_id: int, wave: int, channel: Channel, *, at: datetime) -> pd.DataFrame:
    """The people of a wave that was not sent yet, likewise; `holdout` says who is held out."""
    where = (Outcome.campaign_id == campaign_id, Outcome.wave == wave, Outcome.sent_at.is_(None))
    frame = _people(session, select(Outcome.customer_id).where(*where), channel, at)
    held = session.scalars(select(Outcome.customer_id).where(*where, Outcome.arm == "holdout"))
    return frame.assign(holdout=frame["customer_id"].isin(held.all()))


def eligible(people: pd.DataFrame, channel: Channel) -> tuple[pd.DataFrame, list[Step]]:
    """The people who can be sent the campaign now, and the waterfall that leads to them."""
    label = channel.label
    waterfall = [Step("audience", len(people), "The segment is empty. Change its rule, or choose another.")]
    for step, keep, lost in (
        ("consent", "consents", f"Nobody in the segment has agreed to {label}. Choose another channel."),
        ("reachable", "reachable", f"Nobody who agreed to {label} has an address for it on file."),
        ("not suppressed", "welcome", f"Everybody left unsubscribed from {label}, complained or bounced."),
        (
            "frequency cap",
            "rested",
            f"Everybody left has had {FREQUENCY_CAP} messages within {FREQUENCY_DAYS} days. Wait a few days.",
        ),
    ):
        people = people[people[keep]]
        waterfall.append(Step(step, len(people), lost))
    return people, waterfall


def still_welcome(people: pd.DataFrame) -> pd.DataFrame:
    """Those who, since they were chosen, kept consent and address, did not opt out and are below the cap."""
    return people[people["consents"] & people["reachable"] & people["welcome"] & people["rested"]]


def _people(session: Session, chosen: Select, channel: Channel, at: datetime) -> pd.DataFrame:
    sent = _messages(channel, at).subquery()
    left = _left_before(channel, at).subquery()
    ids = chosen.subquery()
    address = _ADDRESS.get(channel)
    reachable = and_(address.is_not(None), address != "") if address is not None else literal(True)
    first_known = func.coalesce(Customer.first_order_at, Customer.created_at)
    query = (
        select(
            Customer.id,
            _flag(_CONSENT[channel]),
            _flag(reachable),
            _flag(or_(sent.c.suppressed == 1, left.c.id.is_not(None))),
            func.coalesce(sent.c.week, 0),
            func.coalesce(sent.c.month, 0),
            Customer.engagement,
            days_since(Customer.last_order_at, at),
            days_since(first_known, at),
            Customer.orders,
            Customer.spend_minor,
        )
        .join(ids, ids.c.customer_id == Customer.id)
        .outerjoin(sent, sent.c.customer_id == Customer.id)
        .outerjoin(left, left.c.id == Customer.id)
        .where(Customer.deleted_at.is_(None))
    )
    frame = pd.DataFrame(bulk.numbers(session, query), columns=list(_FACTS))
    return frame.sort_values("customer_id", ignore_index=True).assign(
        customer_id=lambda people: people["customer_id"].astype(np.int64),
        consents=lambda people: people["consents"] > 0,
        reachable=lambda people: people["reachable"] > 0,
        welcome=lambda people: people["suppressed"] == 0,
        rested=lambda people: people["week_messages"] < FREQUENCY_CAP,
    )


def _messages(channel: Channel, at: datetime) -> Select:
    """Per customer: messages of the last week and month in any channel, and whether this one is closed."""
    return (
        select(
            Outcome.customer_id,
            func.max(_flag(_closed(channel, at))).label("suppressed"),
            func.sum(_flag(Outcome.sent_at > at - timedelta(days=FREQUENCY_DAYS))).label("week"),
            func.sum(_flag(Outcome.sent_at > at - timedelta(days=FATIGUE_DAYS))).label("month"),
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(Outcome.sent_at <= at)
        .group_by(Outcome.customer_id)
    )


def _left_before(channel: Channel, at: datetime) -> CompoundSelect:
    """The ids of customers who closed the channel when they were here before, and were deleted since.

    They are known by their e-mail address or external id; a text message's number counts by itself. What was
    said at a record that was merged into another counts for that one.
    """
    gone = aliased(Customer)
    leavers = (
        select(gone.email_folded, gone.external_id, gone.phone_digits, gone.merged_into.label("id"))
        .join(Outcome, Outcome.customer_id == gone.id)
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(gone.deleted_at.is_not(None), _closed(channel, at))
        .cte()
    )
    names = ["id", "email_folded", "external_id"] + (["phone_digits"] if channel is Channel.SMS else [])
    return union(
        *[
            select(Customer.id)
            .join(leavers, leavers.c[name] == getattr(Customer, name))
            .where(Customer.deleted_at.is_(None))
            for name in names
        ]
    )


def _closed(channel: Channel, at: datetime):
    """Whether an outcome closes a channel to its person: an unsubscription, a complaint or a bounce."""
    happened = or_(Outcome.unsubscribed_at <= at, Outcome.complained_at <= at, Outcome.bounced_at <= at)
    return and_(Campaign.channel == channel.value, happened)


def _flag(condition):
    return cast(case((condition, 1), else_=0), Integer)
