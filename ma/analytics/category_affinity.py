"""What is bought together, read from the orders: categories, or products where orders name them."""

from collections.abc import Collection
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Select, case, cast, func, select
from sqlalchemy.orm import Session

from ma.db.whole_numbers import column
from ma.errors import InvalidInput
from ma.intelligence.affinity import LIFTS, Affinity
from ma.models import Category, Customer, Purchase, PurchaseLine

KINDS = {"category": "Categories", "product": "Products"}
# What people bought within so many days says what goes together, and what somebody buys.
BOUGHT_DAYS = 365
# What they bought within so many days need not be offered to them.
LATELY_DAYS = 90
# So many customers are enough to compare: of more, every second, third … one is counted.
MOST_CUSTOMERS = 250_000
_MOST_PRODUCTS = 60


def affinity(session: Session, *, as_of: datetime, by: str = "category") -> pd.DataFrame:
    """Categories (or with by="product" products) that the same customers buy, the surest first.

    One row per pair, by the lower end of its lift: item_a (with at least as many customers as item_b),
    item_b, customers_a, customers_b, both (customers who bought both in the 365 days up to `as_of`), expected
    (of them, of as many purchases as each customer made, if what is bought one time had nothing to do with
    what is bought another), lift (both ÷ expected), low and high (all intervals together hold with 95 %),
    customers (with at least two such purchases). Pairs of which fewer than 20 customers are to be expected
    are left out. Sales of customers who are not deleted.

    Raises InvalidInput for another `by`. Source: docs/metrics.md#affinity
    """
    if by not in KINDS:
        raise InvalidInput({"by": f"Affinity is by {' or '.join(KINDS)}, not by '{by}'."})
    return fitted(session, as_of=as_of, by=by).lifts_[list(LIFTS)]


def fitted(
    session: Session, *, as_of: datetime, by: str = "category", rows: pd.DataFrame | None = None
) -> Affinity:
    """The affinity of what is bought, fitted; `rows` of `bought` where somebody has read them already."""
    rows = bought(session, as_of=as_of, by=by) if rows is None else rows
    every = _every(session)
    return Affinity().fit(rows if every == 1 else rows[rows["customer_id"] % every == 0])


def bought(
    session: Session, *, as_of: datetime, by: str = "category", customer_ids: Collection[int] | None = None
) -> pd.DataFrame:
    """What each customer bought in the last 365 days, once per order and item: customer_id, item, recent.

    recent: within the last 90 days. Of all customers, or of the few given.
    """
    names, code = _items(session, by, as_of)
    if not names:
        return pd.DataFrame({"customer_id": [], "item": [], "recent": []})
    width = 2 * (max(names) + 1)
    lately = case((Purchase.at > as_of - timedelta(days=LATELY_DAYS), 1), else_=0)
    # All in one number: of millions of rows each column takes its time.
    key = cast(Purchase.customer_id, BigInteger) * width + code * 2 + lately
    query = (
        _sales(select(key.label("key")), as_of)
        .where(code.is_not(None))
        .where(*([] if customer_ids is None else [Purchase.customer_id.in_(sorted(customer_ids))]))
    )
    keys = column(session, query)
    customer, rest = np.divmod(keys, width)
    item = pd.Categorical.from_codes(
        _place(list(names), max(names) + 1)[rest // 2], categories=pd.Index(list(names.values()))
    )
    return pd.DataFrame({"customer_id": customer, "item": item, "recent": rest % 2 == 1})


def _place(ids: list[int], size: int) -> np.ndarray:
    places = np.full(size, -1)
    places[ids] = np.arange(len(ids))
    return places


def _items(session: Session, by: str, as_of: datetime):
    """The items by number, and the number of a line's item in SQL."""
    if by == "category":
        return dict(session.execute(select(Category.id, Category.name)).all()), PurchaseLine.category_id
    counted = (
        _sales(select(PurchaseLine.product), as_of)
        .where(PurchaseLine.product.is_not(None), PurchaseLine.product != "")
        .group_by(PurchaseLine.product)
        .order_by(func.count(Purchase.customer_id.distinct()).desc(), PurchaseLine.product)
        .limit(_MOST_PRODUCTS)
    )
    names = dict(enumerate(session.scalars(counted)))
    whens = [(PurchaseLine.product == name, number) for number, name in names.items()]
    return names, case(*whens) if whens else None


def _sales(query: Select, as_of: datetime) -> Select:
    """A select of lines of sales in the last 365 days, of customers who are here."""
    # Few are deleted: a short list is looked through faster than one of everybody else.
    deleted = select(Customer.id).where(Customer.deleted_at.is_not(None))
    return (
        query.select_from(Purchase)
        .join(PurchaseLine, PurchaseLine.purchase_id == Purchase.id)
        .where(
            Purchase.kind == "sale",
            Purchase.customer_id.is_not(None),
            Purchase.at > as_of - timedelta(days=BOUGHT_DAYS),
            Purchase.at <= as_of,
            Purchase.customer_id.not_in(deleted),
        )
    )


def _every(session: Session) -> int:
    return max(-(-(session.scalar(select(func.count(Customer.id))) or 0) // MOST_CUSTOMERS), 1)
