"""Whose row is it: customers found by external id, e-mail address or phone number, many at once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.db import staging
from ma.errors import Conflict
from ma.models import Customer
from ma.services.erasing import erased_mask
from ma.services.import_derived import digits_column, fold_column
from ma.services.import_plans import DRY_RUN_AGAIN, TEXT, Rows
from ma.services.import_values import arrow

CUSTOMER = Customer.__table__
KEYS = ("external_id", "email", "phone")
NAMES = {"external_id": "external id", "email": "e-mail address", "phone": "phone number"}
# Where a key is kept as it is compared (`comparable`).
COLUMNS = {"external_id": "external_id", "email": "email_folded", "phone": "phone_digits"}
ERASED = "This person was erased at their own wish. Leave the row out: they must not come back."
CHANGED_SINCE = f"Customers were changed since the dry run. {DRY_RUN_AGAIN}"


@dataclass(frozen=True)
class Found:
    """By row: the customer (Int64), whether several answer to the key, whether theirs was merged away."""

    customer_id: pd.Series
    many: pd.Series
    merged: pd.Series


def comparable(key: str, values: pd.Series) -> pd.Series:
    """A key's values as they are compared: addresses without case, phone numbers by their digits."""
    if key == "email":
        return fold_column(values)
    return digits_column(values) if key == "phone" else values.astype(TEXT)


def find(session: Session, key: str, wanted: pd.Series) -> Found:
    """The customers who answer to these comparable keys; who was merged is found as the one that was kept.

    Several answer, too, where a key has nobody but people who were merged into different ones.
    """
    column = CUSTOMER.c[COLUMNS[key]]
    query = select(CUSTOMER.c.id, column).where(column.is_not(None))
    live = staging.rows_with(session, query.where(CUSTOMER.c.deleted_at.is_(None)), column, wanted)
    customer_id, many = _look_up(live, column.name, wanted)
    gone = _merged(session, column, wanted)
    kept, several = _look_up(gone, column.name, wanted)
    merged = customer_id.isna() & kept.notna()
    return Found(customer_id.where(~merged, kept), many | (several & merged), merged)


def find_ids(session: Session, wanted: pd.Series) -> pd.Series:
    """These customers by our own ids (Int64), or who was kept where theirs was merged; NA where nobody is."""
    kept = kept_customers(session, wanted)
    live = select(CUSTOMER.c.id).where(CUSTOMER.c.deleted_at.is_(None))
    here = staging.by_id(session, live, CUSTOMER.c.id, kept.dropna())
    return kept.where(kept.isin(here["id"]))


def kept_customers(session: Session, ids: pd.Series) -> pd.Series:
    """These customers, or who was kept where theirs was merged away."""
    merged = staging.rows(
        session, select(CUSTOMER.c.id, CUSTOMER.c.merged_into).where(CUSTOMER.c.merged_into.is_not(None))
    )
    return _followed(ids, merged.set_index("id")["merged_into"])


def taken(session: Session, key: str, wanted: pd.Series, owner: pd.Series) -> pd.Series:
    """Whether another customer than `owner` (missing: a new one) has this key now."""
    column = CUSTOMER.c[COLUMNS[key]]
    query = select(CUSTOMER.c.id, column).where(column.is_not(None), CUSTOMER.c.deleted_at.is_(None))
    holder, _ = _look_up(staging.rows_with(session, query, column, wanted), column.name, wanted)
    return holder.notna() & (owner.isna() | (holder != owner).fillna(True)).astype(bool)


def reject_erased(session: Session, rows: Rows, values: dict[str, pd.Series]) -> None:
    """Refuse the rows of people who were erased."""
    known = {key: comparable(key, values[key]) for key in KEYS if key in values}
    if not known or not len(rows):
        return
    mask = erased_mask(
        session,
        emails_folded=known.get("email"),
        external_ids=known.get("external_id"),
        phone_digits=known.get("phone"),
    )
    rows.reject(mask, next(iter(known)), ERASED)


def check_versions(session: Session, matched: pd.DataFrame) -> None:
    """Raises Conflict unless the customers in `matched` (id, version) are still as they were."""
    if matched.empty:
        return
    with staging.staged(session, matched, {"id": CUSTOMER.c.id, "version": CUSTOMER.c.version}) as seen:
        same = session.scalar(
            select(func.count())
            .select_from(seen.join(CUSTOMER, CUSTOMER.c.id == seen.c.id))
            .where(CUSTOMER.c.version == seen.c.version, CUSTOMER.c.deleted_at.is_(None))
        )
    if same != len(matched):
        raise Conflict(CHANGED_SINCE)


def check_present(session: Session, ids: np.ndarray) -> None:
    """Raises Conflict unless all of these customers are still there."""
    if not len(ids):
        return
    with staging.staged(session, pd.DataFrame({"id": ids}), {"id": CUSTOMER.c.id}) as seen:
        here = session.scalar(
            select(func.count())
            .select_from(seen.join(CUSTOMER, CUSTOMER.c.id == seen.c.id))
            .where(CUSTOMER.c.deleted_at.is_(None))
        )
    if here != len(ids):
        raise Conflict(CHANGED_SINCE)


def check_absent(session: Session, keys: dict[str, pd.Series]) -> None:
    """Raises Conflict if anybody has one of these comparable keys by now."""
    for key, wanted in keys.items():
        if wanted.notna().any() and find(session, key, wanted).customer_id.notna().any():
            raise Conflict(f"Somebody has added one of these customers since the dry run. {DRY_RUN_AGAIN}")


def _look_up(found: pd.DataFrame, name: str, wanted: pd.Series) -> tuple[pd.Series, pd.Series]:
    if found.empty:
        missing = pd.Series(pd.NA, index=wanted.index, dtype="Int64")
        return missing, missing.notna()
    again = found[name].duplicated(keep=False).to_numpy()
    places = pc.index_in(arrow(wanted), value_set=arrow(found[name])).to_pandas().to_numpy()
    hit = wanted.notna().to_numpy() & ~np.isnan(places.astype(float))
    place = np.where(hit, places, 0).astype("int64")
    ids = pd.Series(found["id"].to_numpy(dtype="int64")[place], index=wanted.index).astype("Int64")
    return ids.where(hit), pd.Series(again[place] & hit, index=wanted.index)


def _merged(session: Session, column, wanted: pd.Series) -> pd.DataFrame:
    """id of the customer who was kept, and the key that the other one had; each pair once."""
    pairs = staging.rows(
        session,
        select(CUSTOMER.c.id, CUSTOMER.c.merged_into, column).where(CUSTOMER.c.merged_into.is_not(None)),
    )
    if pairs.empty:
        return pairs.assign(id=pairs["id"])
    kept = _followed(pairs["merged_into"], pairs.set_index("id")["merged_into"])
    wanted_ones = staging.among(pairs[column.name], wanted)
    result = pd.DataFrame({"id": kept, column.name: pairs[column.name]})[wanted_ones]
    here = staging.rows_with(
        session,
        select(CUSTOMER.c.id).where(CUSTOMER.c.deleted_at.is_(None)),
        CUSTOMER.c.id,
        result["id"],
    )
    # Two of one name may have become one customer; those who became two stay two.
    return result[result["id"].isin(here["id"])].drop_duplicates()


def _followed(ids: pd.Series, next_of: pd.Series) -> pd.Series:
    # Whoever was kept may have been merged later; each round follows one step.
    while len(next_of) and (moved := ids.isin(next_of.index)).any():
        ids = ids.mask(moved, ids.map(next_of)).astype("Int64")
    return ids
