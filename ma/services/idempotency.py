"""Requests that count once: whoever sends one again with the same key gets the answer of the first time.

The key is claimed at the beginning of the transaction that does the work and gets its answer at the end. So
there is no answer without the work and no work without the answer, whatever dies in between; and a second
request that comes while the first is at work waits for it at the claim. Times are real time.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.errors import Conflict
from ma.models import IdempotencyKey

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
_KEY = IdempotencyKey.__table__


@dataclass(frozen=True)
class Answer:
    """What a request was answered: no personal data, since it outlives an erasure."""

    status: int
    content: dict
    headers: dict[str, str] = field(default_factory=dict)


def request_hash(*parts: str | bytes) -> str:
    """What makes a request the same one: method, path, query and body."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def stored_answer(
    session: Session, *, user_id: int, key: str, request_hash: str, now: datetime
) -> Answer | None:
    """The answer that this request got before; None where it is new.

    Raises Conflict where the key belongs to another request.
    """
    row = session.execute(
        select(_KEY).where(*_mine(user_id, key), _KEY.c.created_at > now - KEPT)
    ).one_or_none()
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise Conflict(
            "This Idempotency-Key was used for another request. Nothing was done: send a new key with a new "
            "request, and the same one only to repeat the same."
        )
    return Answer(row.status, row.answer, row.headers)


def claim(session: Session, *, user_id: int, key: str, request_hash: str, now: datetime) -> Answer | None:
    """Take a key for the request that this transaction carries out; None: it is ours, `keep` its answer.

    Otherwise the answer of the request that was first. Raises Conflict as `stored_answer` does.
    """
    session.execute(delete(_KEY).where(_KEY.c.created_at <= now - KEPT))
    row = {"user_id": user_id, "key": key, "request_hash": request_hash, "created_at": now}
    try:
        with session.begin_nested():
            session.execute(insert(_KEY).values(**row, headers={}, answer={}))
    except IntegrityError:
        return stored_answer(session, user_id=user_id, key=key, request_hash=request_hash, now=now)
    return None


def keep(session: Session, *, user_id: int, key: str, answer: Answer) -> None:
    """Store the answer of a claimed key, to be committed with what the request did."""
    session.execute(
        update(_KEY)
        .where(*_mine(user_id, key))
        .values(status=answer.status, answer=answer.content, headers=answer.headers)
    )


def _mine(user_id: int, key: str) -> tuple:
    return (_KEY.c.user_id == user_id, _KEY.c.key == key)
