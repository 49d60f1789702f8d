"""Who can be sent a campaign, and what the simulator must know about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import (
    Integer,
    Select,
    and_,
    case,
    cast,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from ma.analytics.contactable import (
    CONSENT,
    FREQUENCY_CAP,
    FREQUENCY_DAYS,
    left,
    left_before,
    reachable,
)
from ma.db import bulk
from ma.models import Campaign, Customer, Outcome, SegmentMember
from ma.services.parameters import days_since
from ma.types import Arm, Channel

FATIGUE_DAYS = 30

_FACTS = (
    "customer_id",
    "flags",
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


def members(
    session: Session, segment_id: int, channel: Channel, *, at: datetime, excluded: Sequence[int] = ()
) -> pd.DataFrame:
    """The people of a segment, as `eligible` and the simulator want them; one row each, by id.

    `excluded`: the segments whose members are left out.
    """
    chosen = select(SegmentMember.customer_id).where(SegmentMember.segment_id == segment_id)
    return _people(session, chosen, channel, at, excluded)


def planned(session: Session, campaign_id: int, wave: int, channel: Channel, *, at: datetime) -> pd.DataFrame:
    """The people of a wave that was not sent yet, likewise, with their `holdout` and `variant`."""
    where = (Outcome.campaign_id == campaign_id, Outcome.wave == wave, Outcome.sent_at.is_(None))
    frame = _people(session, select(Outcome.customer_id).where(*where), channel, at)
    rows = session.execute(select(Outcome.customer_id, Outcome.arm, Outcome.variant).where(*where)).all()
    assigned = pd.DataFrame(rows, columns=["customer_id", "arm", "variant"]).set_index("customer_id")
    mine = assigned.reindex(frame["customer_id"])
    return frame.assign(holdout=(mine["arm"] == Arm.HOLDOUT).to_numpy(), variant=mine["variant"].to_numpy())


def eligible(people: pd.DataFrame, channel: Channel) -> tuple[pd.DataFrame, list[Step]]:
    """The people who can be sent the campaign now, and the waterfall that leads to them."""
    label = channel.label
    waterfall = [Step("audience", len(people), "The segment is empty. Change its rule, or choose another.")]
    for step, keep, lost in (
        ("consent", "consents", f"Nobody in the segment has agreed to {label}. Choose another channel."),
        ("reachable", "reachable", f"Nobody who agreed to {label} has an address for it on file."),
        ("not suppressed", "welcome", f"Everybody left unsubscribed from {label}, complained or bounced."),
        ("not excluded", "included", "Everybody left is in a segment that is left out. Leave out fewer."),
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


def _people(
    session: Session, chosen: Select, channel: Channel, at: datetime, excluded: Sequence[int] = ()
) -> pd.DataFrame:
    sent = _messages(channel, at).subquery()
    gone = left_before([channel], at).subquery()
    ids = chosen.subquery()
    first_known = func.coalesce(Customer.first_order_at, Customer.created_at)
    query = (
        select(
            Customer.id,
            # One number for four columns: of a million people each column takes a third of a second.
            _flag(CONSENT[channel])
            + 2 * _flag(reachable(channel))
            + 4 * _flag(or_(sent.c.suppressed == 1, gone.c.id.is_not(None)))
            + 8 * _flag(_in_any(excluded)),
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
        .outerjoin(gone, gone.c.id == Customer.id)
        .where(Customer.deleted_at.is_(None))
    )
    frame = pd.DataFrame(bulk.numbers(session, query), columns=list(_FACTS))
    flags = frame.pop("flags").astype(np.int64)
    return frame.assign(
        customer_id=frame["customer_id"].astype(np.int64),
        consents=flags & 1 > 0,
        reachable=flags & 2 > 0,
        welcome=flags & 4 == 0,
        included=flags & 8 == 0,
        rested=frame["week_messages"] < FREQUENCY_CAP,
    ).sort_values("customer_id", ignore_index=True)


def _in_any(segment_ids: Sequence[int]):
    if not segment_ids:
        return false()
    member = select(SegmentMember.customer_id).where(SegmentMember.segment_id.in_(segment_ids))
    return Customer.id.in_(member)


def _messages(channel: Channel, at: datetime) -> Select:
    """Per customer: messages of the last week and month in any channel, and whether this one is closed."""
    return (
        select(
            Outcome.customer_id,
            func.max(_flag(and_(Campaign.channel == channel.value, left(at)))).label("suppressed"),
            func.sum(_flag(Outcome.sent_at > at - timedelta(days=FREQUENCY_DAYS))).label("week"),
            func.sum(_flag(Outcome.sent_at > at - timedelta(days=FATIGUE_DAYS))).label("month"),
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(Outcome.sent_at <= at)
        .group_by(Outcome.customer_id)
    )


def _flag(condition):
    return cast(case((condition, 1), else_=0), Integer)
