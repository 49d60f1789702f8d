"""People as they were when a campaign went out to them, as far as what is kept tells.

Exact at any past moment: whom the campaign was sent to and what they did, the messages of the time before,
who had closed the channel, and consent. Addresses have their present value. Profile figures are rebuilt every
hour: those that are older than the launch are what the launch saw; for the others there are two readings,
the present figures and those derived from the facts as of then.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Select,
    SelectBase,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from ma.analytics.contactable import FREQUENCY_DAYS, left, left_before, reachable
from ma.analytics.workspace import workspace
from ma.db import bulk
from ma.db.instants import microseconds
from ma.models import BehaviourEvent, Campaign, Customer, Outcome, Purchase
from ma.rules import to_sql
from ma.rules.check import parse
from ma.services import profiles
from ma.services.audience import FATIGUE_DAYS
from ma.services.parameters import days_since
from ma.simulation.funnel import TIMES
from ma.types import Arm, Channel

PROFILE = ("engagement", "days_since_last_order", "days_observed", "orders", "spend_minor")
_FLAGS = ("consents", "reachable", "as_then")
_COUNTS = ("week_messages", "recent_messages")
# What is nothing, and not unknown, of people without any facts.
_ADDED = ("engagement", "orders", "spend_minor")
_FACTS = (*_ADDED, "days_since_last_order", "known")
_NEVER = np.iinfo(np.int64).min  # numpy's NaT


def outcomes(session: Session, campaign_id: int, variants: list[str]) -> pd.DataFrame:
    """What is stored of a campaign's people who were sent it or held out, by id.

    customer_id, treated, variant, wave, assigned_at, the times of the steps, organic, revenue_minor. Waves
    that are still to come are not among them. `variants`: the names of the campaign's messages.
    """
    place = {name: number for number, name in enumerate(variants)}
    query = (
        select(
            Outcome.customer_id,
            _flag(Outcome.arm == Arm.TREATED),
            case(place, value=Outcome.variant, else_=0),
            Outcome.wave,
            _flag(Outcome.organic),
            Outcome.revenue_minor,
            microseconds(Outcome.assigned_at),
            *[microseconds(getattr(Outcome, name)) for name in TIMES],
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(Outcome.campaign_id == campaign_id, Outcome.wave <= Campaign.waves_sent)
    )
    names = ["customer_id", "treated", "variant", "wave", "organic", "revenue_minor", "assigned_at", *TIMES]
    frame = pd.DataFrame(bulk.numbers(session, query), columns=names)
    frame = frame.sort_values("customer_id", ignore_index=True)
    whole = ["customer_id", "variant", "wave", "revenue_minor"]
    return frame.astype(dict.fromkeys(whole, "int64") | {"treated": bool, "organic": bool}).assign(
        variant=lambda rows: np.array(variants, dtype=object)[rows["variant"].to_numpy()],
        **{name: _moments(frame[name]) for name in ("assigned_at", *TIMES)},
    )


def recipients_of(campaign_id: int, wave: int) -> Select:
    """The ids of those who were sent a wave of a campaign or held out of it."""
    return select(Outcome.customer_id).where(Outcome.campaign_id == campaign_id, Outcome.wave == wave)


def people(
    session: Session, chosen: SelectBase, campaign: Mapping, *, at: datetime, profiled_at: datetime
) -> pd.DataFrame:
    """These people as the campaign found them at `at`, by id; the columns that `audience.members` has.

    Beside them: as_then, whether the profile figures were rebuilt for the last time before `at`, and
    `derived_` figures of those for whom they were not: from the facts up to `profiled_at`, when they had been
    rebuilt before `at` (`at` where nobody knows). `included` and `rested` are left to the caller.
    """
    channel = Channel(campaign["channel"])
    # Put together here: as one statement, PostgreSQL goes through all messages again for every person where
    # it has no statistics.
    frame = _customers(session, chosen, channel, at)
    ids = pd.Index(frame["customer_id"])
    sent = _read(session, _messages(channel, at, campaign["id"], chosen), ["suppressed", *_COUNTS])
    sent = sent.reindex(ids).fillna(0.0)
    facts = _read(session, _facts(chosen, campaign["id"], at=at, as_of=profiled_at), list(_FACTS))
    facts = facts.reindex(ids)
    known = facts["known"].to_numpy()
    gone = session.execute(left_before([channel], at)).all()
    closed = np.isin(ids, np.array([one for one, _ in gone], dtype=np.int64))
    return frame.assign(
        welcome=~closed & (sent["suppressed"].to_numpy() == 0),
        **{name: sent[name].to_numpy() for name in _COUNTS},
        **{f"derived_{name}": facts[name].fillna(0.0).to_numpy() for name in _ADDED},
        derived_days_since_last_order=facts["days_since_last_order"].to_numpy(),
        derived_days_observed=np.where(np.isnan(known), frame["days_known"], known),
    ).drop(columns="days_known")


def derived(people: pd.DataFrame) -> pd.DataFrame:
    """The people with figures from the facts of then instead of those that were rebuilt since."""
    kept = people["as_then"].to_numpy()
    return people.assign(
        **{
            name: np.where(kept, people[name].to_numpy(), people[f"derived_{name}"].to_numpy())
            for name in PROFILE
        }
    )


def _customers(session: Session, chosen: SelectBase, channel: Channel, at: datetime) -> pd.DataFrame:
    """What stands on the customers' own rows, by id, and days_known: since we have had them."""
    ids = chosen.cte("chosen")
    agreed = parse({"field": f"consent_{channel}", "operator": "eq", "value": True})
    zone = workspace(session).timezone
    first_known = func.coalesce(Customer.first_order_at, Customer.created_at)
    query = select(
        Customer.id,
        _flag(to_sql.condition(agreed, as_of=at, timezone=zone)),
        _flag(reachable(channel)),
        _flag(or_(Customer.profiled_at.is_(None), Customer.profiled_at <= at)),
        Customer.engagement,
        days_since(Customer.last_order_at, at),
        days_since(first_known, at),
        Customer.orders,
        Customer.spend_minor,
        days_since(Customer.created_at, at),
    ).join(ids, ids.c[0] == Customer.id)
    frame = _read(session, query, [*_FLAGS, *PROFILE, "days_known"]).sort_index().reset_index()
    return frame.astype(dict.fromkeys(_FLAGS, bool))


def _messages(channel: Channel, at: datetime, campaign_id: int, chosen: SelectBase) -> Select:
    """As `audience` counts them, without the campaign's own, which had not gone out.

    What went out at the very same instant counts where its campaign comes first, as then.
    """
    before = or_(
        Outcome.sent_at < at,
        and_(Outcome.sent_at == at, Outcome.campaign_id < campaign_id),
    )
    return (
        select(
            Outcome.customer_id,
            func.max(_flag(and_(Campaign.channel == channel.value, left(at)))),
            func.sum(_flag(Outcome.sent_at > at - timedelta(days=FREQUENCY_DAYS))),
            func.sum(_flag(Outcome.sent_at > at - timedelta(days=FATIGUE_DAYS))),
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(Outcome.campaign_id != campaign_id, before, Outcome.customer_id.in_(_ids(chosen)))
        .group_by(Outcome.customer_id)
    )


def _facts(chosen: SelectBase, campaign_id: int, *, at: datetime, as_of: datetime) -> Select:
    """What `profiles.rebuild_profiles` would derive from the facts up to `as_of`, as it stood at `at`."""
    mine, window, none = _ids(chosen), profiles.WINDOW, literal(0)
    sale = Purchase.kind == "sale"
    buys = (
        select(
            Purchase.customer_id,
            func.count(case((sale, 1))).label("orders"),
            _total(Purchase.amount_minor).label("spend"),
            func.min(case((sale, Purchase.at))).label("first_at"),
            func.max(case((sale, Purchase.at))).label("last_at"),
            _total(case((sale, _weight(Purchase.at, as_of)), else_=0)).label("bought"),
            none.label("visited"),
            none.label("read"),
        )
        .where(Purchase.customer_id.in_(mine), Purchase.at <= as_of)
        .group_by(Purchase.customer_id)
    )
    nothing = (none, none, null(), null(), none)
    seen = (
        select(BehaviourEvent.customer_id, *nothing, _total(_weight(BehaviourEvent.at, as_of)), none)
        .where(
            BehaviourEvent.kind == "visit",
            BehaviourEvent.at <= as_of,
            BehaviourEvent.at > as_of - 3 * window,
            BehaviourEvent.customer_id.in_(mine),
        )
        .group_by(BehaviourEvent.customer_id)
    )
    opens, clicks = _weight(Outcome.opened_at, as_of), 2 * _weight(Outcome.clicked_at, as_of)
    reads = (
        select(Outcome.customer_id, *nothing, none, _total(opens + clicks))
        .where(
            Outcome.sent_at <= as_of,
            Outcome.sent_at > as_of - 6 * window,
            Outcome.campaign_id != campaign_id,
            Outcome.customer_id.in_(mine),
        )
        .group_by(Outcome.customer_id)
    )
    each = union_all(buys, seen, reads).subquery()
    engagement = sum(
        share * _total(recent) / (_total(recent) + 4 * half)
        for recent, share, half in (
            (each.c.bought, profiles.PURCHASES_SHARE, profiles.PURCHASES_HALF),
            (each.c.visited, profiles.VISITS_SHARE, profiles.VISITS_HALF),
            (each.c.read, profiles.MESSAGES_SHARE, profiles.MESSAGES_HALF),
        )
    )
    return select(
        each.c.customer_id,
        cast(func.round(cast(engagement, Numeric), 1), Float),
        _total(each.c.orders),
        _total(each.c.spend),
        days_since(func.max(each.c.last_at), at),
        days_since(func.min(each.c.first_at), at),
    ).group_by(each.c.customer_id)


def _read(session: Session, query: Select, names: list[str]) -> pd.DataFrame:
    """A select of an id and numbers, by id."""
    rows = bulk.numbers(session, query)
    return pd.DataFrame(rows[:, 1:], index=rows[:, 0].astype(np.int64), columns=names).rename_axis(
        "customer_id"
    )


def _ids(chosen: SelectBase) -> Select:
    ids = chosen.cte("chosen")
    return select(ids.c[0])


def _weight(at: ColumnElement, as_of: datetime) -> ColumnElement:
    window = profiles.WINDOW
    return case(
        (at > as_of, 0),
        (at > as_of - window, 4),
        (at > as_of - 2 * window, 2),
        (at > as_of - 3 * window, 1),
        else_=0,
    )


def _total(expression: ColumnElement) -> ColumnElement:
    # PostgreSQL sums integers into numeric, which would arrive as Decimal.
    return cast(func.sum(expression), BigInteger)


def _flag(condition: ColumnElement) -> ColumnElement:
    return cast(case((condition, 1), else_=0), Integer)


def _moments(micros: pd.Series) -> pd.DatetimeIndex:
    whole = np.where(np.isnan(micros), _NEVER, np.nan_to_num(micros)).astype(np.int64)
    return pd.DatetimeIndex(whole.view("datetime64[us]")).tz_localize("UTC")
