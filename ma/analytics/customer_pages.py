"""Customers behind a given one in a list, for programs that read all of it a page at a time.

Where the screens count pages, this continues behind a row: whoever comes or goes meanwhile makes nobody be
left out or told twice.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, and_, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from ma.analytics.customer_columns import COLUMNS, Order
from ma.analytics.search import Search, found
from ma.errors import InvalidInput
from ma.models import Customer

# Name -> (column, what its values are). Names and places are left to the screens: their order has more rules.
SORTS: dict[str, tuple[ColumnElement, type]] = {"id": (Customer.id, int)} | {
    name: (COLUMNS[name].sorted_by[0], kind)
    for name, kind in (
        ("orders", int),
        ("spend", int),
        ("last_order", datetime),
        ("engagement", float),
        ("created", datetime),
        ("updated", datetime),
    )
}


@dataclass(frozen=True)
class Place:
    """A row in a list: the value it is sorted by (None: unknown, which sorts last) and its customer."""

    value: object
    customer_id: int


@dataclass(frozen=True)
class Part:
    """Some customers of a list in its order, and the place behind which others follow; None at the end."""

    ids: list[int]
    last: Place | None


def customers_after(
    session: Session,
    search: Search,
    *,
    as_of: datetime,
    sort: str = "id",
    descending: bool = False,
    after: Place | None = None,
    limit: int,
) -> Part:
    """The next customers whom a search finds, deleted ones left out; `customers.listed` shows them.

    Missing values sort last, equal ones by id in the same direction. Raises InvalidRule, and InvalidInput for
    an unknown sort or channel.
    """
    if sort not in SORTS:
        raise InvalidInput(
            {"sort": f"This list cannot be sorted by '{sort}'. Use one of {', '.join(SORTS)}."}
        )
    column, _ = SORTS[sort]
    if search.is_everybody and sort != "id" and COLUMNS[sort].walked:
        places = _walked(session, Order.by(COLUMNS[sort], descending=descending), after, limit + 1)
    else:
        keys = [column, Customer.id] if sort != "id" else [Customer.id]
        order = [key.desc().nulls_last() if descending else key.asc().nulls_last() for key in keys]
        rows = found(session, search, as_of=as_of).add_columns(column.label("value")).order_by(*order)
        if after is not None:
            rows = rows.where(_behind(column, after, descending))
        places = session.execute(rows.limit(limit + 1)).all()
    shown = places[:limit]
    last = Place(shown[-1].value, shown[-1].id) if len(places) > limit else None
    return Part([row.id for row in shown], last)


def _walked(session: Session, order: Order, after: Place | None, limit: int) -> list[Row]:
    """The next (id, value) of everybody along the order's index: the known values, then the missing ones."""
    column, *_ = order.columns
    found: list[Row] = []
    for phase in order.phases()[0 if after is None or after.value is not None else 1 :]:
        rows = select(Customer.id, column.label("value")).where(Customer.deleted_at.is_(None), *phase)
        if after is not None:
            # Behind a row of this phase; a later phase is behind it as a whole.
            rows, after = rows.where(_beyond(column, after, order.descending)), None
        found += session.execute(rows.order_by(*order.natural()).limit(limit - len(found))).all()
        if len(found) == limit:
            break
    return found


def _beyond(column: ColumnElement, after: Place, descending: bool) -> ColumnElement:
    if after.value is None:
        return Customer.id < after.customer_id if descending else Customer.id > after.customer_id
    here = tuple_(column, Customer.id)
    there = tuple_(literal(after.value, column.type), after.customer_id)
    return here < there if descending else here > there


def _behind(column: ColumnElement, after: Place, descending: bool) -> ColumnElement:
    further = Customer.id < after.customer_id if descending else Customer.id > after.customer_id
    if column is Customer.id:
        return further
    if after.value is None:
        return and_(column.is_(None), further)
    beyond = column < after.value if descending else column > after.value
    return or_(beyond, and_(column == after.value, further), column.is_(None))
