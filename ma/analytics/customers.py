"""Lists of customers: searched, filtered, in any order, a page at a time or whole."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ma.analytics import finding
from ma.analytics.customer_columns import COLUMNS, USUAL, WHOLE, Column, Order, chosen, sortable
from ma.analytics.frames import read
from ma.analytics.search import Search, found
from ma.models import Customer, CustomerTag, Tag

__all__ = [
    "COLUMNS", "SORTS", "USUAL", "Found", "Search",
    "customer_count", "customers", "found", "listed", "listed_rows", "timed",
]  # fmt: skip

# What people can be sorted by elsewhere: name -> columns.
SORTS: dict[str, tuple[ColumnElement, ...]] = {
    name: COLUMNS[name].sorted_by
    for name in ("name", "email", "city", "orders", "spend", "last_order", "engagement", "created")
}
# A longer page is read in one go: its ids would not fit into a statement.
_LONGEST_PAGE = 1_000
_TYPES = {"count": "int64", "score": "float64", "rate": "float64", "text": "str", "yes_no": "bool"}


@dataclass(frozen=True)
class Found:
    """How many customers a search finds; `exact` unless there are more than `people`."""

    people: int
    exact: bool = True


def customers(
    session: Session,
    *,
    as_of: datetime,
    q: str = "",
    rule: str | dict = "",
    consent: str = "",
    tag: str = "",
    sort: str = "name",
    descending: bool = False,
    columns: str = "",
    limit: int | None = None,
    offset: int = 0,
    total: int | None = None,
) -> pd.DataFrame:
    """Customers that a search finds, one row each, deleted ones left out.

    `q`: words in any order; each must begin a word of the name, e-mail address, phone, city, postal code or
    external id, without regard to case and accents. `rule`: a rule of the segments' language, in JSON.
    `consent`: channels, separated by commas; only people who allow all of them. `tag`: a tag's name.
    `columns`: names in COLUMNS, separated by commas; without them the usual ones. Missing values sort last,
    equal ones by id in the same direction. `total`: their exact number, where it is known: late pages are
    then as quick as early ones. Orders, spend and engagement are those of the last rebuild of the profiles,
    whatever `as_of`.

    Raises InvalidRule, and InvalidInput for an unknown sort, column or channel.
    """
    by = sortable(sort)
    shown = chosen(columns) or chosen(",".join(WHOLE))
    search = Search(q, rule or None, tuple(name for name in consent.split(",") if name), tag)
    plan = finding.plan(session, search, as_of=as_of)
    order = Order.by(by, descending=descending)
    if limit is None or limit > _LONGEST_PAGE:
        rows = finding.everything(plan, order, _selected(shown)).limit(limit).offset(offset)
        return _frame(session, read(session, rows), shown)
    ids = finding.page(session, plan, order, limit=limit, offset=offset, total=total)
    return listed(session, ids, columns)


def listed(session: Session, ids: list[int], columns: str = "") -> pd.DataFrame:
    """These customers (at most a page of them) in this order, with the columns that `customers` has.

    Raises InvalidInput for an unknown column.
    """
    shown = chosen(columns) or chosen(",".join(WHOLE))
    rows = read(session, _selected(shown).where(Customer.id.in_(ids)))
    ranked = rows.set_index("customer_id").loc[ids].reset_index() if ids else rows
    return _frame(session, ranked, shown)


def listed_rows(session: Session, ids: list[int], columns: str = "") -> list[dict]:
    """What `listed` has, as plain values without a frame: for a page, that takes longer than to read it.

    Raises InvalidInput for an unknown column.
    """
    shown = chosen(columns) or chosen(",".join(WHOLE))
    with_tags = any(column.kind == "tags" for column in shown)
    tags = _tags(session, pd.Series(ids, dtype="int64")).tolist() if with_tags and ids else []
    found = session.execute(_selected(shown).where(Customer.id.in_(ids)))
    names = list(found.keys())
    first = names.index("first_name") if "first_name" in names else None
    if first is not None:
        names.insert(first, "name")
    by_id = {row[0]: row for row in found}
    rows = []
    for place, customer_id in enumerate(ids):
        values = list(by_id[customer_id])
        if first is not None:
            values.insert(first, f"{values[first] or ''} {values[first + 1] or ''}".strip() or None)
        row = dict(zip(names, values, strict=True))
        if with_tags:
            row["tags"] = tags[place] if tags[place] == tags[place] else None
        rows.append(row)
    return rows


def customer_count(
    session: Session, search: Search | None = None, *, as_of: datetime, most: int | None = finding.MOST
) -> Found:
    """How many customers a search finds: everybody exactly, others up to `most` (None: exactly).

    Raises InvalidRule, and InvalidInput for an unknown channel.
    """
    plan = finding.plan(session, search or Search(), as_of=as_of)
    people = finding.count(session, plan, most=most)
    if plan.is_everybody or most is None or people <= most:
        return Found(people)
    return Found(most, exact=False)


def timed(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The frame with these columns as UTC times in microseconds."""
    # Without a unit, an empty column would come in seconds and a full one in microseconds.
    times = {name: _utc(frame[name]).dt.as_unit("us") for name in columns}
    return frame.assign(**times)


def _utc(times: pd.Series) -> pd.Series:
    # `read` has already turned those whose names end in _at.
    return times if isinstance(times.dtype, pd.DatetimeTZDtype) else pd.to_datetime(times, utc=True)


def _selected(shown: list[Column]):
    columns = {name: column for one in shown for name, column in one.shown.items()}
    return select(Customer.id.label("customer_id"), *(column.label(name) for name, column in columns.items()))


def _frame(session: Session, frame: pd.DataFrame, shown: list[Column]) -> pd.DataFrame:
    """The rows with the types that their columns have also where nobody is found."""
    kinds = {name: column.kind for column in shown for name in column.shown}
    frame = timed(frame, *(name for name, kind in kinds.items() if kind == "moment"))
    if "first_name" in frame:
        frame.insert(frame.columns.get_loc("first_name"), "name", _names(frame))
        kinds["name"] = "text"
    if any(column.kind == "tags" for column in shown):
        frame["tags"] = _tags(session, frame["customer_id"])
    for name, kind in kinds.items():
        if kind == "money":
            frame[name] = frame[name].astype("int64" if name == "spend_minor" else "Int64")
        elif kind == "day":
            frame[name] = pd.to_datetime(frame[name]).dt.as_unit("s")
    types = {name: _TYPES[kind] for name, kind in kinds.items() if kind in _TYPES}
    return frame.astype(types | {"customer_id": "int64"})


def _names(frame: pd.DataFrame) -> pd.Series:
    names = (
        frame["first_name"].fillna("").astype(str) + " " + frame["last_name"].fillna("").astype(str)
    ).str.strip()
    return names.where(names != "", None)


def _tags(session: Session, ids: pd.Series) -> pd.Series:
    """The tags of customers, by name and with commas between (no tag holds one)."""
    rows = select(CustomerTag.customer_id, Tag.name).join(Tag, Tag.id == CustomerTag.tag_id)
    if len(ids) <= _LONGEST_PAGE:
        rows = rows.where(CustomerTag.customer_id.in_(ids.tolist()))
    tags = read(session, rows.order_by(Tag.name_folded)).groupby("customer_id")["name"]
    return ids.map(tags.agg(", ".join)).astype("str")
