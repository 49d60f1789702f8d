"""Creating, changing, deleting and importing customers."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.clock import local_day
from ma.db import bulk, sequences
from ma.errors import Conflict, InvalidInput, NotFound, Stale
from ma.events import outbox
from ma.events.messages import (
    ConsentChanged,
    CustomerCreated,
    CustomerDeleted,
    CustomersImported,
    CustomerUpdated,
)
from ma.models import Customer, Workspace
from ma.services import consent, erasing
from ma.services import customer_fields as fields
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.profiles import rebuild_profiles
from ma.types import Actor, Permission

CUSTOMER = Customer.__table__
_TAKEN = (
    "Somebody has just saved a customer with the same e-mail address or external id. Look for them first."
)


def create_customer(session: Session, actor: Actor, *, at: datetime, **values) -> int:
    """Add a customer; returns their id.

    `values` are the columns in `customer_fields`; those left out are unknown. Somebody who was erased may
    come back in this way, without any consent at first.

    Raises InvalidInput with every problem at once.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    clean, problems = fields.clean(values, today=_today(session, at))
    _require_identity(clean, problems)
    problems |= _already_taken(session, clean, but=None)
    problems |= erasing.returning_problems(session, clean)
    if problems:
        raise InvalidInput(problems)
    erasing.welcome_back(session, clean)
    [customer_id] = sequences.reserve(session, CUSTOMER, 1).tolist()
    row = dict.fromkeys(fields.FLAGS, False) | clean | fields.derived(clean)
    _execute(
        session,
        insert(CUSTOMER).values(
            id=customer_id,
            **row,
            split_bucket=split_bucket(customer_id),
            orders=0,
            spend_minor=0,
            visits=0,
            created_at=at,
            updated_at=at,
            version=1,
        ),
    )
    changes = consent.differences(None, pd.DataFrame([{"customer_id": customer_id, **row}]))
    consent.record_changes(session, actor, changes, at=at, source=consent.FORM)
    # Somebody who has done nothing yet has an engagement of 0, not an unknown one.
    rebuild_profiles(session, as_of=at, customer_ids=[customer_id])
    audit(session, actor, "create", "customer", customer_id, at=at, fields=sorted(_given(clean)))
    outbox.record(session, CustomerCreated(customer_id=customer_id), at=at)
    return customer_id


def update_customer(
    session: Session, actor: Actor, customer_id: int, *, version: int, at: datetime, **values
) -> list[str]:
    """Change the given columns of a customer; returns the names of those that really changed.

    `version` is the one the person saw. Raises InvalidInput with every problem at once, NotFound,
    and Conflict when somebody else changed the customer meanwhile.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    before = _row(session, customer_id)
    if before["version"] != version:
        raise _changed_meanwhile()
    # What stays as it is was accepted before: only what the person changed is judged.
    clean, problems = fields.clean(
        {name: value for name, value in values.items() if name not in before or before[name] != value},
        today=_today(session, at),
    )
    _require_identity(before | clean, problems)
    problems |= _already_taken(session, clean, but=customer_id)
    if problems:
        raise InvalidInput(problems)
    changes = {name: value for name, value in clean.items() if before[name] != value}
    if not changes:
        return []
    after = {name: (before | changes)[name] for name in fields.ALL}
    result = _execute(
        session,
        update(CUSTOMER)
        .where(CUSTOMER.c.id == customer_id, CUSTOMER.c.version == version, CUSTOMER.c.deleted_at.is_(None))
        .values(**changes, **fields.derived(after), updated_at=at, version=version + 1),
    )
    if result.rowcount != 1:
        raise _changed_meanwhile()
    names = sorted(changes)
    audit(session, actor, "update", "customer", customer_id, at=at, fields=names)
    _record_consent(session, actor, customer_id, before, after, at)
    outbox.record(session, CustomerUpdated(customer_id=customer_id, fields=names), at=at)
    return names


def delete_customer(session: Session, actor: Actor, customer_id: int, *, version: int, at: datetime) -> None:
    """Hide a customer from every list, count and audience; their purchases stay in the sums.

    Their e-mail address and external id become free for a new customer, who stays out of the channels that
    they left (`audience`). There is no way back.
    Raises NotFound, and Conflict when somebody changed the customer since `version`.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    if _row(session, customer_id)["version"] != version:
        raise _changed_meanwhile()
    result = session.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.id == customer_id, CUSTOMER.c.version == version, CUSTOMER.c.deleted_at.is_(None))
        .values(deleted_at=at, updated_at=at, version=version + 1)
    )
    if result.rowcount != 1:
        raise _changed_meanwhile()
    audit(session, actor, "delete", "customer", customer_id, at=at)
    outbox.record(session, CustomerDeleted(customer_id=customer_id), at=at)


def import_customers(
    session: Session,
    actor: Actor,
    frame: pd.DataFrame,
    *,
    source: str,
    at: datetime,
    consent_since: pd.Series | None = None,
) -> pd.Series:
    """Add every row of a frame as a new customer; returns their ids, indexed like the frame.

    Columns are those in `customer_fields`. The profile figures are unknown until they are rebuilt
    (`profiles.rebuild_profiles`), best after the facts are in. `consent_since`: since when each allowed what
    they allow (with a time zone, indexed like the frame); without it, since `at`.

    All rows or none: raises InvalidInput with, for each column, how many rows are wrong, where (the first row
    is 1) and why.
    """
    require(actor, Permission.IMPORT)
    clean, problems = fields.clean_frame(frame, today=_today(session, at))
    problems = _frame_problems(session, clean) | problems
    if problems:
        raise InvalidInput(problems)
    ids = sequences.reserve(session, CUSTOMER, len(clean))
    clean = clean.assign(**fields.derived_frame(clean))
    clean = clean.assign(id=ids, split_bucket=split_bucket(ids), orders=0, spend_minor=0, visits=0, version=1)
    clean["created_at"] = clean["updated_at"] = pd.Timestamp(at)
    bulk.insert(session, CUSTOMER, clean)
    changes = consent.differences(None, clean.rename(columns={"id": "customer_id"}))
    if consent_since is not None:
        changes["at"] = changes["customer_id"].map(consent_since.set_axis(ids))
    consent.record_changes(session, actor, changes, at=at, source=consent.IMPORT)
    audit(session, actor, "import", "customer", at=at, customers=len(clean), source=source)
    outbox.record(session, CustomersImported(customers=len(clean), source=source), at=at)
    return pd.Series(ids, index=frame.index, name="customer_id")


def split_bucket(customer_id):
    """A customer's stable place in 0..9999 for random splits, spread evenly whatever the ids are.

    Takes an int or an array of ints. The mixing is MurmurHash3's 32-bit finaliser (Appleby, public domain).
    """
    x = np.asarray(customer_id, dtype=np.uint64) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    bucket = ((x * np.uint64(10_000)) >> np.uint64(32)).astype(np.int64)
    return bucket if bucket.ndim else int(bucket)


def _record_consent(session, actor: Actor, customer_id: int, before: dict, after: dict, at) -> None:
    then, now = (pd.DataFrame([{"customer_id": customer_id, **values}]) for values in (before, after))
    changes = consent.differences(then, now)
    if changes.empty:
        return
    consent.record_changes(session, actor, changes, at=at, source=consent.FORM)
    allowed = changes["allowed"]
    outbox.record(
        session,
        ConsentChanged(
            customer_id=customer_id,
            allowed=changes.loc[allowed, "channel"].tolist(),
            withdrawn=changes.loc[~allowed, "channel"].tolist(),
        ),
        at=at,
    )


def _today(session: Session, at: datetime):
    return local_day(at, session.scalar(select(Workspace.timezone)) or "UTC")


def _row(session: Session, customer_id: int) -> dict:
    row = session.execute(
        select(CUSTOMER).where(CUSTOMER.c.id == customer_id, CUSTOMER.c.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    return dict(row._mapping)


def _changed_meanwhile() -> Stale:
    return Stale(
        "This customer was changed by somebody else since you opened it. "
        "Nothing was saved: reload and try again."
    )


def _require_identity(values: dict, problems: dict[str, str]) -> None:
    if not problems.keys() & set(fields.IDENTITY) and not any(values.get(name) for name in fields.IDENTITY):
        problems["first_name"] = "Give at least one of first name, last name, e-mail address or external id."


def _given(values: dict) -> list[str]:
    return [name for name, value in values.items() if value not in (None, False)]


def _already_taken(session: Session, values: dict, *, but: int | None) -> dict[str, str]:
    problems = {}
    for name, column, words in _UNIQUE:
        wanted = fields.derived(values).get(column.name, values.get(name)) if values.get(name) else None
        if wanted is None:
            continue
        owner = session.execute(
            select(CUSTOMER.c.id, CUSTOMER.c.first_name, CUSTOMER.c.last_name).where(
                column == wanted, CUSTOMER.c.id != (but or 0), CUSTOMER.c.deleted_at.is_(None)
            )
        ).one_or_none()
        if owner:
            who = " ".join(part for part in (owner.first_name, owner.last_name) if part)
            problems[name] = (
                f"This {words} already belongs to customer {owner.id}{f' ({who})' if who else ''}. "
                "Change that customer, or use another one here."
            )
    return problems


_UNIQUE = (
    ("email", CUSTOMER.c.email_folded, "e-mail address"),
    ("external_id", CUSTOMER.c.external_id, "external id"),
)


def _execute(session: Session, statement):
    try:
        return session.execute(statement)
    except IntegrityError as error:  # somebody else saved the same address between our check and our write
        raise Conflict(_TAKEN) from error


def _frame_problems(session: Session, clean: pd.DataFrame) -> dict[str, str]:
    problems = {}
    identity = [name for name in fields.IDENTITY if name in clean]
    nobody = clean[identity].isna().all(axis=1)
    if nobody.any():
        problems["identity"] = fields.rows_with(
            nobody, "has no name, e-mail address or external id. Fill in at least one of them."
        )
    derived = fields.derived_frame(clean)
    for name, column, words in _UNIQUE:
        if name not in clean:
            continue
        wanted = derived.get(column.name, clean[name])
        taken = session.scalars(select(column).where(column.is_not(None), CUSTOMER.c.deleted_at.is_(None)))
        again = wanted.notna() & (wanted.duplicated() | wanted.isin(set(taken)))
        if again.any():
            problems[name] = fields.rows_with(
                again, f"repeats the {words} of another customer. Keep one row for each person."
            )
    return problems
