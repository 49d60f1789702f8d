"""People who sign in, who they are at the company, their sessions, and failed attempts."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, UtcTime


class User(Base):
    """A person who may sign in. `password_hash` is bcrypt, or SHA-256 from the older system."""

    __tablename__ = "app_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class UserSession(Base):
    """A signed-in browser. Only the hash of its token is kept; deleting the row ends the session."""

    __tablename__ = "user_session"
    __table_args__ = (Index(None, "user_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ma.app_user.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime)


class SignInTicket(Base):
    """A ticket that the browser swaps, once and at once, for the session's cookie."""

    __tablename__ = "sign_in_ticket"

    ticket_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ma.app_user.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class Identity(Base):
    """Who a person is at the company's identity provider: its issuer and subject, never an e-mail address."""

    __tablename__ = "user_identity"
    __table_args__ = (Index(None, "user_id"),)

    issuer: Mapped[str] = mapped_column(String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ma.app_user.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class UsedIdToken(Base):
    """An answer of the identity provider that has opened a session; it opens no second one."""

    __tablename__ = "used_id_token"

    nonce_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class SignInFailure(Base):
    """Failed sign-ins of one account name or one address, and until when it must wait."""

    __tablename__ = "sign_in_failure"

    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    failures: Mapped[int]
    blocked_until: Mapped[datetime | None] = mapped_column(UtcTime)
    last_at: Mapped[datetime] = mapped_column(UtcTime)
