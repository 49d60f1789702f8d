"""Tokens with which programs use the API in somebody's name.

A token is shown once, when it is made; only its hash is kept. What it may do is read at every request: its
own role, or its user's where that is lower by now. The times here are real time, never the demo clock.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import ApiToken, User
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.types import Actor, Permission, Role, lower

LONGEST_NAME = 100
MOST_DAYS = 3650
USED_EVERY = timedelta(minutes=1)
# A beginning of their own lets scanners find tokens that were published by mistake.
_BEGINNING = "ma_"
_HINT = 9
# Built once: that takes longer than to ask it, and every request asks.
_LIVE = (
    select(
        ApiToken.role,
        ApiToken.last_used_at,
        ApiToken.user_id,
        User.username,
        User.name,
        User.role.label("highest"),
    )
    .join(User, User.id == ApiToken.user_id)
    .where(
        ApiToken.token_hash == bindparam("hash"),
        ApiToken.revoked_at.is_(None),
        or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > bindparam("now")),
        User.active,
    )
)


@dataclass(frozen=True)
class NewToken:
    """A token that was just made; `secret` cannot be shown again."""

    token_id: int
    secret: str


@dataclass(frozen=True)
class TokenInfo:
    """What is kept of a token. `ended` says why it opens nothing any more, "" while it does."""

    token_id: int
    name: str
    username: str
    role: Role
    hint: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    ended: str


def create_token(
    session: Session,
    actor: Actor,
    *,
    name: str,
    role: str,
    at: datetime,
    username: str | None = None,
    days: int | None = None,
) -> NewToken:
    """Make a token for oneself, or an admin for another user (`username`); it ends after so many days.

    Raises InvalidInput with every problem at once, NotAllowed.
    """
    user = _owner(session, actor, username)
    name, problems = name.strip(), {}
    if not 1 <= len(name) <= LONGEST_NAME or has_unseen(name):
        problems["name"] = f"Name the program that will use it, with 1 to {LONGEST_NAME} characters."
    if role not in list(Role):
        problems["role"] = f"Unknown role. Choose one of: {', '.join(Role)}."
    elif lower(Role(role), Role(user.role)) != role:
        problems["role"] = (
            f"{user.username} is {user.role} and cannot give more than that. Choose a lower role."
        )
    if days is not None and not 1 <= days <= MOST_DAYS:
        problems["days"] = f"Let it end after 1 to {MOST_DAYS:,} days, or never."
    if problems:
        raise InvalidInput(problems)
    secret = _BEGINNING + token_urlsafe(32)
    token = ApiToken(
        user_id=user.id,
        name=name,
        token_hash=_digest(secret),
        hint=secret[:_HINT],
        role=Role(role),
        created_at=at,
        created_by=actor.username,
        expires_at=None if days is None else at + timedelta(days=days),
    )
    session.add(token)
    session.flush()
    audit(session, actor, "create", "token", token.id, at=at, user=user.id, role=str(role))
    return NewToken(token.id, secret)


def revoke_token(session: Session, actor: Actor, token_id: int, *, at: datetime) -> None:
    """End a token of one's own, or as an admin anybody's; it opens nothing from the next request on.

    Raises NotFound, and Conflict when it was revoked before.
    """
    owner = session.scalar(select(ApiToken.user_id).where(ApiToken.id == token_id))
    mine = owner is not None and owner == actor.user_id
    if owner is None or not (mine or actor.may(Permission.MANAGE_USERS)):
        raise NotFound(f"There is no token {token_id} of yours. Look at the list of tokens.")
    ended = session.execute(
        update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=actor.username)
    )
    if ended.rowcount != 1:
        raise Conflict(f"Token {token_id} was revoked before.")
    audit(session, actor, "revoke", "token", token_id, at=at)


def tokens(session: Session, actor: Actor, *, now: datetime) -> list[TokenInfo]:
    """One's own tokens, for an admin everybody's; the newest first, those that ended too."""
    rows = select(ApiToken, User.username, User.active).join(User, User.id == ApiToken.user_id)
    if not actor.may(Permission.MANAGE_USERS):
        rows = rows.where(ApiToken.user_id == actor.user_id)
    found = session.execute(rows.order_by(ApiToken.id.desc()))
    return [_info(token, username, active, now) for token, username, active in found]


def token_actor(session: Session, secret: str, *, now: datetime) -> tuple[Actor, bool] | None:
    """Who acts with a token now, and whether its use is to be noted; None where it opens nothing."""
    found = session.execute(_LIVE, {"hash": _digest(secret), "now": now}).one_or_none()
    if found is None:
        return None
    role = lower(Role(found.role), Role(found.highest))
    due = found.last_used_at is None or found.last_used_at <= now - USED_EVERY
    return Actor(username=found.username, role=role, user_id=found.user_id, name=found.name), due


def record_use(session: Session, secret: str, *, now: datetime) -> None:
    """Note that a token is being used."""
    session.execute(update(ApiToken).where(ApiToken.token_hash == _digest(secret)).values(last_used_at=now))


def _owner(session: Session, actor: Actor, username: str | None) -> User:
    require(actor, Permission.MAKE_TOKENS)
    if username is None and actor.user_id is None:
        raise InvalidInput({"username": "Say whose token it is to be."})
    where = User.id == actor.user_id if username is None else User.username == username.strip().lower()
    user = session.scalar(select(User).where(where, User.active))
    if user is not None and user.id == actor.user_id:
        return user
    if not actor.may(Permission.MANAGE_USERS):
        raise NotAllowed("You can make tokens for yourself. Ask an admin to make one for somebody else.")
    if user is None:
        raise InvalidInput({"username": "There is no active user of this name. Look at the list of users."})
    return user


def _info(token: ApiToken, username: str, active: bool, now: datetime) -> TokenInfo:
    expired = token.expires_at is not None and token.expires_at <= now
    reasons = ((token.revoked_at, "revoked"), (expired, "expired"), (not active, "user disabled"))
    return TokenInfo(
        token_id=token.id,
        name=token.name,
        username=username,
        role=Role(token.role),
        hint=token.hint,
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        revoked_at=token.revoked_at,
        ended=next((words for ended, words in reasons if ended), ""),
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
