"""Profile figures on customers: derived from their facts, and rebuilt at any time."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import CTE, BigInteger, Numeric, Select, Subquery, and_, case, cast, func, select, update
from sqlalchemy.orm import Session

from ma.models import BehaviourEvent, Category, Customer, Outcome, Purchase, PurchaseLine

CUSTOMER = Customer.__table__
# Bound parameters of one statement: SQLite takes at most 32,766.
_BATCH = 10_000

# The engagement score: what happened in the last 30 days counts 1, in the 30 before a half, in the 30
# before those a quarter. Each weighted count s becomes s / (s + HALF), from 0 to 1 and one half at HALF.
WINDOW = timedelta(days=30)
PURCHASES_HALF, VISITS_HALF, MESSAGES_HALF = 4, 4, 2
PURCHASES_SHARE, VISITS_SHARE, MESSAGES_SHARE = 50.0, 25.0, 25.0


def rebuild_profiles(
    session: Session, *, as_of: datetime, customer_ids: Collection[int] | range | None = None
) -> int:
    """Derive the profile figures of all customers, or of those given, from facts up to `as_of`; how many.

    orders counts sales; spend_minor is sales and refunds; average_order_minor is the mean sale, rounded;
    favourite_category is the one with the highest spend (ties by name). engagement, 0-100, is
    100 x (0.5 purchases + 0.25 visits + 0.25 messages), each component s / (s + k) with k = 4, 4 and 2, where
    s counts sales, visits, and opens + 2 x clicks, weighted 1, 1/2, 1/4 by 30-day windows before `as_of`.
    One statement, all in the database; a range of ids is one statement too. Deleted customers stay.
    """
    if customer_ids is None:
        return _rebuild(session, as_of, None)
    if isinstance(customer_ids, range):
        return _rebuild(session, as_of, customer_ids)
    ids = sorted(customer_ids)
    starts = range(0, len(ids), _BATCH)
    return sum(_rebuild(session, as_of, tuple(ids[start : start + _BATCH])) for start in starts)


def _rebuild(session: Session, as_of: datetime, ids: tuple[int, ...] | range | None) -> int:
    def only(query: Select, column) -> Select:
        if ids is None:
            return query
        if isinstance(ids, range):
            return query.where(column >= ids.start, column < ids.stop)
        return query.where(column.in_(ids))

    buys = only(_purchases(as_of), Purchase.customer_id).subquery()
    seen = only(_visits(as_of), BehaviourEvent.customer_id).subquery()
    reads = only(_messages(as_of), Outcome.customer_id).subquery()
    favourite = _favourites(only(_spend_by_category(as_of), Purchase.customer_id).cte("spend"))

    def known(column):
        return func.coalesce(column, 0)

    engagement = (
        PURCHASES_SHARE * known(buys.c.recent) / (known(buys.c.recent) + 4 * PURCHASES_HALF)
        + VISITS_SHARE * known(seen.c.recent) / (known(seen.c.recent) + 4 * VISITS_HALF)
        + MESSAGES_SHARE * known(reads.c.recent) / (known(reads.c.recent) + 4 * MESSAGES_HALF)
    )
    person = CUSTOMER.alias("person")
    profile = only(
        select(
            person.c.id,
            known(buys.c.orders).label("orders"),
            known(buys.c.spend).label("spend"),
            # Half up, in integers: engines round floats differently.
            ((2 * buys.c.sales + buys.c.orders) // (2 * func.nullif(buys.c.orders, 0))).label("average"),
            buys.c.first_at,
            buys.c.last_at,
            favourite.c.name,
            known(seen.c.visits).label("visits"),
            seen.c.last_at.label("last_visit_at"),
            func.round(cast(engagement, Numeric), 1).label("engagement"),
        )
        .outerjoin(buys, buys.c.customer_id == person.c.id)
        .outerjoin(favourite, favourite.c.customer_id == person.c.id)
        .outerjoin(seen, seen.c.customer_id == person.c.id)
        .outerjoin(reads, reads.c.customer_id == person.c.id)
        .where(person.c.deleted_at.is_(None)),
        person.c.id,
    ).subquery("profile")
    changed = session.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.id == profile.c.id)
        .values(
            orders=profile.c.orders,
            spend_minor=profile.c.spend,
            average_order_minor=profile.c.average,
            first_order_at=profile.c.first_at,
            last_order_at=profile.c.last_at,
            favourite_category=profile.c.name,
            visits=profile.c.visits,
            last_visit_at=profile.c.last_visit_at,
            engagement=profile.c.engagement,
            profiled_at=as_of,
        )
    )
    return changed.rowcount


def _weight(at, as_of: datetime):
    """Four times the weight of something that happened at `at`: 4, 2 or 1 by its 30-day window, else 0."""
    return case(
        (at > as_of, 0),
        (at > as_of - WINDOW, 4),
        (at > as_of - 2 * WINDOW, 2),
        (at > as_of - 3 * WINDOW, 1),
        else_=0,
    )


def _total(expression):
    # PostgreSQL sums integers into numeric, which would arrive as Decimal.
    return cast(func.sum(expression), BigInteger)


def _purchases(as_of: datetime) -> Select:
    sale = Purchase.kind == "sale"
    return (
        select(
            Purchase.customer_id,
            func.count(case((sale, 1))).label("orders"),
            _total(Purchase.amount_minor).label("spend"),
            func.coalesce(_total(case((sale, Purchase.amount_minor))), 0).label("sales"),
            func.min(case((sale, Purchase.at))).label("first_at"),
            func.max(case((sale, Purchase.at))).label("last_at"),
            _total(case((sale, _weight(Purchase.at, as_of)), else_=0)).label("recent"),
        )
        .where(Purchase.customer_id.is_not(None), Purchase.at <= as_of)
        .group_by(Purchase.customer_id)
    )


def _visits(as_of: datetime) -> Select:
    return (
        select(
            BehaviourEvent.customer_id,
            func.count().label("visits"),
            func.max(BehaviourEvent.at).label("last_at"),
            _total(_weight(BehaviourEvent.at, as_of)).label("recent"),
        )
        .where(BehaviourEvent.kind == "visit", BehaviourEvent.at <= as_of)
        .group_by(BehaviourEvent.customer_id)
    )


def _messages(as_of: datetime) -> Select:
    clicks = 2 * _weight(Outcome.clicked_at, as_of)
    return (
        select(Outcome.customer_id, _total(_weight(Outcome.opened_at, as_of) + clicks).label("recent"))
        .where(Outcome.sent_at <= as_of, Outcome.sent_at > as_of - 6 * WINDOW)
        .group_by(Outcome.customer_id)
    )


def _spend_by_category(as_of: datetime) -> Select:
    return (
        select(
            Purchase.customer_id, PurchaseLine.category_id, _total(PurchaseLine.amount_minor).label("spend")
        )
        .join(PurchaseLine, PurchaseLine.purchase_id == Purchase.id)
        .where(Purchase.customer_id.is_not(None), Purchase.at <= as_of, PurchaseLine.category_id.is_not(None))
        .group_by(Purchase.customer_id, PurchaseLine.category_id)
    )


def _favourites(spend: CTE) -> Subquery:
    # In two steps: with a window function SQLite took half as long again.
    best = (
        select(spend.c.customer_id, func.max(spend.c.spend).label("spend"))
        .where(spend.c.spend > 0)
        .group_by(spend.c.customer_id)
        .subquery()
    )
    return (
        select(spend.c.customer_id, func.min(Category.name).label("name"))
        .join(best, and_(best.c.customer_id == spend.c.customer_id, best.c.spend == spend.c.spend))
        .join(Category, Category.id == spend.c.category_id)
        .group_by(spend.c.customer_id)
        # Inside: of a statement that begins with WITH, SQLite's driver does not count the rows.
        .add_cte(spend, nest_here=True)
        .subquery()
    )
