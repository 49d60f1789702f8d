"""Fields that a workspace defines itself: their definitions, and customers' values in them."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.analytics import attributes as analytics
from ma.analytics.segment_uses import segments_with_attribute
from ma.db import bulk
from ma.errors import Conflict, InvalidInput, NotFound
from ma.events import outbox
from ma.events.messages import (
    AttributeChanged,
    AttributeDefined,
    AttributeDeleted,
    CustomerAttributesChanged,
)
from ma.models import Attribute, AttributeValue, Customer
from ma.services import attribute_fields as fields
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.services.segment_rows import one_at_a_time
from ma.text import fold
from ma.types import Actor, Permission

ATTRIBUTE, VALUE, CUSTOMER = Attribute.__table__, AttributeValue.__table__, Customer.__table__
LONGEST_NAME = 60
MOST = 100
# Bound parameters of one statement: SQLite takes at most 32,766.
_BATCH = 10_000


def define_attribute(
    session: Session, actor: Actor, *, name: str, kind: str, choices: Sequence[str] = (), at: datetime
) -> int:
    """Add a field to every customer; returns its id. `kind` cannot be changed later.

    `choices` are what a text or list may hold; without them, anything. Raises InvalidInput with every
    problem at once.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    values, problems = _clean(session, {"name": name, "kind": kind, "choices": choices}, kind, but=None)
    if session.scalar(select(func.count()).select_from(ATTRIBUTE)) >= MOST:
        problems["name"] = f"There are {MOST} fields already. Delete one that nobody needs."
    if problems:
        raise InvalidInput(problems)
    row = values | {"name_folded": fold(values["name"]), "created_by": actor.username, "created_at": at}
    attribute_id = _execute(session, insert(ATTRIBUTE).values(**row)).inserted_primary_key[0]
    audit(session, actor, "create", "attribute", attribute_id, at=at, kind=kind)
    outbox.record(session, AttributeDefined(attribute_id=attribute_id, kind=kind), at=at)
    return attribute_id


def change_attribute(
    session: Session,
    actor: Actor,
    attribute_id: int,
    *,
    at: datetime,
    name: str | None = None,
    choices: Sequence[str] | None = None,
) -> list[str]:
    """Give a field another name or other choices; returns what really changed.

    Values that are no longer among the choices stay until somebody changes them. Raises InvalidInput and
    NotFound.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    before = _row(session, attribute_id)
    given = {key: value for key, value in (("name", name), ("choices", choices)) if value is not None}
    values, problems = _clean(session, given, before["kind"], but=attribute_id)
    if problems:
        raise InvalidInput(problems)
    changes = {key: value for key, value in values.items() if before[key] != value}
    if not changes:
        return []
    if "name" in changes:
        values["name_folded"] = fold(values["name"])
    _execute(session, update(ATTRIBUTE).where(ATTRIBUTE.c.id == attribute_id).values(**values))
    audit(session, actor, "update", "attribute", attribute_id, at=at, fields=sorted(changes))
    outbox.record(session, AttributeChanged(attribute_id=attribute_id), at=at)
    return sorted(changes)


def delete_attribute(session: Session, actor: Actor, attribute_id: int, *, at: datetime) -> int:
    """Remove a field and what every customer has in it; returns how many values are lost.

    Raises NotFound, and Conflict naming the segments whose rules use it.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    one_at_a_time(session)
    name = _row(session, attribute_id)["name"]
    users = list(segments_with_attribute(session, attribute_id)["name"])
    if users:
        more = f" and {len(users) - 5:,} more" if len(users) > 5 else ""
        raise Conflict(
            f"“{name}” cannot be deleted because the rules of segments use it: {', '.join(users[:5])}{more}. "
            "Take it out of them first."
        )
    lost = session.execute(delete(VALUE).where(VALUE.c.attribute_id == attribute_id)).rowcount
    try:
        session.execute(delete(ATTRIBUTE).where(ATTRIBUTE.c.id == attribute_id))
    except IntegrityError as error:  # a value was saved since the line above
        raise Conflict("Somebody is just filling in this field. Nothing was deleted: try again.") from error
    audit(session, actor, "delete", "attribute", attribute_id, at=at, values=lost)
    outbox.record(session, AttributeDeleted(attribute_id=attribute_id), at=at)
    return lost


def set_values(
    session: Session,
    actor: Actor,
    customer_id: int,
    values: dict[int, object],
    *,
    at: datetime,
    version: int | None = None,
) -> list[int]:
    """Change what one customer has in some fields, by attribute id; None empties a field.

    Returns the ids of those that really changed. `version` is the customer's that the person saw, where they
    saw one. Raises InvalidInput with every problem, by "attribute:<id>"; NotFound; and Conflict when somebody
    else changed the customer meanwhile.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    known = {row.attribute_id: row for row in analytics.definitions(session).itertuples()}
    present = analytics.values(session, customer_id)
    clean, problems = {}, {}
    for attribute_id, given in values.items():
        value = tuple(given) if isinstance(given, list) else given
        field = f"attribute:{attribute_id}"
        if attribute_id not in known:
            problems[field] = f"There is no field {attribute_id}. It may have been deleted: reload."
        # What stays as it is was accepted before: only what the person changed is judged.
        elif value != present.get(attribute_id):
            row = known[attribute_id]
            clean[attribute_id], problem = fields.clean(row.kind, row.choices, value)
            if problem:
                problems[field] = f"{row.name}: {problem}"
    if problems:
        raise InvalidInput(problems)
    changed = sorted(key for key, value in clean.items() if value != present.get(key))
    _touch(session, customer_id, version, at, counts=bool(changed))
    if not changed:
        return []
    frame = pd.DataFrame({"customer_id": customer_id, "attribute_id": changed})
    frame["value"] = pd.Series([clean[key] for key in changed], dtype=object)
    write_values(session, frame, at=at)
    audit(session, actor, "update", "customer", customer_id, at=at, attributes=changed)
    outbox.record(session, CustomerAttributesChanged(customer_id=customer_id, attribute_ids=changed), at=at)
    return changed


def write_values(session: Session, frame: pd.DataFrame, *, at: datetime) -> None:
    """Replace many customers' values at once; the caller's permission, audit and events. Set-based.

    `frame`: customer_id, attribute_id, value (as `attribute_fields.clean` gives it; None empties the field),
    each customer and attribute at most once. Customers are marked as updated `at`.
    """
    kinds = dict(session.execute(select(ATTRIBUTE.c.id, ATTRIBUTE.c.kind)).all())
    for attribute_id, part in frame.groupby("attribute_id", sort=True):
        _remove(session, int(attribute_id), part["customer_id"].to_numpy(dtype="int64"))
        filled = part[part["value"].notna()]
        if len(filled):
            bulk.insert(session, VALUE, _rows(filled, kinds[int(attribute_id)]))
    customers = np.unique(frame["customer_id"].to_numpy(dtype="int64"))
    for ids in _batches(customers):
        session.execute(
            update(CUSTOMER).where(CUSTOMER.c.id.in_(ids), CUSTOMER.c.updated_at < at).values(updated_at=at)
        )


def _rows(part: pd.DataFrame, kind: str) -> pd.DataFrame:
    ordered = part.sort_values("customer_id", kind="stable")
    rows = ordered[["attribute_id", "customer_id"]].astype("int64").reset_index(drop=True)
    values = ordered["value"].reset_index(drop=True)
    if kind == "list":
        rows = rows.assign(text=values).explode("text", ignore_index=True)
        rows["position"] = rows.groupby("customer_id").cumcount().astype("int64")
    else:
        rows = rows.assign(**{fields.COLUMNS[kind]: _typed(values, kind)}, position=0)
    if "text" in rows:
        codes, distinct = pd.factorize(rows["text"])
        folded = np.array([fold(text) for text in distinct], dtype=object)
        rows["text_folded"] = folded[codes]
    return rows


def _typed(values: pd.Series, kind: str) -> pd.Series:
    return values.astype({"number": "float64", "yes_no": "bool"}.get(kind, object))


def _remove(session: Session, attribute_id: int, customers: np.ndarray) -> None:
    mine = VALUE.c.attribute_id == attribute_id
    # A field that is new with this import has nothing to be replaced.
    if not session.scalar(select(exists().where(mine))):
        return
    for ids in _batches(customers):
        session.execute(delete(VALUE).where(mine, VALUE.c.customer_id.in_(ids)))


def _batches(ids: np.ndarray) -> Iterable[list[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH].tolist()


def _touch(session: Session, customer_id: int, version: int | None, at: datetime, *, counts: bool) -> None:
    """The customer's next version, if it is still the one that the person saw."""
    here = (CUSTOMER.c.id == customer_id, CUSTOMER.c.deleted_at.is_(None))
    present = session.scalar(select(CUSTOMER.c.version).where(*here))
    if present is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    changed_meanwhile = Conflict(
        "This customer was changed by somebody else since you opened it. "
        "Nothing was saved: reload and try again."
    )
    if version not in (None, present):
        raise changed_meanwhile
    if not counts:
        return
    result = session.execute(
        update(CUSTOMER)
        .where(*here, CUSTOMER.c.version == present)
        .values(version=CUSTOMER.c.version + 1, updated_at=at)
    )
    if result.rowcount != 1:
        raise changed_meanwhile


def _row(session: Session, attribute_id: int) -> dict:
    row = session.execute(select(ATTRIBUTE).where(ATTRIBUTE.c.id == attribute_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no field {attribute_id}. It may have been deleted: reload.")
    return dict(row._mapping)


def _clean(session: Session, given: dict, kind: str, *, but: int | None) -> tuple[dict, dict[str, str]]:
    values, problems = {}, {}
    if "kind" in given:
        values["kind"] = kind
        if kind not in fields.KINDS:
            problems["kind"] = f"There is no kind '{kind}'. Use one of {', '.join(fields.KINDS)}."
    if "name" in given:
        values["name"], problem = _name(session, given["name"], but)
        if problem:
            problems["name"] = problem
    if "choices" in given:
        values["choices"], problem = fields.clean_choices(kind, given["choices"])
        if problem and "kind" not in problems:
            problems["choices"] = problem
    return values, problems


def _name(session: Session, name: object, but: int | None) -> tuple[str, str | None]:
    text = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    if has_unseen(text):
        return text, "The name contains control characters. Type it again instead of pasting it."
    if not text:
        return text, "Give the field a name."
    if len(text) > LONGEST_NAME or len(fold(text)) > 200:
        return text, f"The name is too long. Use at most {LONGEST_NAME} characters."
    if fold(text) in analytics.OWN_NAMES:
        return text, f"Every customer has '{text}' already. Use that, or another name."
    same = select(ATTRIBUTE.c.id).where(ATTRIBUTE.c.name_folded == fold(text), ATTRIBUTE.c.id != (but or 0))
    if session.scalar(same) is not None:
        return text, f"There is a field '{text}' already. Use that, or another name."
    return text, None


def _execute(session: Session, statement):
    try:
        return session.execute(statement)
    except IntegrityError as error:  # somebody else saved the same name between our check and our write
        raise Conflict("Somebody has just saved a field of this name. Reload to see it.") from error
