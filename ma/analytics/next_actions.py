"""What to send whom next: who may be sent what, what it costs, and what the scores say of everybody."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Float, Integer, case, cast, func, literal, select
from sqlalchemy.orm import Session

from ma.analytics.contactable import CONSENT, FREQUENCY_CAP, FREQUENCY_DAYS, left, left_before, reachable
from ma.analytics.frames import read
from ma.clock import to_micros
from ma.db.instants import microseconds
from ma.db.planning import unindexed
from ma.db.whole_numbers import column, columns
from ma.models import Campaign, CampaignResult, Category, Customer, CustomerScore, Outcome
from ma.types import Channel

# Messages of so many days make tired.
FATIGUE_DAYS = 30
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Price:
    """What a message costs in a channel, from the last campaign launched in it whose cost is known."""

    channel: Channel
    cost_per_thousand_minor: int
    conversion_window_days: int
    campaign_id: int
    campaign: str

    @property
    def each_minor(self) -> float:
        """Of one message."""
        return self.cost_per_thousand_minor / 1000.0


@dataclass(frozen=True)
class People:
    """Customers, and by channel what stands in the way of a message; arrays in the order of `facts`.

    facts: what simulation.population.recipients takes; favourite: the id of the category on which they spent
    most, 0 where there is none; rested: below the limit of messages, whatever the channel.
    """

    facts: pd.DataFrame
    favourite: np.ndarray
    consents: dict[Channel, np.ndarray]
    reachable: dict[Channel, np.ndarray]
    welcome: dict[Channel, np.ndarray]
    rested: np.ndarray

    def allowed(self, channel: Channel) -> np.ndarray:
        """Who may be sent a message in a channel now, as `services.audience.eligible` has it."""
        return self.consents[channel] & self.reachable[channel] & self.welcome[channel] & self.rested


def next_actions(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The best next message by channel and offer, as everybody was last scored; the largest sum first.

    channel, offer (a category; missing where there is none in particular), people, profit_minor (the sum of
    what a message to each is expected to earn: revenue that it causes − what it costs), each_minor (per
    person), scored_at. Scores of after `as_of` and customers who were deleted since are left out.
    Source: docs/metrics.md#next-best-action
    """
    score = CustomerScore
    rows = (
        select(
            score.next_channel.label("channel"),
            score.next_offer.label("offer"),
            func.count().label("people"),
            cast(func.sum(score.next_profit_minor), Float).label("profit_minor"),
            func.max(score.scored_at).label("scored_at"),
        )
        .join(Customer, Customer.id == score.customer_id)
        .where(score.next_channel.is_not(None), score.scored_at <= as_of, Customer.deleted_at.is_(None))
        .group_by(score.next_channel, score.next_offer)
    )
    frame = read(session, rows).astype({"people": "int64", "profit_minor": "float64"})
    frame.insert(4, "each_minor", frame["profit_minor"] / frame["people"])
    order = ["profit_minor", "channel", "offer"]
    return frame.sort_values(order, ascending=[False, True, True], ignore_index=True)


def scored(session: Session, *, as_of: datetime) -> tuple[int, int, datetime | None]:
    """How many customers were scored, how many of them with an action, and when; (0, 0, None): nobody."""
    score = CustomerScore
    row = session.execute(
        select(func.count(), func.count(score.next_channel), func.max(score.scored_at))
        .select_from(score)
        .join(Customer, Customer.id == score.customer_id)
        .where(score.scored_at <= as_of, Customer.deleted_at.is_(None))
    ).one()
    return row[0], row[1], row[2]


def chosen(session: Session, *, as_of: datetime) -> dict[Channel, np.ndarray]:
    """Whose best channel is which: ids of customers, as they were last scored."""
    score = CustomerScore

    def ids(channel: Channel) -> np.ndarray:
        query = select(score.customer_id).where(score.next_channel == channel, score.scored_at <= as_of)
        return column(session, query)

    found = {channel: ids(channel) for channel in Channel}
    return {channel: customers for channel, customers in found.items() if len(customers)}


def everybody(session: Session) -> np.ndarray:
    """The ids of all customers who are not deleted, going up."""
    return np.sort(column(session, select(Customer.id).where(Customer.deleted_at.is_(None))))


def prices(session: Session, *, as_of: datetime) -> dict[Channel, Price]:
    """What a message costs in each channel in which a campaign of known cost was launched."""
    rows = session.execute(
        select(
            Campaign.channel,
            cast(Campaign.cost_per_thousand_minor, BigInteger),
            Campaign.conversion_window_days,
            Campaign.id,
            Campaign.name,
        )
        .where(Campaign.cost_per_thousand_minor.is_not(None), Campaign.launched_at <= as_of)
        .order_by(Campaign.launched_at, Campaign.id)
    )
    found = {Channel(row[0]): Price(Channel(row[0]), *row[1:]) for row in rows}
    return {channel: found[channel] for channel in Channel if channel in found}


def people(
    session: Session,
    channels: Sequence[Channel],
    *,
    as_of: datetime,
    customer_ids: Collection[int] | None = None,
) -> People:
    """All customers who are not deleted, or the few given, by id, with who may be sent what."""
    only = None if customer_ids is None else sorted(int(one) for one in customer_ids)
    facts, flags, favourite = _facts(session, channels, as_of, only)
    ids = facts["customer_id"].to_numpy()
    facts["recent_messages"], lately = _messages(session, ids, as_of, only)
    bits = {channel: 2 * place for place, channel in enumerate(channels)}
    return People(
        facts=facts,
        favourite=favourite,
        consents={channel: flags >> bit & 1 > 0 for channel, bit in bits.items()},
        reachable={channel: flags >> bit & 2 > 0 for channel, bit in bits.items()},
        welcome=_welcome(session, channels, ids, as_of, only),
        rested=lately < FREQUENCY_CAP,
    )


def _facts(session: Session, channels: Sequence[Channel], as_of: datetime, only: list[int] | None):
    flags = literal(0)
    for place, channel in enumerate(channels):
        flags = flags + case((CONSENT[channel], 1 << 2 * place), else_=0)
        flags = flags + case((reachable(channel), 2 << 2 * place), else_=0)
    query = (
        select(
            Customer.id,
            cast(flags, Integer).label("flags"),
            # Scores have one decimal.
            cast(func.coalesce(func.round(Customer.engagement * 10.0), -1.0), Integer).label("engagement"),
            func.coalesce(microseconds(Customer.last_order_at), -1).label("last_order"),
            microseconds(func.coalesce(Customer.first_order_at, Customer.created_at)).label("first_known"),
            Customer.orders,
            cast(Customer.spend_minor, BigInteger).label("spend"),
            func.coalesce(Category.id, 0).label("favourite"),
        )
        .outerjoin(Category, Category.name == Customer.favourite_category)
        .where(Customer.deleted_at.is_(None), *([] if only is None else [Customer.id.in_(only)]))
    )
    found = columns(session, query)
    order = np.argsort(found[0], kind="stable")
    ids, flags, engagement, last_order, first_known, orders, spend, favourite = (
        values[order] for values in found
    )
    today = to_micros(as_of) // _DAY
    frame = pd.DataFrame(
        {
            "customer_id": ids,
            "engagement": np.where(engagement < 0, np.nan, engagement / 10.0),
            "days_since_last_order": np.where(last_order < 0, np.nan, today - last_order // _DAY),
            "days_observed": today - first_known // _DAY,
            "orders": orders,
            "spend_minor": spend,
        }
    )
    return frame, flags, favourite


def _messages(session: Session, ids: np.ndarray, as_of: datetime, only: list[int] | None):
    """How many messages of any channel each had within FATIGUE_DAYS, and within FREQUENCY_DAYS."""
    begin, day = as_of - timedelta(days=FATIGUE_DAYS), timedelta(days=1)
    near = select(CampaignResult.campaign_id).where(
        CampaignResult.day >= (begin - day).date(),
        CampaignResult.day <= (as_of + day).date(),
        CampaignResult.sent > 0,
    )
    whose = Outcome.campaign_id.in_(near) if only is None else Outcome.customer_id.in_(only)
    query = select(Outcome.customer_id, microseconds(Outcome.sent_at)).where(
        whose, Outcome.sent_at > begin, Outcome.sent_at <= as_of
    )
    customers, at = columns(session, query)
    lately = at > to_micros(as_of - timedelta(days=FREQUENCY_DAYS))
    return _count(ids, customers), _count(ids, customers[lately])


def _welcome(
    session: Session, channels: Sequence[Channel], ids: np.ndarray, as_of: datetime, only: list[int] | None
) -> dict[Channel, np.ndarray]:
    """Who did not close a channel: by an unsubscription, a complaint or a bounce, also before a deletion."""
    if not channels:
        return {}
    whose = [] if only is None else [Outcome.customer_id.in_(only)]
    # All outcomes are read once, in the order in which they lie (see contactable).
    campaign_id = Outcome.campaign_id if only else unindexed(Outcome.campaign_id)
    query = select(campaign_id, Outcome.customer_id).where(Outcome.sent_at <= as_of, left(as_of), *whose)
    campaigns, customers = columns(session, query)
    channel_of = dict(session.execute(select(Campaign.id, Campaign.channel)).all())
    gone = left_before(list(channels), as_of).subquery()
    whose = [] if only is None else [gone.c.id.in_(only)]
    before = session.execute(select(gone.c.id, gone.c.channel).where(*whose)).all()
    found = {}
    for channel in channels:
        mine = [one for one, its in channel_of.items() if its == channel]
        again = np.array([one for one, its in before if its == channel], dtype=np.int64)
        closed = np.concatenate([customers[np.isin(campaigns, mine)], again])
        found[channel] = _count(ids, closed) == 0
    return found


def _count(ids: np.ndarray, customers: np.ndarray) -> np.ndarray:
    """How often each of `ids`, which go up, is among these customers."""
    places = np.searchsorted(ids, customers)
    inside = places < len(ids)
    inside[inside] = ids[places[inside]] == customers[inside]
    return np.bincount(places[inside], minlength=len(ids))
