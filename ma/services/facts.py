"""Importing what customers did: purchases with their lines, and behaviour such as web visits."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ma.db import bulk, sequences
from ma.errors import InvalidInput
from ma.models import BehaviourEvent, Category, Customer, Purchase, PurchaseLine
from ma.services.audit import audit
from ma.services.customer_fields import rows_with
from ma.services.permissions import require
from ma.text import fold
from ma.types import Actor, Permission

_PURCHASE = ("external_key", "customer_id", "kind", "at", "amount_minor")
_LINE = ("external_key", "category", "quantity", "amount_minor")
_BEHAVIOUR = ("customer_id", "kind", "at")
KINDS = ("sale", "refund")


def import_purchases(
    session: Session, actor: Actor, purchases: pd.DataFrame, lines: pd.DataFrame, *, source: str, at: datetime
) -> int:
    """Add orders and what they were made of; returns the number of orders.

    `purchases`: external_key (text, unique), customer_id (missing: unknown buyer), kind (sale or refund),
    at (with a time zone), amount_minor (signed). `lines`: external_key of the order, category (text or
    missing), quantity, amount_minor, and product where it is known. All rows or none: raises InvalidInput.
    """
    require(actor, Permission.IMPORT)
    _require_columns("purchases", purchases, _PURCHASE)
    _require_columns("lines", lines, _LINE)
    keys = purchases["external_key"].astype(str)
    order_of_line = pd.Index(keys).get_indexer(lines["external_key"].astype(str)) if keys.is_unique else None
    problems = _purchase_problems(session, purchases.assign(external_key=keys))
    if order_of_line is not None and (order_of_line < 0).any():
        problems["lines"] = "Lines: " + rows_with(
            pd.Series(order_of_line < 0), "belongs to no order of this import. Leave it out or add its order."
        )
    if problems:
        raise InvalidInput(problems)
    ids = sequences.reserve(session, Purchase.__table__, len(purchases))
    orders = purchases[list(_PURCHASE)].assign(
        id=ids, external_key=keys, customer_id=purchases["customer_id"].astype("Int64")
    )
    bulk.insert(session, Purchase.__table__, orders)
    bulk.insert(session, PurchaseLine.__table__, _lines(session, lines, ids[order_of_line]))
    audit(session, actor, "import", "purchase", at=at, purchases=len(orders), lines=len(lines), source=source)
    return len(orders)


def import_behaviour(
    session: Session, actor: Actor, frame: pd.DataFrame, *, source: str, at: datetime
) -> int:
    """Add behaviour events; returns their number.

    Columns: customer_id, kind (such as visit), at (with a time zone), and page and device where known.
    All rows or none: raises InvalidInput.
    """
    require(actor, Permission.IMPORT)
    _require_columns("behaviour", frame, _BEHAVIOUR)
    if problems := _customer_problems(session, frame["customer_id"]) | _time_problems(frame["at"]):
        raise InvalidInput(problems)
    columns = [*_BEHAVIOUR, *(name for name in ("page", "device") if name in frame)]
    # Written in the order in which they will be read: one customer's story lies together.
    events = frame[columns].sort_values(["customer_id", "at"], kind="stable")
    bulk.insert(session, BehaviourEvent.__table__, _plain(events))
    audit(session, actor, "import", "behaviour", at=at, events=len(frame), source=source)
    return len(frame)


def _lines(session: Session, lines: pd.DataFrame, purchase_ids: np.ndarray) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "purchase_id": purchase_ids,
            "category_id": category_ids(session, lines["category"]),
            "quantity": lines["quantity"].to_numpy(),
            "amount_minor": lines["amount_minor"].to_numpy(),
        }
    )
    if "product" in lines:
        rows["product"] = lines["product"].to_numpy()
    # In the order of the primary key: a B-tree filled from left to right is twice as fast.
    rows = rows.sort_values("purchase_id", kind="stable", ignore_index=True)
    first_row = np.flatnonzero(np.diff(rows["purchase_id"], prepend=-1))
    rows["line"] = np.arange(len(rows)) - np.repeat(first_row, np.diff(first_row, append=len(rows))) + 1
    return _plain(rows)


def category_ids(session: Session, names: pd.Series) -> pd.arrays.IntegerArray:
    """The key of each category; those never seen before are added."""
    codes, distinct = pd.factorize(names)
    folded = [fold(str(name)) for name in distinct]
    known = dict(session.execute(select(Category.name_folded, Category.id)).all())
    new = {key: str(name).strip() for key, name in zip(folded, distinct, strict=True) if key not in known}
    if new:
        session.execute(insert(Category), [{"name": name, "name_folded": key} for key, name in new.items()])
        known = dict(session.execute(select(Category.name_folded, Category.id)).all())
    ids = pd.array([*(known[key] for key in folded), None], dtype="Int64")
    return ids[codes]  # code -1, a missing category, picks the last


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with choices (categoricals) as their text."""
    choices = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(choices, object))


def _require_columns(what: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if missing := [name for name in columns if name not in frame]:
        raise InvalidInput({what: f"Columns are missing from the {what}: {', '.join(missing)}. Add them."})


def _purchase_problems(session: Session, purchases: pd.DataFrame) -> dict[str, str]:
    problems = _customer_problems(session, purchases["customer_id"].dropna()) | _time_problems(
        purchases["at"]
    )
    keys = purchases["external_key"]
    again = keys.duplicated() | keys.isin(_known_keys(session))
    if again.any():
        problems["external_key"] = rows_with(again, "repeats an order that is already there. Leave it out.")
    wrong_kind = ~purchases["kind"].isin(KINDS)
    if wrong_kind.any():
        problems["kind"] = rows_with(wrong_kind, "is neither a sale nor a refund. Say which.")
    amounts = purchases["amount_minor"]
    if not pd.api.types.is_integer_dtype(amounts) or amounts.isna().any():
        problems["amount_minor"] = "Give each amount as a whole number of minor units, such as cents."
    return problems


def _known_keys(session: Session) -> set[str]:
    return set(session.scalars(select(Purchase.external_key).where(Purchase.external_key.is_not(None))))


def _customer_problems(session: Session, ids: pd.Series) -> dict[str, str]:
    unknown = ~ids.isin(set(session.scalars(select(Customer.id))))
    if not unknown.any():
        return {}
    return {"customer_id": rows_with(unknown, "belongs to no customer here. Import the customers first.")}


def _time_problems(times: pd.Series) -> dict[str, str]:
    if not isinstance(times.dtype, pd.DatetimeTZDtype) or times.isna().any():
        return {"at": "Each row needs a time with its time zone."}
    return {}
