"""Taking an import back: what it added goes, what it changed becomes what it was, unless changed since."""

from datetime import datetime

import pandas as pd
from sqlalchemy import delete, false, func, select, update
from sqlalchemy.orm import Session

from ma.db import bulk, staging
from ma.errors import Conflict, NotFound
from ma.events import outbox
from ma.events.messages import ImportUndone
from ma.models import (
    AttributeValue,
    Base,
    BehaviourEvent,
    ConsentChange,
    Customer,
    CustomerScore,
    CustomerTag,
    ImportChange,
    ImportRun,
    Purchase,
    PurchaseLine,
)
from ma.services import import_events as events
from ma.services import import_orders as orders
from ma.services import import_people as people
from ma.services import import_restore as restore
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.segment_rows import all_locked, one_at_a_time
from ma.types import Actor, Permission

RUN, CHANGE, CUSTOMER = ImportRun.__table__, ImportChange.__table__, Customer.__table__
PURCHASE, LINE, EVENT = Purchase.__table__, PurchaseLine.__table__, BehaviourEvent.__table__
HISTORY, TAGGED, VALUE = ConsentChange.__table__, CustomerTag.__table__, AttributeValue.__table__
SCORE = CustomerScore.__table__


def undo(
    session: Session, actor: Actor, import_id: int, *, at: datetime, raise_consent: bool = False
) -> dict[str, int]:
    """Take an import back; returns how many customers, orders and events were removed, restored and kept.

    Kept is what somebody changed since, and added customers of whom more is known by now. A consent that the
    import withdrew stays withdrawn and is counted (`consent_not_raised`), unless `raise_consent`; one that it
    recorded is withdrawn. Raises NotFound, and Conflict when it has been taken back already.
    """
    require(actor, Permission.IMPORT)
    run = session.execute(select(RUN).where(RUN.c.id == import_id)).one_or_none()
    if run is None:
        raise NotFound(f"There is no import {import_id}. Choose one of the list.")
    done = session.execute(
        update(RUN)
        .where(RUN.c.id == import_id, RUN.c.undone_at.is_(None))
        .values(undone_at=at, undone_by=actor.username)
    )
    if done.rowcount != 1:
        raise Conflict(f"Import {import_id} has been taken back already. There is nothing left to undo.")
    counts: dict[str, int] = {}
    touched = [_undo_orders(session, import_id, counts), _undo_events(session, import_id, counts)]
    counts |= restore.customers(session, actor, run, at=at, raise_consent=raise_consent)
    removed = _remove_customers(session, run, counts)
    left = pd.concat(touched).dropna()
    orders.rebuild(session, left[~left.isin(removed)], at)
    audit(session, actor, "undo import", run.kind, import_id, at=at, **counts)
    totals = {
        word: sum(counts[f"{noun}_{word}"] for noun in ("customers", "orders", "events"))
        for word in ("removed", "restored", "kept")
    }
    outbox.record(session, ImportUndone(import_id=import_id, kind=run.kind, **totals), at=at)
    session.flush()
    return counts


def _undo_orders(session: Session, import_id: int, counts: dict[str, int]) -> pd.Series:
    """Restore and remove orders; the customers whose figures change."""
    before, kept = restore.changes(session, import_id, orders.NOUN)
    here = _here(session, PURCHASE, before)
    touched = [pd.Series(dtype="Int64")]
    if len(here):
        held = before.set_index("object_id").loc[here["id"]]
        frame = pd.DataFrame({"id": here["id"].to_numpy()}).assign(
            customer_id=people.kept_customers(session, _column(held, "customer_id", "Int64")),
            kind=_column(held, "kind", object),
            at=pd.to_datetime(_column(held, "at", object), format="ISO8601", utc=True),
            amount_minor=_column(held, "amount_minor", "int64"),
        )
        orders.replace_lines(session, frame["id"])
        orders.change_headers(session, frame)
        _restore_lines(session, frame["id"], [row["lines"] for row in held["before"]])
        touched += [here["customer_id"], frame["customer_id"]]
    added, changed_since = _added(session, PURCHASE, orders.NOUN, import_id)
    orders.replace_lines(session, added["id"])
    _delete(session, PURCHASE, added["id"])
    counts |= {
        "orders_removed": len(added),
        "orders_restored": len(here),
        "orders_kept": kept + changed_since,
    }
    return pd.concat([*touched, added["customer_id"]])


def _undo_events(session: Session, import_id: int, counts: dict[str, int]) -> pd.Series:
    """Restore and remove events; the customers whose figures change."""
    before, kept = restore.changes(session, import_id, events.NOUN)
    here = _here(session, EVENT, before)
    touched = [pd.Series(dtype="Int64")]
    if len(here):
        held = before.set_index("object_id").loc[here["id"]]
        frame = pd.DataFrame({"id": here["id"].to_numpy()}).assign(
            customer_id=people.kept_customers(session, _column(held, "customer_id", "Int64")),
            kind=_column(held, "kind", object),
            at=pd.to_datetime(_column(held, "at", object), format="ISO8601", utc=True),
            page=_column(held, "page", object),
            device=_column(held, "device", object),
        )
        events.change_events(session, frame)
        touched += [here["customer_id"], frame["customer_id"]]
    added, changed_since = _added(session, EVENT, events.NOUN, import_id)
    _delete(session, EVENT, added["id"])
    counts |= {
        "events_removed": len(added),
        "events_restored": len(here),
        "events_kept": kept + changed_since,
    }
    return pd.concat([*touched, added["customer_id"]])


def _remove_customers(session: Session, run, counts: dict[str, int]) -> pd.Series:
    """Delete the added customers of whom nothing more is known; their ids."""
    # Nobody writes scores meanwhile (`scoring.store`), and nobody enters a segment.
    one_at_a_time(session)
    all_locked(session)
    added = select(CUSTOMER.c.id).where(CUSTOMER.c.import_id == run.id, CUSTOMER.c.deleted_at.is_(None))
    total = session.scalar(select(func.count()).select_from(added.subquery()))
    versions = restore.unchanged_versions(run.id).subquery()
    alone = added.outerjoin(versions, versions.c.object_id == CUSTOMER.c.id).where(
        CUSTOMER.c.version == func.coalesce(versions.c.version, 1)
    )
    for reference in _references():
        alone = alone.where(
            CUSTOMER.c.id.not_in(select(reference).where(reference.is_not(None), _others(reference, run)))
        )
    gone = staging.rows(session, alone.order_by(CUSTOMER.c.id))["id"]
    if len(gone):
        with staging.staged(session, pd.DataFrame({"id": gone}), {"id": CUSTOMER.c.id}) as ids:
            for table in (HISTORY, TAGGED, VALUE, SCORE):
                session.execute(delete(table).where(table.c.customer_id.in_(select(ids.c.id))))
            session.execute(delete(CUSTOMER).where(CUSTOMER.c.id.in_(select(ids.c.id))))
    counts["customers_removed"] = len(gone)
    counts["customers_kept"] += total - len(gone)
    return gone


def _references() -> list:
    """Every column that may name a customer."""
    keys = [
        key.parent
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column is CUSTOMER.c.id
    ]
    return [*keys, CUSTOMER.c.merged_into]


def _others(reference, run):
    """Which rows that name a customer are not this import's own."""
    if reference.table is HISTORY:
        undone = select(RUN.c.id).where(RUN.c.undone_at.is_not(None))
        return HISTORY.c.import_id.is_(None) | HISTORY.c.import_id.not_in(undone)
    if reference.table is TAGGED:
        return TAGGED.c.at != run.at
    if reference.table is SCORE:
        # Worked out of what is known: it is nothing more that is known.
        return false()
    # Whoever fills in a field by hand gives the customer a new version.
    return reference.is_(None) if reference.table is VALUE else reference.is_not(None)


def _here(session: Session, table, before: pd.DataFrame) -> pd.DataFrame:
    query = select(table.c.id, table.c.customer_id)
    return staging.by_id(session, query, table.c.id, before["object_id"]).sort_values("id", ignore_index=True)


def _added(session: Session, table, noun: str, import_id: int) -> tuple[pd.DataFrame, int]:
    """(id and customer of rows that an import added, how many more a later one changed and that stay)."""
    rows = staging.rows(
        session, select(table.c.id, table.c.customer_id).where(table.c.import_id == import_id)
    )
    later = restore.later(session, import_id, noun)
    mine = rows[~rows["id"].isin(later)]
    return mine, len(rows) - len(mine)


def _delete(session: Session, table, ids: pd.Series) -> None:
    if len(ids):
        with staging.staged(session, pd.DataFrame({"id": ids}), {"id": table.c.id}) as gone:
            session.execute(delete(table).where(table.c.id.in_(select(gone.c.id))))


def _restore_lines(session: Session, ids: pd.Series, lines: list[list]) -> None:
    columns = ["line", "category_id", "product", "quantity", "amount_minor"]
    owners = pd.Series(ids.to_numpy()).repeat([len(part) for part in lines]).to_numpy()
    frame = pd.DataFrame([line for part in lines for line in part], columns=columns)
    frame = frame.astype({"category_id": "Int64", "product": object}).assign(purchase_id=owners)
    bulk.insert(session, LINE, frame)


def _column(held: pd.DataFrame, name: str, dtype) -> pd.Series:
    return pd.Series([row[name] for row in held["before"]], dtype=dtype)
