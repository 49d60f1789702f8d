"""Merging two records of one person, and remembering that two records are not one person.

Everything that happened to the other record moves to the one that is kept: orders, behaviour, notes, what
Sales and Service told, the history of consent, tags, own fields, places on static lists, and messages. Only
where both were sent the same campaign, the other's outcome stays where it is, at the record that is now
hidden, so that the campaign's results stay as they were (an outcome is one person's). Where a rule chose the
other record, the next refresh decides about the kept one; scores of the other go, those of the kept one stay
until the next scoring. Consent becomes the more restrictive of both.
"""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Table, and_, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from ma.analytics.contactable import ADDRESS, bounce_lifted
from ma.analytics.duplicates import MERGED_FIELDS, chosen_by_default
from ma.errors import Conflict, InvalidInput, NotFound
from ma.events import outbox
from ma.events.messages import CustomersMerged
from ma.models import (
    Attribute,
    AttributeValue,
    BehaviourEvent,
    Campaign,
    ConsentChange,
    Customer,
    CustomerFact,
    CustomerScore,
    CustomerTag,
    DistinctPair,
    Note,
    Outcome,
    Purchase,
    Segment,
    SegmentMember,
)
from ma.models.fact import LIFTED
from ma.services import consent
from ma.services.audit import audit
from ma.services.customer_fields import FLAGS, derived
from ma.services.permissions import require
from ma.services.profiles import rebuild_profiles
from ma.services.segments import lists_of, record_list_change
from ma.types import Actor, Channel, Permission

CUSTOMER, PAIR, VALUE = Customer.__table__, DistinctPair.__table__, AttributeValue.__table__
SCORE = CustomerScore.__table__
KEEP, OTHER = "keep", "other"
# Facts without a key that two records could share: they simply change hands.
_MOVED = {
    "purchases": Purchase.__table__,
    "behaviour": BehaviourEvent.__table__,
    "notes": Note.__table__,
    "consent_changes": ConsentChange.__table__,
    "facts": CustomerFact.__table__,
}


@dataclass(frozen=True)
class Merge:
    """What a merge moved to the kept record, by kind, and which of its fields it changed.

    `messages_left` are the campaigns that both were sent; those outcomes stay at the hidden record.
    """

    customer_id: int
    merged_id: int
    fields: tuple[str, ...]
    purchases: int
    behaviour: int
    notes: int
    tags: int
    attributes: int
    messages: int
    messages_left: int


def merge_customers(
    session: Session,
    actor: Actor,
    *,
    keep_id: int,
    other_id: int,
    versions: tuple[int, int],
    take: dict[str, str] | None = None,
    at: datetime,
) -> Merge:
    """Make two records of one person one: `keep_id` stays, `other_id` is hidden and points to it.

    `versions` are those the person saw, of the kept record and of the other. `take` says whose value a field
    gets, "keep" or "other", by the names of columns and "attribute:<id>"; for fields it leaves out it is the
    kept record's, and the other's where that is unknown. There is no way back. Raises InvalidInput, NotFound,
    and Conflict when somebody changed one of them meanwhile.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    keep, other = _rows(session, keep_id, other_id)
    if (keep["version"], other["version"]) != tuple(versions):
        raise Conflict(
            "One of the two was changed by somebody else since you opened this. Nothing was merged: reload "
            "and look again."
        )
    take = _checked(session, take or {})
    fields, flags = _fields(keep, other, take), {name: keep[name] and other[name] for name in FLAGS}
    lists = {segment_id: segment_id in _lists(session, keep_id) for segment_id in _lists(session, other_id)}
    # First, so that the e-mail address and the external id are free for the one that is kept.
    _hide(session, other, into=keep_id, at=at)
    _drop_lifts(session, keep, other, fields, at=at)
    moved = {name: _move(session, table, other_id, keep_id) for name, table in _MOVED.items()}
    moved["tags"] = _move_tags(session, other_id, keep_id)
    moved["attributes"] = _move_attributes(session, other_id, keep_id, take)
    moved["messages"], left = _move_outcomes(session, other_id, keep_id)
    _move_lists(session, other_id, keep_id)
    _move_pairs(session, other_id, keep_id)
    session.execute(delete(SCORE).where(SCORE.c.customer_id == other_id))
    session.execute(
        update(CUSTOMER).where(CUSTOMER.c.merged_into == other_id).values(merged_into=keep_id, updated_at=at)
    )
    changed = _write(session, keep, fields | flags, other["created_at"], at=at)
    _settle_consent(session, actor, keep_id, flags, at=at)
    rebuild_profiles(session, as_of=at, customer_ids=[keep_id])
    for segment_id, were_both in lists.items():
        record_list_change(session, segment_id, entered=0 if were_both else 1, left=1, at=at)
    for name in ("consent_changes", "facts"):
        moved.pop(name)
    audit(
        session, actor, "merge", "customer", keep_id,
        at=at, merged=other_id, fields=changed, messages_left=left, **moved,
    )  # fmt: skip
    outbox.record(session, CustomersMerged(customer_id=keep_id, merged_id=other_id), at=at)
    return Merge(keep_id, other_id, tuple(changed), messages_left=left, **moved)


def mark_distinct(session: Session, actor: Actor, first_id: int, second_id: int, *, at: datetime) -> bool:
    """Remember that two customers are not the same person; False when that was known already.

    Raises NotFound, and InvalidInput for one and the same.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    _rows(session, first_id, second_id)
    first, second = sorted((first_id, second_id))
    known = select(PAIR.c.at).where(PAIR.c.first_id == first, PAIR.c.second_id == second)
    if session.scalar(known) is not None:
        return False
    try:
        session.execute(insert(PAIR).values(first_id=first, second_id=second, at=at, actor=actor.username))
    except IntegrityError as error:  # somebody else has just said the same
        raise Conflict("Somebody has just decided this. Reload to see what is left.") from error
    audit(session, actor, "mark distinct", "customer", first, at=at, other=second)
    return True


def _rows(session: Session, keep_id: int, other_id: int) -> tuple[dict, dict]:
    """Both rows, held until the transaction ends: nobody else merges or changes them meanwhile."""
    if keep_id == other_id:
        raise InvalidInput({"other": "This is one and the same record. Choose another one."})
    rows = session.execute(
        select(CUSTOMER)
        .where(CUSTOMER.c.id.in_([keep_id, other_id]), CUSTOMER.c.deleted_at.is_(None))
        .order_by(CUSTOMER.c.id)
        .with_for_update()
    )
    found = {row.id: dict(row._mapping) for row in rows}
    for customer_id in (keep_id, other_id):
        if customer_id not in found:
            raise NotFound(f"There is no customer {customer_id}. They may have been deleted or merged.")
    return found[keep_id], found[other_id]


def _checked(session: Session, take: dict[str, str]) -> dict[str, str]:
    known = {*MERGED_FIELDS, *(f"attribute:{key}" for key in session.scalars(select(Attribute.id)))}
    problems = {
        name: f"There is no field '{name}' to choose. Leave it out." for name in take if name not in known
    }
    problems |= {
        name: f"Say '{KEEP}' or '{OTHER}' for {name}."
        for name, whose in take.items()
        if name in known and whose not in (KEEP, OTHER)
    }
    if problems:
        raise InvalidInput(problems)
    return take


def _fields(keep: dict, other: dict, take: dict[str, str]) -> dict:
    whose = {name: take.get(name) or chosen_by_default(keep[name], other[name]) for name in MERGED_FIELDS}
    values = {name: (other if whose[name] == OTHER else keep)[name] for name in MERGED_FIELDS}
    if not any(values[name] for name in ("first_name", "last_name", "email", "external_id")):
        raise InvalidInput(
            {"first_name": "Keep at least one of first name, last name, e-mail address or external id."}
        )
    return values


def _hide(session: Session, other: dict, *, into: int, at: datetime) -> None:
    # Its figures were derived from facts that are no longer its own.
    nothing = dict.fromkeys(("orders", "spend_minor", "visits"), 0) | dict.fromkeys(
        ("average_order_minor", "first_order_at", "last_order_at", "favourite_category", "last_visit_at")
    )
    session.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.id == other["id"])
        .values(
            **nothing,
            engagement=None,
            deleted_at=at,
            merged_into=into,
            updated_at=at,
            version=other["version"] + 1,
        )
    )


def _write(session: Session, keep: dict, values: dict, other_created: datetime, *, at: datetime) -> list[str]:
    """The kept record with its new values; the names of those that changed."""
    session.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.id == keep["id"])
        .values(
            **values,
            **derived(values),
            created_at=min(keep["created_at"], other_created),
            updated_at=at,
            version=keep["version"] + 1,
        )
    )
    return sorted(name for name, value in values.items() if keep[name] != value)


def _move(session: Session, table: Table, other_id: int, keep_id: int) -> int:
    moved = update(table).where(table.c.customer_id == other_id).values(customer_id=keep_id)
    return session.execute(moved).rowcount


def _drop_lifts(session: Session, keep: dict, other: dict, fields: dict, *, at: datetime) -> None:
    """What was lifted for an address that is given up must not open the channel of one that bounced."""
    fact = CustomerFact.__table__
    for channel in Channel:
        name = ADDRESS[channel].key if channel in ADDRESS else None
        taken = name is not None and fields[name] != keep[name]
        stays, goes = (other["id"], keep["id"]) if taken else (keep["id"], other["id"])
        bounced = (
            select(Outcome.campaign_id)
            .join(Campaign, Campaign.id == Outcome.campaign_id)
            .where(Outcome.customer_id == stays, Campaign.channel == channel)
            .where(Outcome.bounced_at <= at, ~bounce_lifted(at))
            .limit(1)
        )
        if session.scalar(bounced) is not None:
            lifted = (fact.c.customer_id == goes, fact.c.kind == LIFTED, fact.c.channel == channel)
            session.execute(delete(fact).where(*lifted, fact.c.detail.is_not(None)))


def _move_tags(session: Session, other_id: int, keep_id: int) -> int:
    table = CustomerTag.__table__
    mine = aliased(table)
    both = exists().where(mine.c.customer_id == keep_id, mine.c.tag_id == table.c.tag_id)
    session.execute(delete(table).where(table.c.customer_id == other_id, both))
    return _move(session, table, other_id, keep_id)


def _move_attributes(session: Session, other_id: int, keep_id: int, take: dict[str, str]) -> int:
    """Own fields: those only the other has, and those chosen from it; how many. Its others are dropped."""
    chosen = [
        int(name.removeprefix("attribute:"))
        for name, whose in take.items()
        if name.startswith("attribute:") and whose == OTHER
    ]
    refused = [
        int(name.removeprefix("attribute:"))
        for name, whose in take.items()
        if name.startswith("attribute:") and whose == KEEP
    ]
    if chosen:
        session.execute(delete(VALUE).where(VALUE.c.customer_id == keep_id, VALUE.c.attribute_id.in_(chosen)))
    mine = aliased(VALUE)
    both = exists().where(mine.c.customer_id == keep_id, mine.c.attribute_id == VALUE.c.attribute_id)
    session.execute(
        delete(VALUE).where(VALUE.c.customer_id == other_id, or_(both, VALUE.c.attribute_id.in_(refused)))
    )
    moving = select(func.count(VALUE.c.attribute_id.distinct())).where(VALUE.c.customer_id == other_id)
    count = session.scalar(moving)
    _move(session, VALUE, other_id, keep_id)
    return count


def _move_outcomes(session: Session, other_id: int, keep_id: int) -> tuple[int, int]:
    """How many messages moved, and how many stay because both records were in the campaign."""
    table = Outcome.__table__
    mine = aliased(table)
    both = exists().where(mine.c.customer_id == keep_id, mine.c.campaign_id == table.c.campaign_id)
    moved = session.execute(
        update(table).where(table.c.customer_id == other_id, ~both).values(customer_id=keep_id)
    ).rowcount
    left = session.scalar(select(func.count()).select_from(table).where(table.c.customer_id == other_id))
    return moved, left


def _move_lists(session: Session, other_id: int, keep_id: int) -> None:
    table = SegmentMember.__table__
    mine = aliased(table)
    both = exists().where(mine.c.customer_id == keep_id, mine.c.segment_id == table.c.segment_id)
    by_rule = table.c.segment_id.in_(select(Segment.id).where(~Segment.static))
    session.execute(delete(table).where(table.c.customer_id == other_id, or_(both, by_rule)))
    _move(session, table, other_id, keep_id)


def _lists(session: Session, customer_id: int) -> dict[int, int]:
    return lists_of(session, select(CUSTOMER.c.id).where(CUSTOMER.c.id == customer_id))


def _move_pairs(session: Session, other_id: int, keep_id: int) -> None:
    """Whoever was not the other person is not the kept one either."""
    partner = case((PAIR.c.first_id == other_id, PAIR.c.second_id), else_=PAIR.c.first_id)
    theirs = or_(PAIR.c.first_id == other_id, PAIR.c.second_id == other_id)
    first = case((partner < keep_id, partner), else_=keep_id)
    second = case((partner < keep_id, keep_id), else_=partner)
    mine = aliased(PAIR)
    known = exists().where(and_(mine.c.first_id == first, mine.c.second_id == second))
    session.execute(delete(PAIR).where(theirs, or_(partner == keep_id, known)))
    session.execute(update(PAIR).where(theirs).values(first_id=first, second_id=second))


def _settle_consent(session: Session, actor: Actor, keep_id: int, flags: dict, *, at: datetime) -> None:
    """End the joint history of consent with what holds now, wherever its last entry says otherwise."""
    history = ConsentChange.__table__
    rows = session.execute(
        select(history.c.channel, history.c.allowed)
        .where(history.c.customer_id == keep_id)
        .order_by(history.c.at, history.c.id)
    )
    last = dict(rows.all())
    changes = pd.DataFrame(
        [
            {"customer_id": keep_id, "channel": channel.value, "allowed": flags[f"consent_{channel}"]}
            for channel in Channel
            if last.get(channel.value, False) != flags[f"consent_{channel}"]
        ],
        columns=["customer_id", "channel", "allowed"],
    )
    consent.record_changes(session, actor, changes, at=at, source=consent.MERGE)
