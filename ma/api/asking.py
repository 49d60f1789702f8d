"""Who asks, and what they may touch: one `Ask` for each request."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.responses import Response

from ma import clock
from ma.analytics.workspace import workspace
from ma.api.answers import sent, to_json
from ma.db.engine import Database
from ma.errors import InvalidInput, NotAllowed, NotSignedIn
from ma.services import auth, idempotency, tokens
from ma.services.idempotency import Answer
from ma.types import Actor

SAFE = ("GET", "HEAD", "OPTIONS")
_SIGN_IN = "Send a token in the header Authorization (Bearer …), or sign in at /api/auth/login first."
# One thread is enough: who was seen a moment ago is not written again.
_aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="api-last-seen")


class Replayed(Exception):
    """This request was carried out before: its answer is sent again."""

    def __init__(self, answer: Answer):
        self.answer = answer
        super().__init__("answered before")


@dataclass
class Ask:
    """One request of somebody: who it is, when in the workspace's time, and the way to the data.

    `secret` is the token that says who it is, `by` whether that is a "token" or a "session".
    """

    database: Database
    actor: Actor
    at: datetime
    timezone: str
    by: str
    secret: str = field(repr=False)
    key: str | None = None
    request_hash: str = ""
    _answered: bool = field(default=False, repr=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for selects; it sees one instant."""
        with self.database.reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session in one transaction. With an Idempotency-Key its request is carried out here once.

        Raises Replayed where it was carried out before.
        """
        with self.database.writing() as session:
            if self.key and (before := idempotency.claim(session, **self._claim(), now=clock.now())):
                raise Replayed(before)
            yield session
            if self.key and not self._answered:
                raise RuntimeError("A claimed key needs its answer in the same transaction.")

    def answer(
        self, session: Session, content: dict, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """The answer to a POST, kept for its key. No personal data in it: it outlives an erasure."""
        answer = Answer(status, json.loads(to_json(content)), headers or {})
        if self.key:
            idempotency.keep(session, user_id=self.actor.user_id, key=self.key, answer=answer)
            self._answered = True
        return sent(answer)

    def replay(self) -> None:
        """Raises Replayed where this request was carried out before, and Conflict for another's key."""
        if self.key:
            with self.reading() as session:
                before = idempotency.stored_answer(session, **self._claim(), now=clock.now())
            if before:
                raise Replayed(before)

    def _claim(self) -> dict:
        return {"user_id": self.actor.user_id, "key": self.key, "request_hash": self.request_hash}


async def _ask(request: Request) -> Ask:
    return request.state.ask


Asking = Annotated[Ask, Depends(_ask)]
# For the description alone: `asking` looks.
SECURITY = [
    Depends(
        HTTPBearer(
            scheme_name="token", description="A token of `python -m ma token create`.", auto_error=False
        )
    ),
    Depends(
        APIKeyCookie(
            name=auth.COOKIE, scheme_name="session", description="Set by signing in.", auto_error=False
        )
    ),
]


def asking(request: Request) -> Ask:
    """Who asks. Raises NotSignedIn, NotAllowed for another site's page, InvalidInput for an unusable key."""
    database = request.app.state.database()
    secret, by = _secret(request)
    if by == "session" and request.method not in SAFE:
        require_own_page(request)
    key = _key(request)
    now = clock.now()
    with database.reading() as session:
        found = _token(session, secret, now) if by == "token" else _session(session, secret, now)
        if found is None:
            raise NotSignedIn(f"This {by} opens nothing any more. {_SIGN_IN}")
        place = workspace(session)
    actor, due = found
    if due:
        _aside.submit(_note_seen, database, by, secret, now)
    return Ask(database, actor, place.now(), place.timezone, by, secret, key)


def require_own_page(request: Request) -> None:
    """Raises NotAllowed unless a page of this server sent the request: cookies come along from any."""
    # Hosts are compared, not schemes: behind a proxy this server sees http where the browser sees https.
    origin = request.headers.get("origin")
    if not origin or urlsplit(origin).netloc != request.headers.get("host"):
        raise NotAllowed(
            "With the cookie of a session, only this server's own pages may change anything (header Origin). "
            "Programs send a token instead."
        )


def _secret(request: Request) -> tuple[str, str]:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotSignedIn(f"The header Authorization holds no token. {_SIGN_IN}")
        return secret.strip(), "token"
    if cookie := request.cookies.get(auth.COOKIE):
        return cookie, "session"
    raise NotSignedIn(f"It is not said who asks. {_SIGN_IN}")


def _token(session: Session, secret: str, now: datetime) -> tuple[Actor, bool] | None:
    return tokens.token_actor(session, secret, now=now)


def _session(session: Session, secret: str, now: datetime) -> tuple[Actor, bool] | None:
    actor = auth.session_actor(session, secret, now=now)
    return actor and (actor, auth.seen_is_due(session, secret, now=now))


def _note_seen(database: Database, by: str, secret: str, now: datetime) -> None:
    try:
        with database.writing() as session:
            (tokens.record_use if by == "token" else auth.record_seen)(session, secret, now=now)
    except OperationalError:
        # Somebody holds the lock for long: the next request notes it.
        pass


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return None
    key = key.strip()
    if not key or len(key) > idempotency.LONGEST_KEY or not (key.isascii() and key.isprintable()):
        longest = idempotency.LONGEST_KEY
        raise InvalidInput(
            {"Idempotency-Key": f"Use a key of 1 to {longest} plain characters, such as a UUID."}
        )
    return key
