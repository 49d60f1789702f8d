"""The people who may sign in: who they are, what they may do, when they were here last."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from ma.errors import NotFound
from ma.models import ApiToken, Audit, User, UserSession
from ma.services.auth import IDLE, LONGEST, change_password, normal
from ma.services.permissions import require
from ma.types import Actor, Permission, Role


@dataclass(frozen=True)
class UserInfo:
    """What is kept of an account; `sessions` are the browsers that are signed in, `tokens` those in use."""

    user_id: int
    username: str
    name: str
    role: Role
    active: bool
    created_at: datetime
    signed_in_at: datetime | None
    sessions: int
    tokens: int


def users(session: Session, actor: Actor, *, now: datetime) -> list[UserInfo]:
    """Every account, those that may sign in first, by name. Raises NotAllowed."""
    require(actor, Permission.MANAGE_USERS)
    last = (
        select(User.id, func.max(Audit.at))
        .join(Audit, Audit.object_id == cast(User.id, String))
        .where(Audit.noun == "user", Audit.action == "sign in")
        .group_by(User.id)
    )
    open_ = select(UserSession.user_id, func.count()).where(
        UserSession.created_at > now - LONGEST, UserSession.last_seen_at > now - IDLE
    )
    live = select(ApiToken.user_id, func.count()).where(
        ApiToken.revoked_at.is_(None), ApiToken.expires_at.is_(None) | (ApiToken.expires_at > now)
    )
    signed_in = dict(session.execute(last).all())
    sessions = dict(session.execute(open_.group_by(UserSession.user_id)).all())
    tokens = dict(session.execute(live.group_by(ApiToken.user_id)).all())
    rows = session.scalars(select(User).order_by(User.active.desc(), func.lower(User.name), User.id))
    return [
        UserInfo(
            user.id, user.username, user.name, Role(user.role), user.active, user.created_at,
            signed_in.get(user.id), sessions.get(user.id, 0), tokens.get(user.id, 0),
        )
        for user in rows
    ]  # fmt: skip


def user_id_of(session: Session, username: str) -> int:
    """The id of an account, also of one that is disabled. Raises NotFound."""
    found = session.scalar(select(User.id).where(User.username == normal(username)))
    if found is None:
        raise NotFound(f"There is no user '{username}'. Look at the list of users.")
    return found


def reset_password(session: Session, actor: Actor, user_id: int, *, at: datetime) -> str:
    """Give somebody a new password, to be told them and changed by them; ends their sessions and tokens.

    Raises NotAllowed, NotFound, Conflict.
    """
    require(actor, Permission.MANAGE_USERS)
    password = token_urlsafe(15)
    # As another one: an admin who resets their own need not know the old one.
    acting = Actor(actor.username, actor.role, None, actor.name)
    change_password(session, acting, user_id=user_id, password=password, at=at)
    return password
