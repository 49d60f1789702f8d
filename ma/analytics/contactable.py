"""Who may be contacted in a channel: who agreed to it, has an address for it and did not close it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import CompoundSelect, Integer, and_, case, cast, literal, or_, select, union
from sqlalchemy.orm import Session, aliased

from ma.db import whole_numbers
from ma.db.planning import unindexed
from ma.models import Campaign, Customer, CustomerFact, Outcome
from ma.models.fact import LIFTED
from ma.types import Channel

# Nobody gets more than this many messages in so many days, whatever the channel.
FREQUENCY_CAP, FREQUENCY_DAYS = 3, 7

# Push needs the app's consent and direct mail an address that we do not keep apart: consent is enough.
CONSENT = {
    Channel.EMAIL: Customer.consent_email,
    Channel.SMS: Customer.consent_sms,
    Channel.PUSH: Customer.consent_push,
    Channel.DIRECT_MAIL: Customer.consent_direct_mail,
    Channel.ADS: Customer.consent_ads,
}
# Ad platforms know people by their e-mail address.
ADDRESS = {Channel.EMAIL: Customer.email, Channel.SMS: Customer.phone, Channel.ADS: Customer.email}


@dataclass(frozen=True)
class Everybody:
    """All customers who are here, each at the place of their id in `ids`, which go up.

    `welcome`: by channel, at each place, whether they may be contacted in it.
    """

    ids: np.ndarray
    welcome: dict[Channel, np.ndarray]

    def places(self, customer_ids: np.ndarray) -> np.ndarray:
        """The places of those of these customers who are here."""
        places = self.place_of(customer_ids)
        return places[places >= 0]

    def place_of(self, customer_ids: np.ndarray) -> np.ndarray:
        """The place of each of these customers; -1 for those who are not here any more."""
        places = np.searchsorted(self.ids, customer_ids)
        inside = places < len(self.ids)
        inside[inside] = self.ids[places[inside]] == customer_ids[inside]
        return np.where(inside, places, -1)


def everybody(session: Session, channels: Sequence[Channel], *, at: datetime) -> Everybody:
    """All customers, and who of them may be contacted at `at` in each of these channels."""
    bits = {channel: 1 << i for i, channel in enumerate(channels)}
    allowed = literal(0)
    for channel, bit in bits.items():
        allowed = allowed + case((and_(CONSENT[channel], reachable(channel)), bit), else_=0)
    query = select(Customer.id, cast(allowed, Integer)).where(Customer.deleted_at.is_(None))
    ids, flags = whole_numbers.columns(session, query)
    order = np.argsort(ids, kind="stable")
    here = Everybody(ids[order], {channel: flags[order] & bit > 0 for channel, bit in bits.items()})
    if channels:
        _close(session, here, at)
    return here


def _close(session: Session, here: Everybody, at: datetime) -> None:
    # All outcomes are read once, in the order in which they lie: by the index of a channel's campaigns each
    # row would be fetched by itself.
    query = select(unindexed(Outcome.campaign_id), Outcome.customer_id)
    campaigns, people = whole_numbers.columns(session, query.where(Outcome.sent_at <= at, left(at)))
    channel_of = dict(session.execute(select(Campaign.id, Campaign.channel)).all())
    before = session.execute(left_before(list(here.welcome), at)).all()
    for channel, welcome in here.welcome.items():
        mine = [one for one, its in channel_of.items() if its == channel]
        welcome[here.places(people[np.isin(campaigns, mine)])] = False
        again = [customer_id for customer_id, its in before if its == channel]
        welcome[here.places(np.array(again, dtype=np.int64))] = False


def reachable(channel: Channel):
    """Whether a customer has the address that a channel needs."""
    address = ADDRESS.get(channel)
    return and_(address.is_not(None), address != "") if address is not None else literal(True)


def left(at: datetime):
    """Whether an outcome closes its channel to its person: an unsubscription, a complaint or a bounce.

    A bounce does not, once somebody of Service has lifted it because the address is right. Nobody can lift
    what the person themselves has said.
    """
    bounced = and_(Outcome.bounced_at <= at, ~bounce_lifted(at))
    return or_(Outcome.unsubscribed_at <= at, Outcome.complained_at <= at, bounced)


def bounce_lifted(at: datetime):
    """Whether a suppression in the channel of an outcome was lifted after the outcome bounced."""
    # Another name for the campaign: most who ask have joined it already.
    its = aliased(Campaign)
    return (
        select(CustomerFact.id)
        .join(its, its.channel == CustomerFact.channel)
        .where(
            its.id == Outcome.campaign_id,
            CustomerFact.customer_id == Outcome.customer_id,
            CustomerFact.kind == LIFTED,
            # Without it, another step was taken back: that says nothing of the address.
            CustomerFact.detail.is_not(None),
            CustomerFact.at >= Outcome.bounced_at,
            CustomerFact.at <= at,
        )
        .correlate(Outcome)
        .exists()
    )


def left_before(channels: Sequence[Channel], at: datetime) -> CompoundSelect:
    """Ids of customers, each with a channel that they closed when they were here before they were deleted.

    They are known by their e-mail address or external id; a text message's number counts by itself. What was
    said at a record that was merged into another counts for that one.
    """
    gone = aliased(Customer)
    leavers = (
        select(
            gone.email_folded,
            gone.external_id,
            case((Campaign.channel == Channel.SMS, gone.phone_digits)).label("phone_digits"),
            gone.merged_into.label("id"),
            Campaign.channel,
        )
        .distinct()
        .join(Outcome, Outcome.customer_id == gone.id)
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(gone.deleted_at.is_not(None), Campaign.channel.in_(channels), left(at))
        .cte()
    )
    return union(
        *[
            select(Customer.id, leavers.c.channel)
            .join(leavers, leavers.c[name] == getattr(Customer, name))
            .where(Customer.deleted_at.is_(None))
            for name in ("id", "email_folded", "external_id", "phone_digits")
        ]
    )
