"""Notes: what people write down about a customer. Each changes their own; an admin changes any."""

import unicodedata
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from ma.errors import InvalidInput, NotAllowed, NotFound
from ma.events import outbox
from ma.events.messages import NoteAdded, NoteDeleted, NoteEdited
from ma.models import Customer, Note
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.types import Actor, Permission, Role

NOTE = Note.__table__
LONGEST = 5000


def add_note(session: Session, actor: Actor, customer_id: int, text: str, *, at: datetime) -> int:
    """Write a note about a customer; returns its id. Raises InvalidInput, NotFound."""
    require(actor, Permission.EDIT_CUSTOMERS)
    clean = _clean(text)
    here = select(Customer.id).where(Customer.id == customer_id, Customer.deleted_at.is_(None))
    if session.scalar(here) is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    row = insert(NOTE).values(customer_id=customer_id, text=clean, author=actor.username, at=at)
    note_id = session.execute(row).inserted_primary_key[0]
    audit(session, actor, "create", "note", note_id, at=at, customer_id=customer_id)
    outbox.record(session, NoteAdded(note_id=note_id, customer_id=customer_id), at=at)
    return note_id


def edit_note(session: Session, actor: Actor, note_id: int, text: str, *, at: datetime) -> bool:
    """Write a note anew; whether anything changed. It keeps its author and says when it was edited.

    Raises InvalidInput, NotFound, and NotAllowed for somebody else's note.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    clean, before = _clean(text), _mine(session, actor, note_id)
    if before.text == clean:
        return False
    session.execute(update(NOTE).where(NOTE.c.id == note_id).values(text=clean, edited_at=at))
    audit(session, actor, "update", "note", note_id, at=at, customer_id=before.customer_id)
    outbox.record(session, NoteEdited(note_id=note_id, customer_id=before.customer_id), at=at)
    return True


def delete_note(session: Session, actor: Actor, note_id: int, *, at: datetime) -> None:
    """Take a note away for good. Raises NotFound, and NotAllowed for somebody else's note."""
    require(actor, Permission.EDIT_CUSTOMERS)
    before = _mine(session, actor, note_id)
    session.execute(delete(NOTE).where(NOTE.c.id == note_id))
    audit(session, actor, "delete", "note", note_id, at=at, customer_id=before.customer_id)
    outbox.record(session, NoteDeleted(note_id=note_id, customer_id=before.customer_id), at=at)


def may_change(actor: Actor, author: str) -> bool:
    """Whether a person may edit and delete a note of this author."""
    return actor.may(Permission.EDIT_CUSTOMERS) and (actor.username == author or actor.role == Role.ADMIN)


def _mine(session: Session, actor: Actor, note_id: int):
    row = session.execute(
        select(NOTE)
        .join(Customer, Customer.id == NOTE.c.customer_id)
        .where(NOTE.c.id == note_id, Customer.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound("This note is no longer there. Somebody may have deleted it: reload.")
    if not may_change(actor, row.author):
        raise NotAllowed("This note is somebody else's. Ask its author or an admin to change it.")
    return row


def _clean(text: object) -> str:
    clean = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip() if isinstance(text, str) else ""
    if not clean:
        raise InvalidInput({"text": "Write something: a note cannot be empty."})
    if has_unseen(clean, but="\n\t"):
        raise InvalidInput(
            {"text": "The note contains control characters. Type it again instead of pasting it."}
        )
    if len(clean) > LONGEST:
        raise InvalidInput({"text": f"The note is too long. Use at most {LONGEST:,} characters."})
    return clean
