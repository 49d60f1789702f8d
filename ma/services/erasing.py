"""Erasing people for good, and knowing them again without knowing who they were.

What goes: everything in the customer's row but their place in random splits, consent and its history, own
fields, tags and notes, behaviour, what Sales and Service told, membership of segments, their scores, what
imports remembered of them, the events about them that wait to be sent, and every earlier record of theirs
(merged into this one, or deleted with the same e-mail address or external id). What stays: purchases with
their order number, and outcomes of campaigns, at a row without a person, so that sums still hold and a second
import of the order does not bring it back; and the audit log, which holds ids and field names. What people
typed themselves, as a search in a saved view, a segment's rule or a tag that others have too, stays as it is.

An import must not bring them back: a keyed hash (HMAC-SHA256) of their e-mail address, external id and phone
number is kept. Without the key it says nothing, and nobody can try addresses on it.
"""

import hmac
from datetime import datetime
from uuid import uuid4

import numpy as np
import pandas as pd
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    MetaData,
    String,
    Table,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql import Select

from ma.analytics.person import earlier_records
from ma.db import secret, shredding
from ma.errors import Conflict, NotFound, NotReady
from ma.events.messages import CustomerErased
from ma.events.people import OF_MANY, without
from ma.models import (
    AttributeValue,
    BehaviourEvent,
    ConsentChange,
    Customer,
    CustomerFact,
    CustomerScore,
    CustomerTag,
    DistinctPair,
    ErasedIdentity,
    ImportChange,
    Note,
    OutboxEvent,
    SegmentMember,
    Tag,
    WebhookDelivery,
)
from ma.models.base import BigKey
from ma.services.audit import audit
from ma.services.customer_fields import FLAGS, derived
from ma.services.permissions import require
from ma.services.segments import lists_of, record_list_change
from ma.types import Actor, Permission

CUSTOMER, HASH, OUTBOX = Customer.__table__, ErasedIdentity.__table__, OutboxEvent.__table__
DELIVERY = WebhookDelivery.__table__
# A row for each of these belongs to a person alone and goes with them.
OWNED = (
    AttributeValue.__table__.c.customer_id,
    BehaviourEvent.__table__.c.customer_id,
    ConsentChange.__table__.c.customer_id,
    CustomerScore.__table__.c.customer_id,
    CustomerFact.__table__.c.customer_id,
    CustomerTag.__table__.c.customer_id,
    DistinctPair.__table__.c.first_id,
    DistinctPair.__table__.c.second_id,
    Note.__table__.c.customer_id,
    SegmentMember.__table__.c.customer_id,
)
# What of a customer's row is no personal data: keys, when the row was made, and the place in random splits.
_KEPT = {"id", "split_bucket", "created_at", "import_id", "merged_into", "version", "deleted_at"}
IDENTITIES = {"email": "email_folded", "external_id": "external_id", "phone": "phone_digits"}
# Shorter numbers are extensions and placeholders, which many people share.
SHORTEST_PHONE = 7
_CHUNK = 10_000
# Deliveries that are held at a time: each can tell of a thousand people.
_LOT = 200
_PURPOSE = "erased identity"

_CHOSEN = Table(
    "erasing_chosen",
    MetaData(),
    Column("customer_id", BigKey, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)
_HASHES = Table(
    "erasing_hash", MetaData(), Column("hash", String(64), primary_key=True), prefixes=["TEMPORARY"]
)


def erase_customers(session: Session, actor: Actor, customers: Select, *, at: datetime) -> int:
    """Erase people for good; how many. `customers` selects ids, of deleted customers too.

    One transaction, set-based; at a million customers it takes some seconds, most of them for the search
    index. Those who were erased before are left alone. Raises NotAllowed, and NotReady when the secret is not
    the one that earlier erasures used.
    """
    require(actor, Permission.ERASE)
    key = _key(session)
    shredding.begin(session)
    session.execute(CreateTable(_CHOSEN))
    people = _choose(session, customers, at=at)
    if people:
        _remember(session, key, at=at)
        lists = lists_of(session, select(_CHOSEN.c.customer_id))
        _delete_owned(session)
        _empty_rows(session, at=at)
        for segment_id, left in lists.items():
            record_list_change(session, segment_id, left=left, at=at)
        _tell(session, at=at)
        only = session.scalar(select(func.min(_CHOSEN.c.customer_id))) if people == 1 else None
        audit(session, actor, "erase", "customer", only, at=at, customers=people)
        # The audit entry was made last: a flush now fails before anything is said to be erased.
        session.flush()
        shredding.finish(session)
    session.execute(DropTable(_CHOSEN))
    return people


def erase_one(session: Session, actor: Actor, customer_id: int, *, version: int, at: datetime) -> None:
    """Erase the person that somebody has on their screen; `version` is the one they saw.

    Raises NotAllowed, NotFound, NotReady, and Conflict when somebody else changed the customer meanwhile.
    """
    require(actor, Permission.ERASE)
    mine = select(CUSTOMER.c.version).where(CUSTOMER.c.id == customer_id, CUSTOMER.c.deleted_at.is_(None))
    present = session.scalar(mine.with_for_update())
    if present is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    if present != version:
        raise Conflict(
            "This customer was changed by somebody else since you opened it. "
            "Nobody was erased: reload and look again."
        )
    erase_customers(session, actor, select(CUSTOMER.c.id).where(CUSTOMER.c.id == customer_id), at=at)


def erased_mask(
    session: Session,
    emails_folded: pd.Series | None = None,
    external_ids: pd.Series | None = None,
    phone_digits: pd.Series | None = None,
) -> pd.Series:
    """Which rows of a file are people who were erased: True where an import must leave them out.

    The series share one index; missing values are nobody's. A phone number says it only where the row has
    neither e-mail address nor external id: families and offices share numbers. Whoever came back by hand
    (`customers.create_customer`) is no longer among the erased. Raises NotReady when the secret is not the
    one they were erased with.
    """
    given = [series for series in (emails_folded, external_ids, phone_digits) if series is not None]
    index = given[0].index if given else pd.RangeIndex(0)
    nobody = pd.Series(False, index=index)
    if not given or session.scalar(select(HASH.c.hash).limit(1)) is None:
        return nobody
    key = _key(session)
    known = set(session.scalars(select(HASH.c.hash)))
    by_email = _known(key, "email", emails_folded, known, nobody)
    by_id = _known(key, "external_id", external_ids, known, nobody)
    unnamed = ~(_filled(emails_folded, nobody) | _filled(external_ids, nobody))
    return by_email | by_id | (_known(key, "phone", phone_digits, known, nobody) & unnamed)


def returning_problems(session: Session, values: dict) -> dict[str, str]:
    """What stands against adding a customer by hand who was erased: they start without any consent.

    `values` are a customer's cleaned columns. {column: message}; empty where nothing does.
    """
    ticked = [name for name in FLAGS if values.get(name)]
    if not ticked or not _hashes_there(session, values):
        return {}
    return {
        ticked[0]: "They were erased before and must start without consent. Save them without it first; "
        "then record what they agree to now."
    }


def welcome_back(session: Session, values: dict) -> bool:
    """Forget that somebody was erased, because they were added again by hand; whether they had been."""
    found = _hashes_there(session, values)
    if found:
        session.execute(delete(HASH).where(HASH.c.hash.in_(found)))
    return bool(found)


# Choosing


def _choose(session: Session, customers: Select, *, at: datetime) -> int:
    """Fill the table of those to erase; how many were asked for, not counting their earlier records."""
    wanted = customers.subquery("wanted")
    [wanted_id] = wanted.c
    asked = select(CUSTOMER.c.id).where(CUSTOMER.c.id.in_(select(wanted_id)), CUSTOMER.c.erased_at.is_(None))
    people = _rows(session, insert(_CHOSEN).from_select(["customer_id"], asked))
    if people:
        earlier = earlier_records(select(_CHOSEN.c.customer_id), at=at).subquery()
        session.execute(insert(_CHOSEN).from_select(["customer_id"], select(earlier.c.id)))
    return people


# Knowing them again


def _key(session: Session) -> bytes:
    """The key of the hashes. Raises NotReady when those that are there were made with another one."""
    key = secret.key(session, _PURPOSE)
    # A row of its own tells whether the key is the one that the others were made with.
    there = session.scalar(select(HASH.c.hash).where(HASH.c.hash == _own(key)))
    if there is None and session.scalar(select(HASH.c.hash).limit(1)) is not None:
        raise NotReady(
            "The secret is not the one that people were erased with, so that they cannot be recognised. "
            "Set MA_SECRET to that one, or restore the file in the folder “secrets” beside the database."
        )
    return key


def _own(key: bytes) -> str:
    return secret.keyed_hash(key, "this key")


def _remember(session: Session, key: bytes, *, at: datetime) -> None:
    rows = select(*(CUSTOMER.c[column] for column in IDENTITIES.values())).join(
        _CHOSEN, _CHOSEN.c.customer_id == CUSTOMER.c.id
    )
    session.execute(CreateTable(_HASHES))
    hashes = {_own(key)}
    for part in session.execute(rows).partitions(_CHUNK):
        frame = pd.DataFrame(part, columns=list(IDENTITIES), dtype=object)
        for kind in IDENTITIES:
            hashes.update(_hashes(key, kind, frame[kind]).dropna())
    ordered = sorted(hashes)
    for start in range(0, len(ordered), _CHUNK):
        batch = [{"hash": value} for value in ordered[start : start + _CHUNK]]
        session.execute(insert(_HASHES), batch)
    new = select(_HASHES.c.hash, _moment(at)).where(~exists().where(HASH.c.hash == _HASHES.c.hash))
    session.execute(insert(HASH).from_select(["hash", "at"], new))
    session.execute(DropTable(_HASHES))


def _moment(at: datetime):
    return literal(at, HASH.c.at.type)


def _hashes(key: bytes, kind: str, values: pd.Series) -> pd.Series:
    """The keyed hash of each value, each distinct one made once; missing stays missing."""
    codes, distinct = pd.factorize(values)
    made = np.empty(len(distinct) + 1, dtype=object)
    made[:-1] = [_hash(key, kind, str(value)) for value in distinct]
    return pd.Series(made[codes], index=values.index, dtype=object)  # code -1, missing, picks the last


def _hash(key: bytes, kind: str, value: str) -> str | None:
    if kind == "phone":
        # 0049 170 and +49 170 are one number.
        value = value.lstrip("0")
        if len(value) < SHORTEST_PHONE:
            return None
    return hmac.digest(key, f"{kind}\0{value}".encode(), "sha256").hex() if value else None


def _known(key: bytes, kind: str, values: pd.Series | None, known: set[str], nobody: pd.Series) -> pd.Series:
    return nobody if values is None else _hashes(key, kind, values).isin(known)


def _filled(values: pd.Series | None, nobody: pd.Series) -> pd.Series:
    return nobody if values is None else values.notna()


def _hashes_there(session: Session, values: dict) -> list[str]:
    if session.scalar(select(HASH.c.hash).limit(1)) is None:
        return []
    key, whole = _key(session), values | derived(values)
    made = [
        _hash(key, kind, whole[column])
        for kind, column in IDENTITIES.items()
        if whole.get(column) is not None
    ]
    return list(session.scalars(select(HASH.c.hash).where(HASH.c.hash.in_([h for h in made if h]))))


# Erasing


def _delete_owned(session: Session) -> None:
    chosen = select(_CHOSEN.c.customer_id)
    tags = list(
        session.scalars(select(CustomerTag.tag_id).where(CustomerTag.customer_id.in_(chosen)).distinct())
    )
    _forget_changes(session)
    for column in OWNED:
        session.execute(delete(column.table).where(column.in_(chosen)))
    # A tag that only they had may say who they were.
    for start in range(0, len(tags), _CHUNK):
        unused = ~exists().where(CustomerTag.tag_id == Tag.id)
        session.execute(delete(Tag.__table__).where(Tag.id.in_(tags[start : start + _CHUNK]), unused))
    for name in ("customer_id", "merged_id"):
        for table, waits in (
            (OUTBOX, OUTBOX.c.sent_at.is_(None)),
            (DELIVERY, DELIVERY.c.state != "delivered"),
        ):
            about = cast(table.c.payload[name].as_string(), BigInteger)
            waiting = (waits, table.c.type != CustomerErased.__name__)
            session.execute(delete(table).where(*waiting, about.in_(chosen)))
    _take_out_of_lists(session)


def _take_out_of_lists(session: Session) -> None:
    """Webhooks are told of many people at once: of the others only. What no delivery was made of yet loses
    them when one is made (`ma.subscribers.webhooks`)."""
    gone, last = set(session.scalars(select(_CHOSEN.c.customer_id))), 0
    of_many = (DELIVERY.c.type.in_(sorted(OF_MANY)), DELIVERY.c.state != "delivered")
    waiting = select(DELIVERY.c.id, DELIVERY.c.payload).where(*of_many).order_by(DELIVERY.c.id).limit(_LOT)
    while rows := session.execute(waiting.where(DELIVERY.c.id > last)).all():
        last = rows[-1].id
        for row in rows:
            left = without(row.payload, gone)
            mine = DELIVERY.c.id == row.id
            if left is None:
                session.execute(delete(DELIVERY).where(mine))
            elif left != row.payload:
                session.execute(update(DELIVERY).where(mine).values(payload=left))


def _forget_changes(session: Session) -> None:
    """Delete what imports keep for taking them back: of the people and of what they did, also where an import
    gave that to somebody else."""
    chosen, change, event = select(_CHOSEN.c.customer_id), ImportChange.__table__, BehaviourEvent.__table__
    owner = cast(change.c.before["customer_id"].as_string(), BigInteger)
    theirs = change.c.object_id.in_(select(event.c.id).where(event.c.customer_id.in_(chosen)))
    for wanted in (
        (change.c.noun == "customer", change.c.object_id.in_(chosen)),
        (change.c.noun == "event", or_(theirs, owner.in_(chosen))),
    ):
        session.execute(delete(change).where(*wanted))


def _empty_rows(session: Session, *, at: datetime) -> None:
    """Take everything out of their rows but what is in `_KEPT`: a column that is added later goes too."""
    empty = {column.name: _nothing(column) for column in CUSTOMER.columns if column.name not in _KEPT}
    empty |= {
        "deleted_at": func.coalesce(CUSTOMER.c.deleted_at, _moment(at)),
        "erased_at": at,
        "updated_at": at,
        "version": CUSTOMER.c.version + 1,
    }
    session.execute(
        update(CUSTOMER).where(CUSTOMER.c.id.in_(select(_CHOSEN.c.customer_id))).values(**empty),
        execution_options={"synchronize_session": False},
    )


def _nothing(column: Column):
    if column.nullable:
        return None
    if isinstance(column.type, Boolean):
        return False
    return "" if isinstance(column.type, String) else 0


def _tell(session: Session, *, at: datetime) -> None:
    """One event for each of them: whoever listens erases them too."""
    ids = session.scalars(select(_CHOSEN.c.customer_id).order_by(_CHOSEN.c.customer_id))
    for part in ids.partitions(_CHUNK):
        events = [(str(uuid4()), CustomerErased(customer_id=customer_id)) for customer_id in part]
        rows = [
            {
                "event_id": event_id,
                "type": type(event).__name__,
                "version": event.version,
                "occurred_at": at,
                "payload": event.model_dump(mode="json"),
                "attempts": 0,
            }
            for event_id, event in events
        ]
        session.execute(insert(OUTBOX), rows)


def _rows(session: Session, statement) -> int:
    return session.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
