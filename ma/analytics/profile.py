"""Everything known about one customer."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.customers import timed
from ma.analytics.frames import read
from ma.analytics.workspace import workspace
from ma.clock import MICROSECOND, local_day
from ma.db.days import day_number
from ma.errors import NotFound
from ma.models import (
    BehaviourEvent,
    Category,
    Customer,
    Outcome,
    Purchase,
    PurchaseLine,
    Segment,
    SegmentMember,
)

# How far back the engagement score looks.
ENGAGEMENT_WINDOW = timedelta(days=90)


@dataclass(frozen=True)
class Profile:
    """Everything held about one customer. None is unknown; figures count what happened until `as_of`."""

    customer_id: int
    version: int
    name: str
    # The editable columns as they are stored, by name.
    fields: dict[str, object]
    age: int | None
    created_at: datetime
    updated_at: datetime
    orders: int
    refunds: int
    lifetime_value_minor: int
    average_order_minor: int | None
    first_order_at: datetime | None
    last_order_at: datetime | None
    favourite_category: str | None
    visits: int
    last_visit_at: datetime | None
    devices: tuple[str, ...]
    engagement: float | None
    profiled_at: datetime | None
    # What the engagement score is made of: orders, visits, opened and clicked in the 90 days before `as_of`.
    recent: dict[str, int]


_EDITABLE = (
    "external_id", "first_name", "last_name", "email", "phone", "gender", "birth_date", "city", "postal_code",
    "country", "joined_on", "age_band", "income_band", "home_ownership", "marital_status", "household_size",
    "household_composition", "kids", "consent_email", "consent_sms", "consent_push", "consent_direct_mail",
    "consent_ads",
)  # fmt: skip


def profile(session: Session, customer_id: int, *, as_of: datetime) -> Profile:
    """One customer: who they are, what they allow, what they bought and did until `as_of`.

    Lifetime value to date is sales minus refunds. Raises NotFound, for deleted customers too.
    """
    row = session.execute(
        select(Customer.__table__).where(Customer.id == customer_id, Customer.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    is_sale = Purchase.kind == "sale"
    bought = session.execute(
        select(
            func.count(Purchase.id).filter(is_sale).label("orders"),
            func.count(Purchase.id).filter(~is_sale).label("refunds"),
            _money(Purchase.amount_minor, "net_minor"),
            cast(func.sum(Purchase.amount_minor).filter(is_sale), BigInteger).label("sales_minor"),
            func.min(Purchase.at).filter(is_sale).label("first_order_at"),
            func.max(Purchase.at).filter(is_sale).label("last_order_at"),
        ).where(Purchase.customer_id == customer_id, Purchase.at <= as_of)
    ).one()
    seen = session.execute(
        select(BehaviourEvent.device, func.count().label("visits"), func.max(BehaviourEvent.at).label("last"))
        .where(
            BehaviourEvent.customer_id == customer_id,
            BehaviourEvent.kind == "visit",
            BehaviourEvent.at <= as_of,
        )
        .group_by(BehaviourEvent.device)
        .order_by(func.count().desc(), BehaviourEvent.device)
    ).all()
    categories = spend_by_category(session, customer_id=customer_id, as_of=as_of).dropna(subset="category")
    favourite = categories.loc[categories["spend_minor"] > 0, "category"]
    return Profile(
        customer_id=row.id,
        version=row.version,
        name=_name(row),
        fields={name: getattr(row, name) for name in _EDITABLE},
        age=_age(row.birth_date, local_day(as_of, workspace(session).timezone)),
        created_at=row.created_at,
        updated_at=row.updated_at,
        orders=bought.orders,
        refunds=bought.refunds,
        lifetime_value_minor=bought.net_minor,
        # Half up, as the stored figure that lists and rules read.
        average_order_minor=(2 * bought.sales_minor + bought.orders) // (2 * bought.orders)
        if bought.orders
        else None,
        first_order_at=bought.first_order_at,
        last_order_at=bought.last_order_at,
        favourite_category=favourite.iloc[0] if len(favourite) else None,
        visits=sum(group.visits for group in seen),
        last_visit_at=max((group.last for group in seen), default=None),
        devices=tuple(group.device for group in seen if group.device),
        engagement=row.engagement,
        profiled_at=row.profiled_at,
        recent=_recent(session, customer_id, as_of),
    )


def customer_purchases(
    session: Session, *, customer_id: int, as_of: datetime, limit: int | None = None, offset: int = 0
) -> pd.DataFrame:
    """One customer's orders, the latest first.

    Columns: purchase_id, external_key, at, kind (sale or refund), items (pieces), categories (different ones;
    both NA where the lines are unknown), amount_minor (signed).
    """
    rows = (
        select(
            Purchase.id.label("purchase_id"),
            Purchase.external_key,
            Purchase.at,
            Purchase.kind,
            cast(func.sum(PurchaseLine.quantity), BigInteger).label("items"),
            func.nullif(func.count(PurchaseLine.category_id.distinct()), 0).label("categories"),
            cast(Purchase.amount_minor, BigInteger).label("amount_minor"),
        )
        .join(Customer, Customer.id == Purchase.customer_id)
        .outerjoin(PurchaseLine, PurchaseLine.purchase_id == Purchase.id)
        .where(*_of(customer_id, as_of))
        .group_by(Purchase.id)
        .order_by(Purchase.at.desc(), Purchase.id.desc())
        .limit(limit)
        .offset(offset)
    )
    frame = timed(read(session, rows), "at")
    return frame.astype({"items": "Int64", "categories": "Int64"})


def order_lines(session: Session, *, customer_id: int, purchase_id: int, as_of: datetime) -> pd.DataFrame:
    """What one of a customer's orders was made of, the dearest first.

    Columns: line, category and product (missing: unknown), quantity, amount_minor (signed). Empty for
    somebody else's order.
    """
    rows = (
        select(
            PurchaseLine.line,
            Category.name.label("category"),
            PurchaseLine.product,
            PurchaseLine.quantity,
            cast(PurchaseLine.amount_minor, BigInteger).label("amount_minor"),
        )
        .select_from(PurchaseLine)
        .join(Purchase, Purchase.id == PurchaseLine.purchase_id)
        .join(Customer, Customer.id == Purchase.customer_id)
        .outerjoin(Category, Category.id == PurchaseLine.category_id)
        .where(PurchaseLine.purchase_id == purchase_id, *_of(customer_id, as_of))
        .order_by(PurchaseLine.amount_minor.desc(), PurchaseLine.line)
    )
    return read(session, rows).astype({"category": "str", "product": "str"})


def purchase_count(session: Session, *, customer_id: int, as_of: datetime) -> int:
    """How many rows `customer_purchases` has."""
    return session.scalar(
        select(func.count(Purchase.id))
        .join(Customer, Customer.id == Purchase.customer_id)
        .where(*_of(customer_id, as_of))
    )


def spend_by_category(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """What one customer spent per category, most first: category (missing: unknown), orders, spend_minor."""
    rows = (
        select(
            Category.name.label("category"),
            func.count(Purchase.id.distinct()).filter(Purchase.kind == "sale").label("orders"),
            _money(PurchaseLine.amount_minor, "spend_minor"),
        )
        .select_from(Purchase)
        .join(Customer, Customer.id == Purchase.customer_id)
        .join(PurchaseLine, PurchaseLine.purchase_id == Purchase.id)
        .outerjoin(Category, Category.id == PurchaseLine.category_id)
        .where(*_of(customer_id, as_of))
        .group_by(Category.id, Category.name)
        .order_by(func.sum(PurchaseLine.amount_minor).desc(), Category.name)
    )
    return read(session, rows)


def spend_by_month(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """What one customer spent per calendar month, from their first order to `as_of`, empty months too.

    Columns: month (its first day), orders, spend_minor (refunds subtracted), complete (False for the month
    that is still running). Days are those of the workspace's time zone.
    """
    zone = workspace(session).timezone
    first = session.scalar(select(func.min(Purchase.at)).where(*_of(customer_id, as_of)).join(Customer))
    if first is None:
        return pd.DataFrame(
            {
                "month": pd.Series(dtype="datetime64[s]"),
                "orders": pd.Series(dtype="int64"),
                "spend_minor": pd.Series(dtype="int64"),
                "complete": pd.Series(dtype=bool),
            }
        )
    day = day_number(Purchase.at, timezone=zone, start=first, end=as_of + MICROSECOND).label("day")
    daily = read(
        session,
        select(
            day,
            func.count(Purchase.id).filter(Purchase.kind == "sale").label("orders"),
            _money(Purchase.amount_minor, "spend_minor"),
        )
        .join(Customer, Customer.id == Purchase.customer_id)
        .where(*_of(customer_id, as_of))
        .group_by("day"),
    )
    months = pd.to_datetime(daily.pop("day"), unit="D").dt.to_period("M")
    this_month = pd.Timestamp(local_day(as_of, zone)).to_period("M")
    every = pd.period_range(months.min(), this_month, freq="M")
    monthly = daily.groupby(months).sum().reindex(every, fill_value=0)
    return (
        monthly.set_axis(every.to_timestamp())
        .rename_axis("month")
        .reset_index()
        .assign(complete=every < this_month)
    )


def customer_segments(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """The segments one customer was in at their last refresh: segment_id, name, entered_at."""
    rows = (
        select(Segment.id.label("segment_id"), Segment.name, SegmentMember.entered_at)
        .join(SegmentMember, SegmentMember.segment_id == Segment.id)
        .join(Customer, Customer.id == SegmentMember.customer_id)
        .where(
            SegmentMember.customer_id == customer_id,
            SegmentMember.entered_at <= as_of,
            Customer.deleted_at.is_(None),
        )
        .order_by(Segment.name_folded)
    )
    return timed(read(session, rows), "entered_at").astype({"segment_id": "int64", "name": "str"})


def _recent(session: Session, customer_id: int, as_of: datetime) -> dict[str, int]:
    since = as_of - ENGAGEMENT_WINDOW

    def times(person, at, *conditions):
        return select(func.count(at)).where(person == customer_id, at > since, at <= as_of, *conditions)

    counts = {
        "orders": times(Purchase.customer_id, Purchase.at, Purchase.kind == "sale"),
        "visits": times(BehaviourEvent.customer_id, BehaviourEvent.at, BehaviourEvent.kind == "visit"),
        "opened": times(Outcome.customer_id, Outcome.opened_at, Outcome.sent_at <= as_of),
        "clicked": times(Outcome.customer_id, Outcome.clicked_at, Outcome.sent_at <= as_of),
    }
    row = session.execute(select(*(count.scalar_subquery().label(name) for name, count in counts.items())))
    return dict(row.one()._mapping)


def _of(customer_id: int, as_of: datetime) -> tuple[ColumnElement, ...]:
    return (Purchase.customer_id == customer_id, Purchase.at <= as_of, Customer.deleted_at.is_(None))


def _money(column, name: str) -> ColumnElement:
    # PostgreSQL's sum of bigint is numeric, which would arrive as Decimal.
    return cast(func.coalesce(func.sum(column), 0), BigInteger).label(name)


def _name(row) -> str:
    """What to call a customer: their name, else the e-mail address, else the external id."""
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    return name or row.email or row.external_id or f"Customer {row.id}"


def _age(born: date | None, today: date) -> int | None:
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
