"""Finding customers."""

from datetime import datetime

import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.errors import InvalidInput
from ma.models import Customer
from ma.text import fold_accents
from ma.types import Channel

# What a list of customers can be sorted by: name -> columns.
SORTS: dict[str, tuple[ColumnElement, ...]] = {
    "name": (Customer.last_name_folded, Customer.first_name_folded),
    "email": (Customer.email_folded,),
    "city": (Customer.city_folded,),
    "orders": (Customer.orders,),
    "spend": (Customer.spend_minor,),
    "last_order": (Customer.last_order_at,),
    "engagement": (Customer.engagement,),
    "created": (Customer.created_at,),
}
_LONGEST_SEARCH = 200
_TYPES = {
    **dict.fromkeys(("customer_id", "orders", "spend_minor"), "int64"),
    **dict.fromkeys(("external_id", "name", "first_name", "last_name", "email", "phone"), "str"),
    **dict.fromkeys(("city", "postal_code", "country"), "str"),
    **{f"consent_{channel}": "bool" for channel in Channel},
    "engagement": "float64",
}
_CONSENT = {channel: getattr(Customer, f"consent_{channel}") for channel in Channel}


def customers(
    session: Session,
    *,
    as_of: datetime,
    q: str = "",
    sort: str = "name",
    descending: bool = False,
    channel_consent: str = "",
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """Customers that match a search, one row each, deleted ones left out.

    `q`: words in any order; each must occur in the name, e-mail address, phone, city, postal code or external
    id, without regard to case and accents. `channel_consent`: channels, separated by commas; only people who
    allow all of them. Missing values sort last, equal ones by id. Orders, spend and engagement are those of
    the last rebuild of the profiles, whatever `as_of`.

    Raises InvalidInput for an unknown sort or channel.
    """
    if sort not in SORTS:
        raise InvalidInput(
            {"sort": f"Customers cannot be sorted by '{sort}'. Use one of {', '.join(SORTS)}."}
        )
    order = [(column.desc() if descending else column.asc()).nulls_last() for column in SORTS[sort]]
    rows = (
        select(
            Customer.id.label("customer_id"),
            Customer.external_id,
            Customer.first_name,
            Customer.last_name,
            Customer.email,
            Customer.phone,
            Customer.city,
            Customer.postal_code,
            Customer.country,
            *_CONSENT.values(),
            Customer.orders,
            cast(Customer.spend_minor, BigInteger).label("spend_minor"),
            Customer.last_order_at,
            Customer.engagement,
            Customer.created_at,
        )
        .where(*_matching(q, channel_consent))
        .order_by(*order, Customer.id)
        .limit(limit)
        .offset(offset)
    )
    frame = timed(read(session, rows), "last_order_at", "created_at")
    frame.insert(2, "name", _names(frame))
    return frame.astype(_TYPES)


def customer_count(session: Session, *, as_of: datetime, q: str = "", channel_consent: str = "") -> int:
    """How many customers `customers` finds with the same search."""
    return session.scalar(select(func.count()).select_from(Customer).where(*_matching(q, channel_consent)))


def timed(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The frame with these columns as UTC times in microseconds."""
    # Without a unit, an empty column would come in seconds and a full one in microseconds.
    times = {name: pd.to_datetime(frame[name], utc=True).dt.as_unit("us") for name in columns}
    return frame.assign(**times)


def _matching(q: str, channel_consent: str) -> list[ColumnElement]:
    wanted = [name for name in channel_consent.split(",") if name]
    if unknown := [name for name in wanted if name not in _CONSENT]:
        raise InvalidInput(
            {"channel_consent": f"Unknown channel '{unknown[0]}'. Use one of {', '.join(_CONSENT)}."}
        )
    # A character that no database stores cannot be searched for; it parts words like a blank.
    printable = "".join(c if c.isprintable() else " " for c in q[:_LONGEST_SEARCH])
    return [
        Customer.deleted_at.is_(None),
        *(_CONSENT[Channel(name)].is_(True) for name in wanted),
        *(Customer.search_text.contains(word, autoescape=True) for word in fold_accents(printable).split()),
    ]


def _names(frame: pd.DataFrame) -> pd.Series:
    names = (
        frame["first_name"].fillna("").astype(str) + " " + frame["last_name"].fillna("").astype(str)
    ).str.strip()
    return names.where(names != "", None)
