"""What one customer allows: now, at any past moment, and every change of it."""

from datetime import datetime

import pandas as pd
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from ma.analytics.contactable import bounce_lifted
from ma.analytics.customers import timed
from ma.analytics.frames import read
from ma.models import Campaign, ConsentChange, Customer, Outcome
from ma.types import Arm, Channel


def consent_at(session: Session, customer_id: int, as_of: datetime) -> dict[str, bool]:
    """Which channels a customer allowed at a moment, by channel; before the first record, none."""
    changes = session.execute(
        select(ConsentChange.channel, ConsentChange.allowed)
        .where(ConsentChange.customer_id == customer_id, ConsentChange.at <= as_of)
        .order_by(ConsentChange.at, ConsentChange.id)
    ).all()
    return {channel.value: False for channel in Channel} | {row.channel: row.allowed for row in changes}


def consent_history(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """Every change of what a customer allows, the latest first.

    Columns: changed_at, channel, allowed, source (form, import, merge or first record), actor.
    """
    rows = (
        select(
            ConsentChange.at.label("changed_at"),
            ConsentChange.channel,
            ConsentChange.allowed,
            ConsentChange.source,
            ConsentChange.actor,
        )
        .join(Customer, Customer.id == ConsentChange.customer_id)
        .where(
            ConsentChange.customer_id == customer_id,
            ConsentChange.at <= as_of,
            Customer.deleted_at.is_(None),
        )
        .order_by(ConsentChange.at.desc(), ConsentChange.id.desc())
    )
    return timed(read(session, rows), "changed_at").astype(
        {"channel": "str", "allowed": "bool", "source": "str", "actor": "str"}
    )


def closed_channels(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """Channels in which a customer gets nothing any more, whatever they allow, and since when.

    One row per channel: channel, closed_at, why (unsubscribed, complained or bounced), campaign (its name);
    of several reasons the first one. Launches leave these people out (`ma.services.audience`).
    """
    times = {
        "unsubscribed": Outcome.unsubscribed_at,
        "complained": Outcome.complained_at,
        "bounced": Outcome.bounced_at,
    }
    parts = [
        select(
            Campaign.channel,
            at.label("closed_at"),
            literal(why).label("why"),
            Campaign.name.label("campaign"),
        )
        .select_from(Outcome)
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .join(Customer, Customer.id == Outcome.customer_id)
        .where(
            Outcome.customer_id == customer_id,
            Outcome.arm == Arm.TREATED.value,
            Outcome.sent_at <= as_of,
            at <= as_of,
            Customer.deleted_at.is_(None),
            *([~bounce_lifted(as_of)] if why == "bounced" else []),
        )
        for why, at in times.items()
    ]
    entries = parts[0].union_all(*parts[1:]).subquery("closing")
    place = func.row_number().over(partition_by=entries.c.channel, order_by=entries.c.closed_at)
    ranked = select(entries, place.label("place")).subquery("ranked")
    rows = select(ranked.c.channel, ranked.c.closed_at, ranked.c.why, ranked.c.campaign).where(
        ranked.c.place == 1
    )
    return timed(read(session, rows), "closed_at").astype({"channel": "str", "why": "str", "campaign": "str"})
