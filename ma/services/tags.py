"""Tags: words that people put on customers and take off again."""

import unicodedata
from datetime import datetime

import pandas as pd
from sqlalchemy import Select, delete, exists, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.db import bulk
from ma.errors import Conflict, InvalidInput, NotFound
from ma.events import outbox
from ma.events.messages import CustomersTagged, CustomersUntagged
from ma.models import Customer, CustomerTag, Tag
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.text import fold
from ma.types import Actor, Permission

TAG, CUSTOMER, CUSTOMER_TAG = Tag.__table__, Customer.__table__, CustomerTag.__table__
LONGEST = 50


def clean_name(name: object) -> tuple[str, str | None]:
    """A tag's name as it is stored, and what is wrong with it (None: nothing)."""
    if not isinstance(name, str):
        return "", "Give the tag as text."
    text = " ".join(unicodedata.normalize("NFC", name).split(" ")).strip()
    if has_unseen(text):
        return "", "The tag contains control characters. Type it again instead of pasting it."
    if not text:
        return "", "Type a tag."
    if len(text) > LONGEST or len(fold(text)) > 2 * LONGEST:
        return "", f"The tag is too long. Use at most {LONGEST} characters."
    if any(c in ",;" for c in text):
        return "", "A tag holds no commas and semicolons: they separate tags. Add them one by one."
    return text, None


def add_tag(session: Session, actor: Actor, customers: Select, name: str, *, at: datetime) -> int:
    """Put a tag on customers; returns how many did not have it before.

    `customers` selects ids; deleted customers stay as they are. A tag with the same name but for the case is
    the same tag. Raises InvalidInput.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    text, problem = clean_name(name)
    if problem:
        raise InvalidInput({"tag": problem})
    tag_id = _tag_id(session, text, at)
    chosen = customers.subquery("chosen")
    [customer_id] = chosen.c
    has = exists().where(CUSTOMER_TAG.c.tag_id == tag_id, CUSTOMER_TAG.c.customer_id == CUSTOMER.c.id)
    rows = select(
        literal(tag_id),
        CUSTOMER.c.id,
        literal(at, CUSTOMER_TAG.c.at.type),
        literal(actor.username),
    ).where(CUSTOMER.c.id.in_(select(customer_id)), CUSTOMER.c.deleted_at.is_(None), ~has)
    try:
        added = session.execute(
            insert(CUSTOMER_TAG).from_select(["tag_id", "customer_id", "at", "actor"], rows),
            execution_options={"preserve_rowcount": True},
        ).rowcount
    except IntegrityError as error:  # somebody else put the same tag on one of them at this moment
        raise _at_once() from error
    if added:
        audit(session, actor, "tag", "customer", at=at, tag_id=tag_id, customers=added)
        outbox.record(session, CustomersTagged(tag_id=tag_id, customers=added), at=at)
    return added


def remove_tag(session: Session, actor: Actor, customers: Select, name: str, *, at: datetime) -> int:
    """Take a tag off customers; returns how many had it. `customers` selects ids.

    Raises InvalidInput, and NotFound for a tag that nobody ever had.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    text, problem = clean_name(name)
    if problem:
        raise InvalidInput({"tag": problem})
    tag_id = session.scalar(select(TAG.c.id).where(TAG.c.name_folded == fold(text)))
    if tag_id is None:
        raise NotFound(f"There is no tag '{text}'. Choose one of those that customers have.")
    chosen = customers.subquery("chosen")
    [customer_id] = chosen.c
    present = select(CUSTOMER.c.id).where(
        CUSTOMER.c.id.in_(select(customer_id)), CUSTOMER.c.deleted_at.is_(None)
    )
    removed = session.execute(
        delete(CUSTOMER_TAG).where(CUSTOMER_TAG.c.tag_id == tag_id, CUSTOMER_TAG.c.customer_id.in_(present))
    ).rowcount
    if removed:
        audit(session, actor, "untag", "customer", at=at, tag_id=tag_id, customers=removed)
        outbox.record(session, CustomersUntagged(tag_id=tag_id, customers=removed), at=at)
    return removed


def tag_customer(session: Session, actor: Actor, customer_id: int, name: str, *, at: datetime) -> bool:
    """Put a tag on one customer; whether they did not have it before. Raises InvalidInput, NotFound."""
    require(actor, Permission.EDIT_CUSTOMERS)
    return add_tag(session, actor, _just(session, customer_id), name, at=at) > 0


def untag_customer(session: Session, actor: Actor, customer_id: int, name: str, *, at: datetime) -> bool:
    """Take a tag off one customer; whether they had it. Raises InvalidInput, NotFound."""
    require(actor, Permission.EDIT_CUSTOMERS)
    return remove_tag(session, actor, _just(session, customer_id), name, at=at) > 0


def _just(session: Session, customer_id: int) -> Select:
    one = select(CUSTOMER.c.id).where(CUSTOMER.c.id == customer_id, CUSTOMER.c.deleted_at.is_(None))
    if session.scalar(one) is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    return one


def write_tags(session: Session, actor: Actor, frame: pd.DataFrame, *, at: datetime) -> int:
    """Put many tags on many customers at once; returns how many were new. For imports and the demo.

    `frame`: customer_id, tag (names that `clean_name` accepts). The caller checks the permission, audits and
    tells: what it does is more than this. Set-based.
    """
    codes, names = pd.factorize(frame["tag"])
    folded = [fold(str(name)) for name in names]
    known = _known(session, folded)
    new: dict[str, str] = {}
    for key, name in zip(folded, names, strict=True):
        if key not in known:
            new.setdefault(key, str(name))
    if new:
        rows = [{"name": name, "name_folded": key, "created_at": at} for key, name in new.items()]
        try:
            session.execute(insert(TAG), rows)
        except IntegrityError as error:
            raise _at_once() from error
        known = _known(session, folded)
    wanted = pd.DataFrame(
        {
            "tag_id": pd.Series([known[key] for key in folded], dtype="int64").to_numpy()[codes],
            "customer_id": frame["customer_id"].to_numpy(dtype="int64"),
        }
    ).drop_duplicates(ignore_index=True)
    for tag_id in known.values():
        have = bulk.numbers(
            session, select(CUSTOMER_TAG.c.customer_id).where(CUSTOMER_TAG.c.tag_id == tag_id)
        )
        again = (wanted["tag_id"] == tag_id) & wanted["customer_id"].isin(have[:, 0].astype("int64"))
        wanted = wanted[~again]
    return bulk.insert(session, CUSTOMER_TAG, wanted.assign(at=pd.Timestamp(at), actor=actor.username))


def _known(session: Session, folded: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(folded), 10_000):
        part = folded[start : start + 10_000]
        found |= dict(
            session.execute(select(TAG.c.name_folded, TAG.c.id).where(TAG.c.name_folded.in_(part))).all()
        )
    return found


def _tag_id(session: Session, name: str, at: datetime) -> int:
    found = session.scalar(select(TAG.c.id).where(TAG.c.name_folded == fold(name)))
    if found is not None:
        return found
    try:
        row = insert(TAG).values(name=name, name_folded=fold(name), created_at=at)
        return session.execute(row).inserted_primary_key[0]
    except IntegrityError as error:  # somebody else has just made the same tag
        raise _at_once() from error


def _at_once() -> Conflict:
    return Conflict("Somebody else used this tag at the same moment. Nothing was saved: try again.")
