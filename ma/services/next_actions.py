"""The next best action: for each customer the channel and the offer that are expected to earn most.

What a message is expected to cause comes from the calibrated simulator, as in forecasts; whether it may be
sent, from consent, address, what was closed and the limit of messages, as at a launch; what it costs, from
the last campaign of the channel whose cost is known. Everything here reads and computes; scoring stores it.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics import category_affinity
from ma.analytics import next_actions as reading
from ma.analytics.contactable import FREQUENCY_CAP, FREQUENCY_DAYS
from ma.analytics.next_actions import People, Price
from ma.errors import NotFound
from ma.intelligence.affinity import Affinity
from ma.intelligence.next_action import next_action
from ma.models import Category
from ma.services import forecasts
from ma.services.next_action_worth import Expected, expected
from ma.services.parameters import population
from ma.simulation.beliefs import Beliefs
from ma.types import Channel

BEST = ("customer_id", "next_channel", "next_offer", "next_profit_minor")
# Up to so many customers are looked up one by one; of more, everybody is read.
_FEW = 1_000
# Where no campaign of a channel of known cost tells how long conversions count.
_USUAL_WINDOW = 7


@dataclass(frozen=True)
class Ground:
    """What next actions stand on, whoever they are for: beliefs and price by channel, and what goes together.

    A channel without a price is not among `prices`.
    """

    beliefs: dict[Channel, Beliefs]
    prices: dict[Channel, Price]
    affinity: Affinity

    def window_days(self, channel: Channel) -> int:
        """How long after a message an order counts."""
        price = self.prices.get(channel)
        return price.conversion_window_days if price else _USUAL_WINDOW


@dataclass(frozen=True)
class Choice:
    """A customer's next action as of now, and everything it was chosen from.

    channels: one row per channel: channel, allowed, barred (what stands in the way: consent, address, left,
    limit, price, loss; "" for nothing) and why_not (the same in a sentence), conversions (expected of one
    message, beyond what they buy anyway), revenue_minor, cost_minor and profit_minor (NaN where the
    cost is unknown), source (of the beliefs on conversions), priced_by (the campaign whose cost it is).
    channel: the best one, None where none is expected to earn anything; offer and why_offer in words.
    """

    customer_id: int
    channels: pd.DataFrame
    channel: Channel | None
    profit_minor: float
    offer: str | None
    why_offer: str
    why: str


def ground(session: Session, *, at: datetime, channels: Sequence[Channel] = tuple(Channel)) -> Ground:
    """What the next actions stand on at `at`."""
    return _ground(session, at, channels, reading.prices(session, as_of=at))


def best(session: Session, *, at: datetime, customer_ids: Collection[int] | None = None) -> pd.DataFrame:
    """The next action of every customer who is not deleted, or of those given, as things are at `at`.

    One row each, by id: customer_id, next_channel, next_offer (a category; None where nothing is known of
    what they buy) and next_profit_minor (what the message is expected to cause beyond what they buy anyway,
    less its cost). All three are None or NaN where no message that may be sent is expected to bring more than
    it costs. Source: docs/metrics.md#next-best-action
    """
    priced = reading.prices(session, as_of=at)
    if priced:
        few = customer_ids if customer_ids is not None and len(customer_ids) <= _FEW else None
        people = reading.people(session, list(priced), as_of=at, customer_ids=few)
        found = _best(session, at, priced, people)
    else:
        found = pd.DataFrame({"customer_id": reading.everybody(session)}).reindex(columns=list(BEST))
        found = found.astype({"next_channel": object, "next_offer": object, "next_profit_minor": np.float64})
    if customer_ids is not None:
        found = found[found["customer_id"].isin(list(customer_ids))].reset_index(drop=True)
    return found


def _best(session: Session, at: datetime, priced: dict[Channel, Price], people: People) -> pd.DataFrame:
    rows = category_affinity.bought(session, as_of=at)
    stands = _ground(session, at, list(priced), priced, rows)
    chosen = _choose(stands, people, _expected(stands, people))
    offer = _offers(session, stands.affinity, rows, people)["item"]
    return pd.DataFrame(
        {
            "customer_id": people.facts["customer_id"],
            "next_channel": chosen["channel"],
            "next_offer": offer.where(chosen["channel"].notna(), None),
            "next_profit_minor": chosen["profit_minor"],
        },
        columns=list(BEST),
    )


def reason(session: Session, customer_id: int, *, at: datetime, stands: Ground | None = None) -> Choice:
    """Why this is one customer's next action as things are at `at`: every channel, and how the offer came.

    `stands`: where somebody has it already (see `ground`), it is quick. Raises NotFound.
    """
    stands = stands or ground(session, at=at)
    people = reading.people(session, list(stands.beliefs), as_of=at, customer_ids=[customer_id])
    if people.facts.empty:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    found = _expected(stands, people)
    table = _table(stands, people, found)
    chosen = _choose(stands, people, found).iloc[0]
    channel = Channel(chosen["channel"]) if isinstance(chosen["channel"], str) else None
    rows = category_affinity.bought(session, as_of=at, customer_ids=[customer_id])
    offer = _offers(session, stands.affinity, rows, people).iloc[0]
    named = isinstance(offer["item"], str)
    return Choice(
        customer_id=customer_id,
        channels=table,
        channel=channel,
        profit_minor=float(chosen["profit_minor"]),
        offer=offer["item"] if channel and named else None,
        why_offer=_why_offer(stands.affinity, offer) if channel else "",
        why=_why(table, channel),
    )


def _ground(
    session: Session,
    at: datetime,
    channels: Sequence[Channel],
    priced: dict[Channel, Price],
    rows: pd.DataFrame | None = None,
) -> Ground:
    typical = population(session, at=at)
    return Ground(
        beliefs={
            channel: forecasts.beliefs(session, channel, at=at, typical=typical) for channel in channels
        },
        prices=priced,
        affinity=category_affinity.fitted(session, as_of=at, rows=rows),
    )


def _expected(stands: Ground, people: People) -> dict[Channel, Expected]:
    return {
        channel: expected(people.facts, beliefs, window_days=stands.window_days(channel))
        for channel, beliefs in stands.beliefs.items()
    }


def _choose(stands: Ground, people: People, found: dict[Channel, Expected]) -> pd.DataFrame:
    """The best channel of each person, in their order: channel and profit_minor."""
    priced = [channel for channel in found if channel in stands.prices]
    revenue = pd.DataFrame({channel: found[channel].revenue for channel in priced}, index=people.facts.index)
    allowed = pd.DataFrame({channel: people.allowed(channel) for channel in priced}, index=revenue.index)
    cost = pd.Series({channel: stands.prices[channel].each_minor for channel in priced}, dtype=np.float64)
    return next_action(revenue, allowed, cost)


def _offers(session: Session, affinity: Affinity, rows: pd.DataFrame, people: People) -> pd.DataFrame:
    """In the order of the people: item (their favourite category where none goes clearly together with what
    they buy, missing where they bought nothing) and because (missing where it is their favourite)."""
    names = dict(session.execute(select(Category.id, Category.name)).all())
    favourite = pd.Series(people.favourite).map(names).astype(object)
    found = affinity.predict(rows).set_index("customer_id").reindex(people.facts["customer_id"])
    item, because = found["item"].astype(object).to_numpy(), found["because"].astype(object).to_numpy()
    none = pd.isna(item)
    return pd.DataFrame(
        {
            "item": pd.Series(np.where(none, favourite.to_numpy(), item), dtype=object),
            "because": pd.Series(np.where(none, None, because), dtype=object),
        }
    )


def _table(stands: Ground, people: People, found: dict[Channel, Expected]) -> pd.DataFrame:
    """Every channel for one person."""
    rows = []
    for channel, beliefs in stands.beliefs.items():
        price = stands.prices.get(channel)
        revenue, cost = float(found[channel].revenue[0]), price.each_minor if price else math.nan
        barred, why_not = _barred(people, channel, price, revenue)
        rows.append(
            {
                "channel": channel.value,
                "allowed": bool(people.allowed(channel)[0]),
                "barred": barred,
                "why_not": why_not,
                "conversions": float(found[channel].conversions[0]),
                "revenue_minor": revenue,
                "cost_minor": cost,
                "profit_minor": revenue - cost,
                "source": beliefs.steps["converted"].source,
                "priced_by": price.campaign if price else None,
            }
        )
    return pd.DataFrame(rows)


def _barred(people: People, channel: Channel, price: Price | None, revenue: float) -> tuple[str, str]:
    """What stands in the way of a message to the one person: a word and a sentence, both empty for nothing.

    The first thing that a launch would stumble over; then the cost.
    """
    name = mid_sentence(channel)
    reasons = (
        ("consent", people.consents[channel][0], f"They have not agreed to {name}."),
        ("address", people.reachable[channel][0], f"No address for {name} is on file."),
        ("left", people.welcome[channel][0], f"They unsubscribed from {name}, complained, or it bounced."),
        (
            "limit",
            people.rested[0],
            f"They have had {FREQUENCY_CAP} messages within {FREQUENCY_DAYS} days.",
        ),
        (
            "price",
            price is not None,
            "What a message costs is unknown: no campaign launched in this channel has a cost.",
        ),
        (
            "loss",
            price is not None and revenue > price.each_minor,
            "It is expected to bring less than it costs.",
        ),
    )
    return next(((word, sentence) for word, fine, sentence in reasons if not fine), ("", ""))


def _why(table: pd.DataFrame, channel: Channel | None) -> str:
    """Why this channel, or why none; money is told beside it."""
    open_to = table[table["allowed"]]
    if channel is None:
        if open_to.empty:
            return "No message: no channel is open to this person now."
        if open_to["cost_minor"].isna().all():
            return "No message: what one costs is unknown in every channel that is open to this person."
        return "No message: none that may be sent is expected to bring more than it costs."
    name = channel.label
    rivals = open_to[(open_to["profit_minor"] > 0.0) & (open_to["channel"] != channel)]
    if rivals.empty:
        return f"{name}: the only channel open to them in which a message should earn more than it costs."
    second = Channel(rivals.sort_values("profit_minor", ascending=False).iloc[0]["channel"])
    return f"{name}: of the channels open to them it should earn most, before {mid_sentence(second)}."


def _why_offer(affinity: Affinity, offer: pd.Series) -> str:
    """Where the offer comes from, in words, with the figures behind it."""
    item, because = offer["item"], offer["because"]
    if not isinstance(item, str):
        return "No offer in particular: nothing is known of what they bought."
    lately = category_affinity.LATELY_DAYS
    if not isinstance(because, str):
        return (
            f"{item} is the category they spent most on. Nothing else that they have not bought in the last "
            f"{lately} days goes clearly together with what they buy."
        )
    pairs = affinity.lifts_
    pair = pairs[pairs["item_a"].isin([item, because]) & pairs["item_b"].isin([item, because])].iloc[0]
    return (
        f"They buy {because} and have not bought {item} in the last {lately} days. "
        f"{pair['both']:,} customers bought both: {pair['lift']:.2f} times (at least {pair['low']:.2f}) "
        f"as many as if what is bought one time had nothing to do with what is bought another, of "
        f"{pair['customers']:,} customers."
    )


def mid_sentence(channel: Channel) -> str:
    """A channel's name in the middle of a sentence."""
    return channel.label if channel is Channel.SMS else channel.label.lower()
