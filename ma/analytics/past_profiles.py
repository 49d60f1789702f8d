"""Profile figures as they were at a past instant, from facts: a customer's row holds the present ones only.

The same figures as `ma.services.profiles` keeps there, for rules and measures that ask for another moment.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import CTE, BigInteger, ColumnElement, Float, Numeric, Select, case, cast, func, select

from ma.db.planning import unindexed
from ma.models import BehaviourEvent, Customer, Outcome, Purchase
from ma.rules.catalogue import Catalogue
from ma.rules.fields import FIELDS, Field, Rows

_SALE = Purchase.kind == "sale"
# See docs/metrics.md#engagement-score.
_WINDOW = timedelta(days=30)
_HALVES = {"purchases": (50.0, 4), "visits": (25.0, 4), "messages": (25.0, 2)}
# What a message's opens and clicks may still count for.
_SENT = 6 * _WINDOW


@dataclass(frozen=True)
class PastProfile:
    """The figures of one instant: named queries, each worked out once however often a statement uses it.

    `bought`: customer_id, orders, spend_minor, average_order_minor, first_order_at, last_order_at and orders
    and spend of the 90 days before (recent_orders, recent_spend_minor). `visited`: visits, last_visit_at.
    `engaged`: engagement. Everybody who is not deleted has a row in each.
    """

    bought: CTE
    visited: CTE
    engaged: CTE


def past_profile(as_of: datetime) -> PastProfile:
    """The profile figures of all customers as of an instant."""
    return PastProfile(
        bought=_bought(as_of).cte("bought_then"),
        visited=_visited(as_of).cte("visited_then"),
        engaged=_engaged(as_of).cte("engaged_then"),
    )


# The fields of rules whose values of a past instant can be known from facts.
PAST_FIELDS = (
    "lifetime_value", "orders", "visits", "average_order", "first_order", "last_order", "last_visit",
    "engagement",
)  # fmt: skip


def past_fields(past: PastProfile) -> dict[str, Field]:
    """The fields of PAST_FIELDS with their values of an instant."""
    always = {
        "lifetime_value": past.bought.c.spend_minor,
        "orders": past.bought.c.orders,
        "visits": past.visited.c.visits,
    }
    sometimes = {
        "average_order": past.bought.c.average_order_minor,
        "first_order": past.bought.c.first_order_at,
        "last_order": past.bought.c.last_order_at,
        "last_visit": past.visited.c.last_visit_at,
        "engagement": past.engaged.c.engagement,
    }
    return {
        name: replace(FIELDS[name], column=column, rows=Rows(column.table.c.customer_id), always_known=known)
        for columns, known in ((always, True), (sometimes, False))
        for name, column in columns.items()
    }


def past_catalogue(catalogue: Catalogue, past: PastProfile) -> Catalogue:
    """The same catalogue, with the fields of PAST_FIELDS as they were at an instant."""
    return replace(catalogue, fields={**catalogue.fields, **past_fields(past)})


def _everybody(columns, of: Select) -> Select:
    """One row for each customer who is not deleted, from rows of those who did something."""
    person, did = Customer.__table__.alias(), of.subquery()
    return (
        select(person.c.id.label("customer_id"), *columns(did.c))
        .outerjoin(did, did.c.customer_id == person.c.id)
        .where(unindexed(person.c.deleted_at).is_(None))
    )


def _bought(as_of: datetime) -> Select:
    recent = Purchase.at > as_of - 3 * _WINDOW
    rows = _facts(
        Purchase,
        as_of,
        func.count(case((_SALE, 1))).label("orders"),
        _total(Purchase.amount_minor).label("spend"),
        func.coalesce(_total(case((_SALE, Purchase.amount_minor))), 0).label("sales"),
        func.min(case((_SALE, Purchase.at))).label("first_at"),
        func.max(case((_SALE, Purchase.at))).label("last_at"),
        func.count(case((_SALE & recent, 1))).label("recent"),
        _total(case((recent, Purchase.amount_minor), else_=0)).label("recent_spend"),
    )
    return _everybody(
        lambda did: (
            func.coalesce(did.orders, 0).label("orders"),
            func.coalesce(did.spend, 0).label("spend_minor"),
            # Half up, in whole numbers, as the profile keeps it.
            ((2 * did.sales + did.orders) // (2 * func.nullif(did.orders, 0))).label("average_order_minor"),
            did.first_at.label("first_order_at"),
            did.last_at.label("last_order_at"),
            func.coalesce(did.recent, 0).label("recent_orders"),
            func.coalesce(did.recent_spend, 0).label("recent_spend_minor"),
        ),
        rows,
    )


def _visited(as_of: datetime) -> Select:
    rows = _facts(
        BehaviourEvent,
        as_of,
        func.count().label("visits"),
        func.max(BehaviourEvent.at).label("last_at"),
    )
    return _everybody(
        lambda did: (
            func.coalesce(did.visits, 0).label("visits"),
            did.last_at.label("last_visit_at"),
        ),
        rows.where(BehaviourEvent.kind == "visit"),
    )


def _engaged(as_of: datetime) -> Select:
    begins = as_of - 3 * _WINDOW
    weights = {
        "purchases": _facts(Purchase, as_of, _weights(Purchase.at, as_of)).where(
            _SALE, unindexed(Purchase.at) > begins
        ),
        "visits": _facts(BehaviourEvent, as_of, _weights(BehaviourEvent.at, as_of)).where(
            BehaviourEvent.kind == "visit", BehaviourEvent.at > begins
        ),
        "messages": select(
            Outcome.customer_id,
            _total(_weight(Outcome.opened_at, as_of) + 2 * _weight(Outcome.clicked_at, as_of)).label(
                "weight"
            ),
        )
        .where(Outcome.sent_at <= as_of, Outcome.sent_at > as_of - _SENT)
        .group_by(Outcome.customer_id),
    }
    person = Customer.__table__.alias()
    joined, score = person, None
    for name, rows in weights.items():
        did = rows.subquery(name)
        joined = joined.outerjoin(did, did.c.customer_id == person.c.id)
        share, half = _HALVES[name]
        weight = func.coalesce(did.c.weight, 0)
        part = share * weight / (weight + 4 * half)
        score = part if score is None else score + part
    rounded = cast(func.round(cast(score, Numeric), 1), Float)
    return (
        select(person.c.id.label("customer_id"), rounded.label("engagement"))
        .select_from(joined)
        .where(unindexed(person.c.deleted_at).is_(None))
    )


def _facts(table, as_of: datetime, *figures: ColumnElement) -> Select:
    return (
        select(table.customer_id, *figures)
        .where(table.customer_id.is_not(None), unindexed(table.at) <= as_of)
        .group_by(table.customer_id)
    )


def _weights(at: ColumnElement, as_of: datetime) -> ColumnElement:
    return _total(_weight(at, as_of)).label("weight")


def _weight(at: ColumnElement, as_of: datetime) -> ColumnElement:
    """Four times the weight of something that happened at `at`: 4, 2 or 1 by its 30-day window, else 0."""
    return case(
        (at > as_of, 0),
        (at > as_of - _WINDOW, 4),
        (at > as_of - 2 * _WINDOW, 2),
        (at > as_of - 3 * _WINDOW, 1),
        else_=0,
    )


def _total(expression: ColumnElement) -> ColumnElement:
    # PostgreSQL sums whole numbers into numeric, which would arrive as Decimal.
    return cast(func.sum(expression), BigInteger)
